using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>What a command tells its caller: text for people, or one JSON object with <c>--json</c>.</summary>
internal sealed class Report(TextWriter output, bool isJson)
{
    private static readonly JsonWriterOptions JsonOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes the text, or an object with the given fields.</summary>
    public void Write(string text, Action<Utf8JsonWriter> fields)
    {
        if (!isJson)
        {
            output.WriteLine(text);
            return;
        }

        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, JsonOptions))
        {
            writer.WriteStartObject();
            fields(writer);
            writer.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    /// <summary>Writes every setting with its value in force.</summary>
    public void Write(IReadOnlyCollection<Setting> settings) => Write(Table(settings), writer =>
    {
        writer.WriteStartArray("settings");
        foreach (var setting in settings)
        {
            writer.WriteStartObject();
            writer.WriteString("name", setting.Name);
            writer.WriteString("value", setting.Value);
            writer.WriteString("source", setting.Source);
            writer.WriteString("unit", setting.Unit);
            writer.WriteString("range", setting.Range);
            writer.WriteString("meaning", setting.Meaning);
            writer.WriteBoolean("secret", setting.Secret);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static string Table(IEnumerable<Setting> settings)
    {
        var rows = settings.Select(s => new[] { s.Name, s.Value, s.Unit, s.Range, s.Source, s.Meaning });
        var table = rows.Prepend(["SETTING", "VALUE", "UNIT", "ALLOWED", "FROM", "MEANING"]).ToList();
        var widths = Enumerable.Range(0, 6).Select(column => table.Max(row => row[column].Length)).ToArray();
        return string.Join(Environment.NewLine, table.Select(row =>
            string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()));
    }
}
