using System.Globalization;

namespace Floodgate.Vocabulary;

/// <summary>One setting as it is in force: what <c>./floodgate settings</c> prints. Secret values are masked.</summary>
public sealed record Setting(string Name, string Value, string Source, string Meaning)
{
    /// <summary>The unit of the value, or empty.</summary>
    public string Unit { get; init; } = "";

    /// <summary>The allowed values in words.</summary>
    public string Range { get; init; } = "";

    /// <summary>True when the value must never be printed.</summary>
    public bool Secret { get; init; }
}

/// <summary>Everything that is wrong with the settings, together, so that one start shows it all.</summary>
public sealed class SettingsException(IReadOnlyList<string> errors)
    : Exception(string.Join(Environment.NewLine, errors))
{
    /// <summary>One sentence per error: the setting, its value, what is allowed and what to do.</summary>
    public IReadOnlyList<string> Errors { get; } = errors;
}

/// <summary>
/// Where every module reads its settings, by one name each (<c>Section:Key</c>, any case). A wrong value never
/// throws at once: the reader answers the fallback and <see cref="Complete"/> reports all errors together.
/// </summary>
/// <param name="layers">Where values come from, weakest first: profile, file, environment, flags.</param>
public sealed class SettingsSource(IReadOnlyList<SettingsLayer> layers)
{
    private const int SuggestionDistanceMax = 4;

    private readonly List<string> errors = [];
    private readonly Dictionary<string, Setting> read = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Every setting read so far with its value in force, in the order in which it was read.</summary>
    public IReadOnlyCollection<Setting> Effective => read.Values;

    /// <summary>A whole number from <paramref name="min"/> to <paramref name="max"/> of a named unit.</summary>
    public long Long(string name, long fallback, long min, long max, string unit, string meaning)
    {
        Invariant.Check(fallback >= min && fallback <= max, "the default of a setting is within its range");
        var range = $"{Number(min)} to {Number(max)}";
        var found = Find(name);
        var value = fallback;
        if (found is { } given && !TryLong(given.Value, min, max, out value))
        {
            value = fallback;
            var allowed = unit.Length == 0 ? range : $"{range} {unit}";
            errors.Add($"{name} is {Quoted(given.Value)} (from {given.Source}), which is not allowed. " +
                $"Set it to a whole number from {allowed}, or leave it out for {Number(fallback)}.");
        }

        Add(new(name, Number(value), found?.Source ?? "default", meaning) { Unit = unit, Range = range });
        return value;
    }

    /// <summary>As <see cref="Long"/>, for what is counted in an <c>int</c>.</summary>
    public int Int(string name, int fallback, int min, int max, string unit, string meaning) =>
        (int)Long(name, fallback, min, max, unit, meaning);

    /// <summary>As <see cref="Long"/>, or <c>off</c>, which is null.</summary>
    public long? LongOrOff(string name, long? fallback, long min, long max, string unit, string meaning)
    {
        Invariant.Check(
            fallback is null || (fallback >= min && fallback <= max), "the default of a setting is within its range");
        var range = $"{Number(min)} to {Number(max)} | off";
        var found = Find(name);
        var value = fallback;
        if (found is { } given)
        {
            var isOff = "off".Equals(given.Value, StringComparison.OrdinalIgnoreCase);
            value = isOff ? null : TryLong(given.Value, min, max, out var number) ? number : fallback;
            if (!isOff && !TryLong(given.Value, min, max, out _))
            {
                errors.Add($"{name} is {Quoted(given.Value)} (from {given.Source}), which is not allowed. Set it to " +
                    $"a whole number from {Number(min)} to {Number(max)} {unit}, or to off, or leave it out for " +
                    $"{Shown(fallback)}.");
            }
        }

        Add(new(name, Shown(value), found?.Source ?? "default", meaning) { Unit = unit, Range = range });
        return value;

        static string Shown(long? value) => value is { } number ? Number(number) : "off";
    }

    /// <summary>A text; empty means not set. A secret one is never printed, neither here nor in an error.</summary>
    public string Text(string name, string fallback, string meaning, bool secret = false)
    {
        var found = Find(name);
        var value = found?.Value ?? fallback;
        var shown = secret && value.Length > 0 ? "(secret)" : value;
        Add(new(name, shown, found?.Source ?? "default", meaning) { Range = "text", Secret = secret });
        return value;
    }

    /// <summary>One of a few words, answered in the spelling of <paramref name="allowed"/>.</summary>
    public string Choice(string name, string fallback, IReadOnlyList<string> allowed, string meaning)
    {
        Invariant.Check(allowed.Contains(fallback), "the default of a setting is one of its choices");
        var range = string.Join(" | ", allowed);
        var found = Find(name);
        var value = fallback;
        if (found is { } given)
        {
            var match = allowed.FirstOrDefault(
                choice => choice.Equals(given.Value, StringComparison.OrdinalIgnoreCase));
            if (match is null)
            {
                errors.Add($"{name} is {Quoted(given.Value)} (from {given.Source}), which is not allowed. " +
                    $"Set it to one of {range}, or leave it out for {fallback}.");
            }

            value = match ?? fallback;
        }

        Add(new(name, value, found?.Source ?? "default", meaning) { Range = range });
        return value;
    }

    /// <summary>A switch, <c>true</c> or <c>false</c>.</summary>
    public bool Flag(string name, bool fallback, string meaning) =>
        Choice(name, fallback ? "true" : "false", ["true", "false"], meaning) == "true";

    /// <summary>
    /// Every value whose name begins with the prefix, by the rest of its name in small letters: for what is passed on.
    /// </summary>
    public IReadOnlyDictionary<string, string> Section(string prefix, string meaning, Func<string, bool> isSecret)
    {
        Add(new($"{prefix}*", "", "default", meaning) { Range = "text" });
        var found = new Dictionary<string, string>();
        foreach (var (name, given) in layers.SelectMany(layer => layer.Values))
        {
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                found[name[prefix.Length..].ToLowerInvariant()] = given.Value;
            }
        }

        foreach (var (name, value) in found)
        {
            var shown = isSecret(name) ? "(secret)" : value;
            Add(new(prefix + name, shown, Find(prefix + name)!.Value.Source, meaning)
            {
                Range = "text",
                Secret = isSecret(name),
            });
        }

        return found;
    }

    /// <summary>
    /// Refuses a value that is allowed by itself but not beside the others, or that turned out not to work.
    /// <paramref name="why"/> ends the sentence that starts with the name and value, and says what to do.
    /// </summary>
    public void Refuse(string name, string why)
    {
        Invariant.Check(read.TryGetValue(name, out var setting), "only a setting that was read can be refused");
        errors.Add($"{setting.Name} is {Quoted(setting.Value)} (from {setting.Source}), {why}");
    }

    /// <summary>
    /// Called once, after every module has read its settings: throws <see cref="SettingsException"/> with every
    /// wrong value, every unreadable input and every name that no module read.
    /// </summary>
    public void Complete()
    {
        var all = layers.SelectMany(layer => layer.Errors).Concat(errors).Concat(Unknown()).ToList();
        if (all.Count > 0)
        {
            throw new SettingsException(all);
        }
    }

    private void Add(Setting setting) =>
        Invariant.Check(read.TryAdd(setting.Name, setting), $"setting {setting.Name} is read by one module only");

    private SettingValue? Find(string name)
    {
        for (var i = layers.Count - 1; i >= 0; i--)
        {
            if (layers[i].Values.TryGetValue(name, out var value))
            {
                return value;
            }
        }

        return null;
    }

    private IEnumerable<string> Unknown()
    {
        foreach (var (name, value) in layers.SelectMany(layer => layer.Values))
        {
            if (!read.ContainsKey(name))
            {
                var nearest = read.Keys.MinBy(known => Distance(known, name));
                var hint = nearest is not null && Distance(nearest, name) <= SuggestionDistanceMax
                    ? $"Did you mean {nearest}?"
                    : "Run './floodgate settings' for the list.";
                yield return $"{name} (from {value.Source}) is not a setting. {hint}";
            }
        }
    }

    /// <summary>Edits (insert, delete, replace; case ignored) between two names: Levenshtein's distance.</summary>
    private static int Distance(string left, string right)
    {
        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var same = char.ToUpperInvariant(left[i - 1]) == char.ToUpperInvariant(right[j - 1]);
                var replaced = diagonal + (same ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[right.Length];
    }

    private static bool TryLong(string text, long min, long max, out long value) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) &&
        value >= min && value <= max;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Quoted(string value) => $"\"{value}\"";
}
