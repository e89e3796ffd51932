using Floodgate.Load.Reports;
using Floodgate.Load.Target;

namespace Floodgate.Load.Settle;

/// <summary>
/// The same work in other ways, in the same engine and in a place of the run's own: what the database needs at least,
/// and the ladder by which such batches are made faster in the field. Every figure is better than a server of that
/// design would have: fees are a percentage, nothing is summed, and nothing could be carried on after a crash.
/// </summary>
internal sealed class SettleYardsticks(IBulkDatabase database, Session session)
{
    /// <summary>Rows of the bulk insert.</summary>
    public const int BulkRows = 100_000;

    private const int PageLines = 1_000;
    private const int RangeLines = 20_000;
    private const int Threads = 4;
    private const int EachRows = 1_000;
    private const string SettledColumns = "day, account_id, event_id, line, amount, fee";
    private const string Key = "(day, account_id, event_id, line)";
    private const string Fee = "amount * 350 / 10000";
    private readonly string scratch = database.Scratch;

    /// <summary>Seconds of one insert from a select of a day's lines, into a table with the server's key.</summary>
    public double Raw(long day)
    {
        session.Tell("yardstick: one raw insert .. select of the same rows");
        CreateSettled("raw");
        var seconds = Measure(() => database.Run($"""
            insert into {scratch}.raw ({SettledColumns})
            select day, account_id, event_id, line, amount, 0 from settlement_line where day = {day}
            """));
        database.Run($"drop table {scratch}.raw");
        return seconds;
    }

    /// <summary>Seconds of writing 100,000 rows by bulk copy; rows per second of writing each by itself.</summary>
    public (double BulkSeconds, double EachPerSecond) Insert(SettleMarket market, long day)
    {
        session.Tell($"yardstick: bulk insert of {BulkRows} rows, then {EachRows} rows with a commit each");
        CreateSettled("bulk");
        CreateSettled("each");
        var rows = market.LinesOf(day, BulkRows).Select(line => RowOf(day, line)).ToList();
        var bulk = Measure(() => database.Copy(Table("bulk"), rows, WriteRow));
        var each = Measure(() => database.InsertEach(Table("each"), rows.Take(EachRows), WriteRow));
        Check("bulk", BulkRows);
        Check("each", EachRows);
        return (bulk, EachRows / each);
    }

    /// <summary>The ladder on so many lines: lines per second of each design.</summary>
    public IReadOnlyList<(string Design, int Workers, double PerSecond)> Ladder(
        SettleMarket market, long day, int lines)
    {
        database.Run($"""
            create table {scratch}.line (day bigint not null, account_id bigint not null,
                event_id {database.IdType} not null, line bigint not null, amount bigint not null,
                primary key (day, account_id, event_id, line)) {database.Clustered}
            """);
        database.Copy(
            new($"{scratch}.line", "day, account_id, event_id, line, amount"),
            market.LinesOf(day, lines).Select(line => RowOf(day, line)),
            static (writer, row) => row.WriteTo(writer));
        if (database.Analyze is { Length: > 0 } analyze)
        {
            database.Run($"{analyze} {scratch}.line");
        }

        return
        [
            Climb("pages of 1,000 by OFFSET", 1, "offsets", ByOffset),
            Climb("pages of 1,000 by key", 1, "keys", table => ByKey(database, table, (null, null))),
            Climb("pages of 1,000 by key, in threads", Threads, "threads", InThreads),
            Climb("ranges of 20,000, set-based", 1, "ranges", InRanges),
        ];

        (string, int, double) Climb(string design, int workers, string table, Action<string> settle)
        {
            session.Tell($"yardstick: {lines} lines in {design}");
            CreateSettled(table);
            var seconds = Measure(() => settle(table));
            Check(table, lines);
            return (design, workers, lines / seconds);
        }
    }

    private void ByOffset(string table)
    {
        for (var offset = 0; ; offset += PageLines)
        {
            var page = database.Query(
                $"select day, account_id, event_id, line, amount from {scratch}.line "
                    + $"order by day, account_id, event_id, line limit {PageLines} offset {offset}",
                Row.Of);
            if (page.Count == 0)
            {
                return;
            }

            database.Copy(Table(table), page, WriteRow);
        }
    }

    private void ByKey(IBulkDatabase connection, string table, (Row? After, Row? Until) part)
    {
        var after = part.After;
        while (true)
        {
            var page = connection.Query(
                $"select day, account_id, event_id, line, amount from {scratch}.line "
                    + $"where {Between(after, part.Until)} order by day, account_id, event_id, line limit {PageLines}",
                Row.Of);
            if (page.Count == 0)
            {
                return;
            }

            connection.Copy(Table(table), page, WriteRow);
            after = page[^1];
        }
    }

    // Parts of one size by key: parts by merchant would leave all but one thread waiting for the largest.
    private void InThreads(string table)
    {
        var total = database.Query($"select count(*) from {scratch}.line", row => row.Long(0))[0];
        var ends = Enumerable.Range(1, Threads - 1).Select(part => Boundary(null, total * part / Threads)).ToList();
        Row?[] edges = [null, .. ends, null];
        Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, part =>
        {
            using var connection = database.Another();
            ByKey(connection, table, (edges[part], edges[part + 1]));
        });
    }

    private void InRanges(string table)
    {
        Row? after = null;
        Row? last;
        do
        {
            last = Boundary(after, RangeLines);
            database.Run($"""
                insert into {scratch}.{table} ({SettledColumns})
                select day, account_id, event_id, line, amount, {Fee} from {scratch}.line where {Between(after, last)}
                """);
            after = last;
        }
        while (last is not null);
    }

    /// <summary>The line that is so many behind another; null when there are fewer.</summary>
    private Row? Boundary(Row? after, long lines)
    {
        var found = database.Query(
            $"select day, account_id, event_id, line, amount from {scratch}.line where {Between(after, null)} "
                + $"order by day, account_id, event_id, line limit 1 offset {lines - 1}",
            Row.Of);
        return found.Count == 0 ? null : found[0];
    }

    private string Between(Row? after, Row? until)
    {
        var (above, below) = (after is { } low ? $"{Key} > {Place(low)}" : "1 = 1",
            until is { } high ? $" and {Key} <= {Place(high)}" : "");
        return above + below;
    }

    private string Place(Row row) => $"({row.Day}, {row.Account}, {database.Literal(row.EventId)}, {row.Line})";

    private BulkTable Table(string name) => new($"{scratch}.{name}", SettledColumns);

    private void CreateSettled(string name) => database.Run($"""
        create table {scratch}.{name} (day bigint not null, account_id bigint not null,
            event_id {database.IdType} not null, line bigint not null, amount bigint not null, fee bigint not null,
            primary key (day, account_id, event_id, line)) {database.Clustered}
        """);

    private void Check(string table, long rows)
    {
        var found = database.Query($"select count(*) from {scratch}.{table}", row => row.Long(0))[0];
        if (found != rows)
        {
            throw new CannotRunException(
                $"yardstick {table} wrote {found} rows, not {rows}; its figure means nothing.");
        }
    }

    private double Measure(Action work)
    {
        var start = session.Time.GetTimestamp();
        work();
        return session.Time.GetElapsedTime(start).TotalSeconds;
    }

    private static Row RowOf(long day, SettleLine line) =>
        new(day, line.Merchant + 1, line.EventId, line.Number, line.Amount);

    private static void WriteRow(IBulkWriter writer, Row row)
    {
        row.WriteTo(writer);
        writer.Write(row.Amount * 350 / 10_000);
    }

    private readonly record struct Row(long Day, long Account, Guid EventId, long Line, long Amount)
    {
        public static Row Of(IBulkRow row) => new(row.Long(0), row.Long(1), row.Id(2), row.Long(3), row.Long(4));

        public void WriteTo(IBulkWriter writer)
        {
            writer.Write(Day);
            writer.Write(Account);
            writer.Write(EventId);
            writer.Write(Line);
            writer.Write(Amount);
        }
    }
}
