using System.Text;

namespace Floodgate.Vocabulary;

/// <summary>
/// Reads comma-separated values (RFC 4180): quoted fields may hold commas, line ends and doubled quotes. Lines end with
/// CRLF or LF; empty lines are skipped.
/// </summary>
/// <param name="text">One line or many.</param>
/// <param name="allowsBareQuotes">True when a field that does not begin with a quote may have some within.</param>
public sealed class CsvText(string text, bool allowsBareQuotes = false)
{
    private int at;
    private int line = 1;

    /// <summary>The line on which the record that was read last begins.</summary>
    public int Line { get; private set; }

    /// <summary>
    /// The fields of the next record; null at the end. With a fault, those before it; the reader goes on with the next
    /// line.
    /// </summary>
    public List<string>? Next(out string? fault)
    {
        fault = null;
        while (at < text.Length)
        {
            Line = line;
            var fields = new List<string>();
            do
            {
                fields.Add(at < text.Length && text[at] == '"' ? Quoted(out fault) : Plain(out fault));
            }
            while (fault is null && TryPass(','));

            EndRecord();
            if (fields is not [""] || fault is not null)
            {
                return fields;
            }
        }

        return null;
    }

    private bool IsAtEnd => at >= text.Length || text[at] == '\n' || (text[at] == '\r' && IsLineFeed(at + 1));

    private bool IsLineFeed(int index) => index < text.Length && text[index] == '\n';

    private bool TryPass(char wanted)
    {
        if (at >= text.Length || text[at] != wanted)
        {
            return false;
        }

        at++;
        return true;
    }

    private string Plain(out string? fault)
    {
        var start = at;
        while (!IsAtEnd && text[at] != ',')
        {
            at++;
        }

        var field = text[start..at];
        fault = !allowsBareQuotes && field.Contains('"')
            ? "has a quote within a field that does not begin with one; put the whole field in quotes and double it"
            : null;
        return field;
    }

    private string Quoted(out string? fault)
    {
        var field = new StringBuilder();
        at++;
        while (at < text.Length)
        {
            var c = text[at++];
            line += c == '\n' ? 1 : 0;
            if (c != '"')
            {
                field.Append(c);
            }
            else if (TryPass('"'))
            {
                field.Append('"');
            }
            else
            {
                fault = IsAtEnd || text[at] == ',' ? null
                    : "goes on behind a quote that ends a field; double the quotes within one";
                return field.ToString();
            }
        }

        fault = "opens a quote that is never closed";
        return field.ToString();
    }

    private void EndRecord()
    {
        while (!IsAtEnd)
        {
            at++;
        }

        TryPass('\r');
        if (TryPass('\n'))
        {
            line++;
        }
    }
}
