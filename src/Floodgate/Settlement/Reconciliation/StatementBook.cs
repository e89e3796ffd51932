using System.Buffers;
using System.IO.Pipelines;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>What came of an upload.</summary>
/// <param name="Statement">The statement; null when it was refused.</param>
/// <param name="Faults">What is wrong, by line; nothing of the file was kept.</param>
/// <param name="IsReplay">True when a statement of this key was loaded before.</param>
public sealed record Upload(LoadedStatement? Statement, IReadOnlyList<string> Faults, bool IsReplay = false)
{
    /// <summary>True when another upload of this key has not ended yet.</summary>
    public bool IsUnderWay { get; init; }
}

/// <summary>
/// The provider's statements: fetched from it, a page at a time, from where the last time ended; or uploaded. Lines are
/// compared when, and only when, their statement is whole.
/// </summary>
public sealed class StatementBook(Database database, ProviderStatement provider, Ids ids, TimeProvider time)
{
    private const int BatchLines = 10_000;
    private const int PageLines = 1_000;
    private const string ApiKey = "api";
    private static readonly TimeSpan StaleAfter = TimeSpan.FromHours(24);

    /// <summary>
    /// Fetches what is new at the provider. False when it could not be asked to the end: then only what was fetched
    /// before counts as covered.
    /// </summary>
    public async ValueTask<bool> FetchAsync(CancellationToken cancel)
    {
        var startedMs = UtcInstant.Now(time).Ms;
        var statement = await OpenAsync(cancel);
        for (var hasMore = true; hasMore;)
        {
            var lines = new List<StatementLine>();
            while (hasMore && lines.Count < BatchLines)
            {
                Guid? after = lines.Count > 0 ? lines[^1].Id : statement.Cursor == Guid.Empty ? null : statement.Cursor;
                if (await provider.ReadAsync(after, PageLines, cancel) is not { } page)
                {
                    return false;
                }

                lines.AddRange(page.Lines);
                hasMore = page.HasMore;
            }

            statement = await AppendAsync(statement, lines, hasMore ? null : startedMs, cancel);
        }

        return true;
    }

    /// <summary>
    /// Takes a file as it comes in, in bounded memory. Refused as a whole when anything in it is wrong; the same key
    /// answers the statement that was loaded with it.
    /// </summary>
    public async ValueTask<Upload> TakeAsync(
        string key, PipeReader body, CsvColumns columns, Window? covers, CancellationToken cancel)
    {
        var statement = new LoadedStatement(ids.Next(), "CSV", covers ?? default, 0, Guid.Empty);
        if (await BeginAsync(statement, $"csv/{key}", cancel) is { } earlier)
        {
            return earlier;
        }

        try
        {
            var csv = new StatementCsv(columns);
            var taken = await ReadAsync(body, csv, statement.Id, cancel);
            var faults = csv.Faults.ToList();
            if (faults.Count == 0)
            {
                faults.AddRange((await database.ReadAsync(
                    tx => ReconciliationSql.SelectTwinsAsync(tx, statement.Id), cancel))
                    .Select(twin => $"Line {twin.Last} is the same as line {twin.First}; send each once."));
            }

            if (faults.Count == 0 && csv.LineNumber == 0)
            {
                faults.Add("The file is empty; its first line names the columns.");
            }

            if (faults.Count > 0)
            {
                await ForgetAsync(statement.Id);
                return new(null, faults);
            }

            var whole = statement with { Lines = taken.Lines, Covers = covers ?? taken.Covers };
            await database.WriteAsync(
                tx =>
                {
                    ReconciliationSql.Update(tx, whole);
                    return ValueTask.FromResult(0);
                },
                CancellationToken.None);
            return new(whole, []);
        }
        catch
        {
            // Rethrown: a body that broke off, or was too large, leaves nothing of itself.
            await ForgetAsync(statement.Id);
            throw;
        }
    }

    /// <summary>Removes what uploads that died have left.</summary>
    public async ValueTask SweepAsync(CancellationToken cancel)
    {
        var before = UtcInstant.Now(time).Plus(-StaleAfter).Ms;
        foreach (var id in await database.ReadAsync(tx => ReconciliationSql.SelectStaleAsync(tx, before), cancel))
        {
            await ForgetAsync(id);
        }
    }

    private async ValueTask<LoadedStatement> OpenAsync(CancellationToken cancel) => await database.WriteAsync(
        async tx =>
        {
            var first = new LoadedStatement(ids.Next(), "API", default, 0, Guid.Empty);
            await ReconciliationSql.InsertAsync(tx, first, ApiKey, "LOADED", UtcInstant.Now(time).Ms);
            return (await ReconciliationSql.LockAsync(tx, ApiKey))!.Value.Statement;
        },
        cancel);

    private async ValueTask<LoadedStatement> AppendAsync(
        LoadedStatement statement, List<StatementLine> fetched, long? coveredMs, CancellationToken cancel) =>
        await database.WriteAsync(
            async tx =>
            {
                // Another may have fetched the same lines meanwhile: its cursor has moved, and these are not added.
                var known = (await ReconciliationSql.LockAsync(tx, ApiKey))!.Value.Statement;
                if (known.Cursor != statement.Cursor)
                {
                    return known;
                }

                List<Line> lines =
                [
                    .. fetched.Where(line => line.IsApproved && Line.IsMoney(line.Kind)).Select((line, i) => new Line(
                        known.Lines + i + 1, line.Id.ToString(), line.Kind, line.Amount, line.At)),
                ];
                var longer = known with
                {
                    Lines = known.Lines + lines.Count,
                    Cursor = fetched.Count == 0 ? known.Cursor : fetched[^1].Id,
                    Covers = coveredMs is { } until ? new(0, Math.Max(until, known.Covers.UntilMs)) : known.Covers,
                };
                await ReconciliationSql.InsertAsync(tx, statement.Id, lines);
                ReconciliationSql.Update(tx, longer);
                return longer;
            },
            cancel);

    private async ValueTask<Upload?> BeginAsync(LoadedStatement statement, string key, CancellationToken cancel) =>
        await database.WriteAsync(
            async tx =>
            {
                var nowMs = UtcInstant.Now(time).Ms;
                if (await ReconciliationSql.InsertAsync(tx, statement, key, "LOADING", nowMs))
                {
                    return null;
                }

                var earlier = (await ReconciliationSql.LockAsync(tx, key))!.Value;
                return earlier.IsLoaded
                    ? new Upload(earlier.Statement, [], IsReplay: true)
                    : new Upload(null, []) { IsUnderWay = true };
            },
            cancel);

    private async ValueTask<(long Lines, Window Covers)> ReadAsync(
        PipeReader body, StatementCsv csv, Guid statement, CancellationToken cancel)
    {
        var batch = new List<Line>(BatchLines);
        var (count, least, most) = (0L, long.MaxValue, 0L);
        while (!csv.IsHopeless)
        {
            var read = await body.ReadAsync(cancel);
            var rest = read.Buffer;
            while (!csv.IsHopeless && Cut(ref rest, read.IsCompleted) is { } text)
            {
                if (text.Length > StatementCsv.LineBytesMax)
                {
                    csv.Add($"is longer than {StatementCsv.LineBytesMax} bytes");
                }
                else if (csv.Take(text.IsSingleSegment ? text.FirstSpan : text.ToArray()) is { } line)
                {
                    batch.Add(line);
                    (least, most) = (Math.Min(least, line.At.Ms), Math.Max(most, line.At.Ms));
                }
            }

            var isTooLong = rest.Length > StatementCsv.LineBytesMax;
            body.AdvanceTo(rest.Start, rest.End);
            if (isTooLong)
            {
                csv.Add($"has more than {StatementCsv.LineBytesMax} bytes behind it without an end");
                break;
            }

            count += await StoreAsync(batch, csv, statement, isLast: read.IsCompleted, cancel);
            if (read.IsCompleted)
            {
                break;
            }
        }

        return (count, count == 0 ? default : new(least, most + 1));
    }

    private async ValueTask<long> StoreAsync(
        List<Line> batch, StatementCsv csv, Guid statement, bool isLast, CancellationToken cancel)
    {
        if (csv.Faults.Count > 0)
        {
            batch.Clear(); // Nothing of it will be kept; the rest is read for its faults only.
        }

        if (batch.Count == 0 || (batch.Count < BatchLines && !isLast))
        {
            return 0;
        }

        var count = batch.Count;
        await database.WriteAsync(
            async tx =>
            {
                await ReconciliationSql.InsertAsync(tx, statement, batch);
                return 0;
            },
            cancel);
        batch.Clear();
        return count;
    }

    /// <summary>The next line without its end; null when it is not there whole.</summary>
    private static ReadOnlySequence<byte>? Cut(ref ReadOnlySequence<byte> rest, bool isLast)
    {
        if (rest.PositionOf((byte)'\n') is { } end)
        {
            var line = rest.Slice(0, end);
            rest = rest.Slice(rest.GetPosition(1, end));
            return line;
        }

        if (!isLast || rest.IsEmpty)
        {
            return null;
        }

        var last = rest;
        rest = rest.Slice(rest.End);
        return last;
    }

    private async ValueTask ForgetAsync(Guid statement)
    {
        while (await database.WriteAsync(tx => ReconciliationSql.DeleteLinesAsync(tx, statement)) > 0)
        {
            // A chunk at a time: other writers get their turn.
        }

        await database.WriteAsync(tx =>
        {
            ReconciliationSql.DeleteStatement(tx, statement);
            return ValueTask.FromResult(0);
        });
    }
}
