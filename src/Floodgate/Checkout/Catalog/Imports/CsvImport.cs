using System.Globalization;
using System.Text;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>
/// Reads a CSV file: its first line names the columns, in any order; <c>kind</c> says what a line is, and the columns
/// that its kind does not take are empty. Prices and rows of a product are lines of their own.
/// </summary>
internal sealed class CsvImport
{
    // What each kind of line takes; what is needed is checked where it is used.
    private static readonly Dictionary<string, string[]> Kinds = new(StringComparer.Ordinal)
    {
        ["sale"] = ["sale", "merchantId", "name", "currency", "opensAt", "endsAt", "version"],
        ["product"] =
        [
            "sale", "product", "merchantId", "name", "currency", "stock", "price", "limitPerBuyer", "commissionClass",
            "version",
        ],
        ["tier"] = ["sale", "product", "tier", "price"],
        ["row"] = ["sale", "product", "section", "row", "seats", "tier"],
    };

    private static readonly string[] Columns = ["kind", .. Kinds.Values.SelectMany(taken => taken).Distinct()];

    private readonly FaultList faults;
    private readonly List<ImportedSale> sales = [];
    private readonly Dictionary<(string Sale, string Product), ProductLines> products = [];
    private readonly List<ProductLines> inOrder = [];
    private readonly List<Line> parts = [];

    private CsvImport(FaultList faults) => this.faults = faults;

    /// <summary>What the file says.</summary>
    public static ImportFile Read(ReadOnlySpan<byte> bytes, FaultList faults)
    {
        var import = new CsvImport(faults);
        import.ReadLines(new(Encoding.UTF8.GetString(bytes)));
        return import.Build();
    }

    private void ReadLines(CsvText text)
    {
        var head = text.Next(out var fault);
        if (head is null || fault is not null || !IsHead(head, text.Line))
        {
            if (head is null || fault is not null)
            {
                faults.Add("line 1", ImportCodes.Malformed, $"The first line must name the columns: {List(Columns)}.");
            }

            return;
        }

        while (text.Next(out fault) is { } fields)
        {
            if (fault is not null || fields.Count != head.Count)
            {
                faults.Add($"line {text.Line}", ImportCodes.Malformed, fault is not null ? $"The line {fault}."
                    : $"The line has {fields.Count} fields, but the first line names {head.Count} columns.");
                continue;
            }

            ReadLine(new(this, text.Line, head.Zip(fields).ToDictionary(pair => pair.First, pair => pair.Second)));
        }
    }

    private bool IsHead(List<string> head, int line)
    {
        foreach (var column in head.Where(column => !Columns.Contains(column)))
        {
            faults.Add($"line {line}", ImportCodes.UnknownColumn,
                $"There is no column {Shortened(column)}. The columns are {List(Columns)}, separated by commas.");
        }

        foreach (var column in new[] { "kind", "sale" }.Where(column => !head.Contains(column)))
        {
            faults.Add($"line {line}", ImportCodes.MissingColumn, $"The column {column} is missing.");
        }

        foreach (var column in head.CountBy(column => column).Where(column => column.Value > 1))
        {
            faults.Add($"line {line}", ImportCodes.Duplicate, $"The column {Shortened(column.Key)} is there twice.");
        }

        return faults.Count == 0;
    }

    private void ReadLine(Line line)
    {
        if (!Kinds.TryGetValue(line.Text("kind"), out var taken))
        {
            line.Refuse("kind", $"is {Shortened(line.Text("kind"))}; it must be {List([.. Kinds.Keys])}.");
            return;
        }

        foreach (var column in line.Filled.Where(column => column != "kind" && !taken.Contains(column)))
        {
            line.Refuse(column, $"must be empty: a line of kind {line.Text("kind")} does not take it.");
        }

        switch (line.Text("kind"))
        {
            case "sale":
                ReadSale(line);
                break;
            case "product":
                ReadProduct(line);
                break;
            default:
                parts.Add(line); // Its product may come later.
                break;
        }
    }

    private void ReadSale(Line line)
    {
        var (opens, ends, version) = (line.Instant("opensAt"), line.Instant("endsAt"), line.Long("version"));
        if (line.IsGood)
        {
            sales.Add(new(
                field => ($"line {line.Number}", field == "ref" ? "sale" : field),
                line.Text("sale"),
                new(
                    line.Text("name"), line.Text("currency"), opens, ends, line.TextOrNull("merchantId"), version)));
        }
    }

    private void ReadProduct(Line line)
    {
        var lines = new ProductLines(line)
        {
            Stock = line.Long("stock"),
            Price = line.Long("price"),
            Limit = line.Long("limitPerBuyer"),
            Version = line.Long("version"),
        };
        if (lines.Limit > int.MaxValue)
        {
            line.Refuse("limitPerBuyer", $"is {lines.Limit}; it must be from 1 to {CatalogRequests.LimitPerBuyerMax}.");
        }

        inOrder.Add(lines);
        if (!products.TryAdd(line.ProductKey, lines))
        {
            line.Refuse(
                "product", $"is {line.Text("product")} a second time in sale {line.Text("sale")}.",
                ImportCodes.Duplicate);
        }
    }

    private ImportFile Build()
    {
        var known = sales.Select(sale => sale.Ref).ToHashSet();
        foreach (var part in parts)
        {
            AddPart(part);
        }

        var good = new List<ImportedProduct>();
        foreach (var product in inOrder)
        {
            if (!known.Contains(product.Line.Text("sale")))
            {
                product.Line.Refuse(
                    "sale", $"is {product.Line.Text("sale")}, but no good line of kind sale has that.",
                    ImportCodes.UnknownSale);
            }

            if (product.Line.IsGood)
            {
                good.Add(product.Build());
            }
        }

        return new(sales, good);
    }

    private void AddPart(Line line)
    {
        if (!products.TryGetValue(line.ProductKey, out var product))
        {
            line.Refuse(
                "product",
                $"is {line.Text("product")}, but no good line of kind product has that in sale {line.Text("sale")}.",
                ImportCodes.UnknownProduct);
            return;
        }

        if (line.Text("kind") == "tier")
        {
            product.Tiers.Add((line.Number, new(line.Text("tier"), line.Needed("price"))));
        }
        else
        {
            var seats = (int)Math.Clamp(line.Needed("seats"), int.MinValue, int.MaxValue);
            product.Rows.Add((
                line.Number,
                new(line.Text("section"), line.Text("row"), seats, line.TextOrNull("tier") ?? "standard")));
        }

        product.Line.IsGood &= line.IsGood; // Else its absence would be told as further faults.
    }

    private static string List(string[] words) => string.Join(", ", words);

    private static string Shortened(string text) => text.Length <= 40 ? text : $"{text[..40]}...";

    /// <summary>A line by its columns. It is good until it is refused.</summary>
    private sealed class Line(CsvImport import, int number, Dictionary<string, string> cells)
    {
        public int Number => number;

        public bool IsGood { get; set; } = true;

        public (string Sale, string Product) ProductKey => (Text("sale"), Text("product"));

        public IEnumerable<string> Filled => cells.Where(cell => cell.Value.Length > 0).Select(cell => cell.Key);

        public string Text(string column) => cells.GetValueOrDefault(column, "");

        public string? TextOrNull(string column) => Text(column) is { Length: > 0 } text ? text : null;

        public long? Long(string column)
        {
            if (TextOrNull(column) is not { } text)
            {
                return null;
            }

            if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
            {
                return value;
            }

            Refuse(column, $"is {Shortened(text)}; it must be a whole number.");
            return null;
        }

        public long Needed(string column)
        {
            if (TextOrNull(column) is null)
            {
                Refuse(column, $"is empty; a line of kind {Text("kind")} needs it.");
            }

            return Long(column) ?? 0;
        }

        public DateTimeOffset Instant(string column)
        {
            // With its offset, or it would mean another moment on each machine.
            if (DateTimeOffset.TryParseExact(
                Text(column), "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture, DateTimeStyles.None,
                out var value)
                && (Text(column).EndsWith('Z') || Text(column).LastIndexOfAny(['+', '-']) > "yyyy-MM-dd".Length))
            {
                return value;
            }

            Refuse(column, $"is {Shortened(Text(column))}; it must be like 2026-03-01T10:00:00Z or ...10:00:00+09:00.");
            return default;
        }

        public void Refuse(string column, string says, string? code = null)
        {
            IsGood = false;
            import.faults.Add($"line {number}", code ?? ImportCodes.InvalidField, $"{column} {says}");
        }
    }

    /// <summary>A product with its prices and rows, each with its line.</summary>
    private sealed class ProductLines(Line line)
    {
        public Line Line => line;

        public long? Stock { get; init; }

        public long? Price { get; init; }

        public long? Limit { get; init; }

        public long? Version { get; init; }

        public List<(int Line, TierBody Tier)> Tiers { get; } = [];

        public List<(int Line, SeatRowBody Row)> Rows { get; } = [];

        public ImportedProduct Build() => new(
            PlaceOf,
            line.Text("product"),
            line.Text("sale"),
            new(
                Guid.Empty,
                line.Text("name"),
                line.TextOrNull("merchantId"),
                Stock,
                Price,
                Tiers.Count > 0 ? Tiers.ConvertAll(tier => tier.Tier) : null,
                Rows.Count > 0 ? Rows.ConvertAll(row => row.Row) : null,
                (int?)Limit,
                line.TextOrNull("commissionClass") ?? "standard"),
            Version,
            line.TextOrNull("currency"));

        // From tiers[2].amount to the line of the third price and the column in which it is.
        private (string At, string Field) PlaceOf(string field)
        {
            var (open, close) = (field.IndexOf('['), field.IndexOf(']'));
            if (open < 0)
            {
                return ($"line {line.Number}", field == "ref" ? "product" : field);
            }

            var n = int.Parse(field.AsSpan(open + 1, close - open - 1), CultureInfo.InvariantCulture);
            var name = field[(close + 2)..];
            return field[..open] == "tiers"
                ? ($"line {Tiers[n].Line}", name == "name" ? "tier" : "price")
                : ($"line {Rows[n].Line}", name);
        }
    }
}
