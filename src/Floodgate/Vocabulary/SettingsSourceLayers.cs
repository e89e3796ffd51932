using System.Collections;
using System.Text.Json;

namespace Floodgate.Vocabulary;

/// <summary>A value as it was given, and where: <c>floodgate.json</c>, an environment variable, a flag.</summary>
public readonly record struct SettingValue(string Value, string Source);

/// <summary>One origin of settings. Reading it never throws for what a person wrote; errors are kept.</summary>
public sealed class SettingsLayer
{
    private const string EnvironmentPrefix = "FLOODGATE__";
    private readonly Dictionary<string, SettingValue> values = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> errors = [];

    private SettingsLayer()
    {
    }

    /// <summary>Values by name (<c>Section:Key</c>, any case).</summary>
    public IReadOnlyDictionary<string, SettingValue> Values => values;

    /// <summary>What could not be read, one sentence each.</summary>
    public IReadOnlyList<string> Errors => errors;

    /// <summary>A set of defaults under one name, such as a profile or the values that options stand for.</summary>
    public static SettingsLayer Of(string source, IReadOnlyDictionary<string, string> values)
    {
        var layer = new SettingsLayer();
        foreach (var (name, value) in values)
        {
            layer.Add(name, value, source);
        }

        return layer;
    }

    /// <summary>
    /// A JSON file whose nested objects become names: <c>{"Database":{"ConnectionString":"..."}}</c> is
    /// <c>Database:ConnectionString</c>. Comments and trailing commas are allowed. A missing file is an error
    /// only when it was asked for by name.
    /// </summary>
    public static SettingsLayer FromFile(string path, bool required)
    {
        var layer = new SettingsLayer();
        try
        {
            if (required || File.Exists(path))
            {
                layer.AddJson(path, File.ReadAllBytes(path));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            layer.errors.Add($"Settings file {path} cannot be read: {e.Message} Check that it exists and is readable.");
        }

        return layer;
    }

    /// <summary>Variables <c>FLOODGATE__SECTION__KEY</c>; two underscores stand for the colon.</summary>
    public static SettingsLayer FromEnvironment(IDictionary variables)
    {
        var layer = new SettingsLayer();
        foreach (DictionaryEntry variable in variables)
        {
            var name = (string)variable.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase))
            {
                var setting = name[EnvironmentPrefix.Length..].Replace("__", ":");
                layer.Add(setting, (string?)variable.Value ?? "", $"environment {name}");
            }
        }

        return layer;
    }

    /// <summary>
    /// Takes <c>--Section:Key=value</c> and <c>--Section:Key value</c> out of a command line; the colon in the
    /// name is what tells a setting from an option. All other arguments are answered in <paramref name="rest"/>.
    /// </summary>
    public static SettingsLayer FromFlags(IReadOnlyList<string> args, out IReadOnlyList<string> rest)
    {
        var layer = new SettingsLayer();
        var others = new List<string>();
        for (var i = 0; i < args.Count; i++)
        {
            var equals = args[i].IndexOf('=');
            var flag = equals < 0 ? args[i] : args[i][..equals];
            if (!flag.StartsWith("--", StringComparison.Ordinal) || !flag.Contains(':'))
            {
                others.Add(args[i]);
            }
            else if (equals >= 0)
            {
                layer.Add(flag[2..], args[i][(equals + 1)..], $"flag {flag}");
            }
            else if (i + 1 < args.Count && !args[i + 1].StartsWith("--", StringComparison.Ordinal))
            {
                layer.Add(flag[2..], args[++i], $"flag {flag}");
            }
            else
            {
                layer.errors.Add($"{flag} has no value. Write {flag}=VALUE.");
            }
        }

        rest = others;
        return layer;
    }

    private void Add(string name, string value, string source)
    {
        if (!values.TryAdd(name, new(value, source)))
        {
            errors.Add($"{name} is given twice (from {source}). Keep one of them.");
        }
    }

    private void AddJson(string path, byte[] content)
    {
        var options = new JsonDocumentOptions
        {
            CommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
        };
        try
        {
            using var document = JsonDocument.Parse(content, options);
            AddJson(path, "", document.RootElement);
        }
        catch (JsonException e)
        {
            errors.Add($"Settings file {path} is not JSON: line {e.LineNumber + 1}, byte " +
                $"{e.BytePositionInLine + 1} cannot be read. Correct it or remove the file.");
        }
    }

    private void AddJson(string path, string name, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    AddJson(path, name.Length == 0 ? property.Name : $"{name}:{property.Name}", property.Value);
                }

                break;
            case JsonValueKind.String when name.Length > 0:
                Add(name, element.GetString()!, path);
                break;
            case JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False when name.Length > 0:
                Add(name, element.GetRawText(), path);
                break;
            default:
                var where = name.Length == 0 ? "The settings file" : $"{name} (from {path})";
                errors.Add($"{where} is {element.ValueKind}. Write a text, a number, true, false or an object.");
                break;
        }
    }
}
