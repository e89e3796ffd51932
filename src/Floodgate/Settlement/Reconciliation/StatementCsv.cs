using System.Globalization;
using System.Text;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>Which column of a file holds what; names are compared without case.</summary>
public sealed record CsvColumns(
    string Reference = "reference", string Kind = "kind", string Amount = "amount", string Currency = "currency",
    string At = "at", string Status = "status");

/// <summary>
/// Reads a provider's statement from CSV (RFC 4180: comma, quotes, a head line), a line at a time. Everything wrong is
/// told with its line; up to <see cref="FaultsMax"/> are gathered, so that one upload shows what to mend.
/// </summary>
public sealed class StatementCsv(CsvColumns columns)
{
    /// <summary>More faults than these are not listed.</summary>
    public const int FaultsMax = 20;

    /// <summary>The longest line, in bytes.</summary>
    public const int LineBytesMax = 8_192;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly List<string> faults = [];
    private List<string> fields = [];
    private int[]? places;

    /// <summary>What is wrong, each as a sentence that names its line.</summary>
    public IReadOnlyList<string> Faults => faults;

    /// <summary>Lines read, the head among them.</summary>
    public long LineNumber { get; private set; }

    /// <summary>True when reading further makes no sense.</summary>
    public bool IsHopeless { get; private set; }

    /// <summary>Takes one line without its end; the line that moves money, or null.</summary>
    public Line? Take(ReadOnlySpan<byte> bytes)
    {
        LineNumber++;
        if (LineNumber == 1 && bytes.StartsWith(Encoding.UTF8.Preamble))
        {
            bytes = bytes[3..];
        }

        string text;
        try
        {
            text = Strict.GetString(bytes.TrimEnd((byte)'\r'));
        }
        catch (DecoderFallbackException)
        {
            Add("is not UTF-8. Save the file as UTF-8");
            IsHopeless = true; // A file of another encoding is wrong in many lines.
            return null;
        }

        fields = new CsvText(text, allowsBareQuotes: true).Next(out var fault) ?? [""];
        if (fault is not null || !Rows.CanKeep(text))
        {
            Add("has a quote that does not end, or a character that no text has");
            return null;
        }

        if (places is null)
        {
            ReadHead();
            return null;
        }

        return text.Length == 0 ? null : ReadLine();
    }

    /// <summary>Notes a fault of the line that was taken last.</summary>
    public void Add(string what)
    {
        if (faults.Count < FaultsMax)
        {
            faults.Add($"Line {LineNumber} {what}.");
        }
        else
        {
            IsHopeless = true;
        }
    }

    private void ReadHead()
    {
        string[] wanted =
            [columns.Reference, columns.Kind, columns.Amount, columns.Currency, columns.At, columns.Status];
        places = [.. wanted.Select(name => fields.FindIndex(
            field => field.Trim().Equals(name, StringComparison.OrdinalIgnoreCase)))];
        var missing = wanted[..^1].Where((_, place) => places[place] < 0).ToList();
        if (missing.Count > 0)
        {
            Add($"has no column {string.Join(", ", missing)}; it has {string.Join(", ", fields)}. Name yours as " +
                "?reference=...&kind=...&amount=...&currency=...&at=...");
            IsHopeless = true;
        }
    }

    private Line? ReadLine()
    {
        var needed = places![..^1].Max();
        if (fields.Count <= needed)
        {
            Add($"has {fields.Count} fields; at least {needed + 1} are needed");
            return null;
        }

        var status = places[5] >= 0 && places[5] < fields.Count ? fields[places[5]].Trim() : "APPROVED";
        var kind = fields[places[1]].Trim().ToUpperInvariant();
        var reference = fields[places[0]].Trim();
        if (reference.Length is 0 or > 100)
        {
            Add($"has a {columns.Reference} of {reference.Length} characters; 1 to 100 are allowed");
        }
        else if (kind is not ("CHARGE" or "CAPTURE" or "REFUND" or "AUTHORIZE" or "VOID"))
        {
            Add($"has the {columns.Kind} \"{Shown(kind)}\"; write CHARGE, CAPTURE, REFUND, AUTHORIZE or VOID");
        }
        else if (!long.TryParse(
            fields[places[2]].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var amount)
            || amount > Money.AmountMinorMax)
        {
            Add($"has the {columns.Amount} \"{Shown(fields[places[2]])}\"; write minor units as a whole number");
        }
        else if (!Currency.TryParse(fields[places[3]].Trim(), out var currency))
        {
            Add($"has the {columns.Currency} \"{Shown(fields[places[3]])}\"; write a code such as KRW");
        }
        else if (!DateTimeOffset.TryParse(
            fields[places[4]].Trim(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            || at.ToUnixTimeMilliseconds() < 0)
        {
            Add($"has the {columns.At} \"{Shown(fields[places[4]])}\"; write for example 2030-01-31T23:59:59.999Z");
        }
        else if (status.Equals("APPROVED", StringComparison.OrdinalIgnoreCase) && Line.IsMoney(kind))
        {
            return new Line(LineNumber, reference, kind, new(amount, currency), new(at.ToUnixTimeMilliseconds()));
        }

        return null;
    }

    private static string Shown(string value) => value.Length <= 40 ? value : value[..40] + "...";
}
