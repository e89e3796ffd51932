using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Settlement.Reconciliation;
using Floodgate.Supervision;
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
        }

        WriteJson(fields);
    }

    /// <summary>Writes an object with the given fields with <c>--json</c>, else nothing.</summary>
    public void WriteJson(Action<Utf8JsonWriter> fields)
    {
        if (!isJson)
        {
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

    /// <summary>Writes the keys of a merchant.</summary>
    public void Write(IReadOnlyCollection<MerchantKey> keys) => Write(Table(keys), writer =>
    {
        writer.WriteStartArray("keys");
        foreach (var key in keys)
        {
            MerchantsHttp.Write(writer, key);
        }

        writer.WriteEndArray();
    });

    /// <summary>Writes a reconciliation with its findings.</summary>
    public void Write(ReconciliationRun run, IReadOnlyCollection<Finding> findings)
    {
        var balanced = run.IsBalanced ? "debits equal credits" : "DEBITS AND CREDITS DIFFER";
        string[] head =
        [
            $"{new UtcInstant(run.Window.FromMs)} to {new UtcInstant(run.Window.UntilMs)}: {balanced}; "
                + $"{run.Matched} of {run.Compared} movements matched; {run.Findings} findings",
            .. new[] { run.Totals, run.Detail.Trim() }.Where(line => line.Length > 0),
            .. findings.Select(finding => $"{finding.Kind} {finding.Subject}: {finding.Evidence}"),
        ];
        Write(string.Join(Environment.NewLine, head), writer =>
        {
            ReconciliationModule.WriteFields(writer, run);
            writer.WriteStartArray("found");
            foreach (var finding in findings)
            {
                ReconciliationModule.Write(writer, finding);
            }

            writer.WriteEndArray();
        });
    }

    /// <summary>Writes an order's story.</summary>
    public void Write(IReadOnlyList<StoryLine> story) => Write(
        Table(
            ["AT", "STAGE", "WHAT"],
            story.Select(line => new[] { line.At.Ms == 0 ? "" : line.At.ToString(), line.Stage, line.What })),
        writer =>
        {
            writer.WriteStartArray("story");
            foreach (var line in story)
            {
                line.Write(writer);
            }

            writer.WriteEndArray();
        });

    /// <summary>Writes a sale's totals from both sources.</summary>
    public void Write(Replay replay) => Write(
        $"payments: {replay.Payments}{Environment.NewLine}journal:  {replay.Journal}{Environment.NewLine}"
            + (replay.IsSame ? "the same, byte for byte" : "THEY DIFFER"),
        writer =>
        {
            writer.WriteBoolean("same", replay.IsSame);
            writer.WriteString("payments", replay.Payments);
            writer.WriteString("journal", replay.Journal);
        });

    private static string Table(IEnumerable<Setting> settings) => Table(
        ["SETTING", "VALUE", "UNIT", "ALLOWED", "FROM", "MEANING"],
        settings.Select(s => new[] { s.Name, s.Value, s.Unit, s.Range, s.Source, s.Meaning }));

    private static string Table(IEnumerable<MerchantKey> keys) => Table(
        ["ID", "KEY", "CREATED", "REVOKED"],
        keys.Select(key => new[]
        {
            key.Id.ToString(), $"{key.Prefix}...", key.CreatedAt.ToString(), key.RevokedAt?.ToString() ?? "",
        }));

    private static string Table(string[] head, IEnumerable<string[]> rows)
    {
        var table = rows.Prepend(head).ToList();
        var widths = head.Select((_, column) => table.Max(row => row[column].Length)).ToArray();
        return string.Join(Environment.NewLine, table.Select(row =>
            string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()));
    }
}
