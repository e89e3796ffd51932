using System.CommandLine;
using Floodgate.Settlement.Batches;
using Floodgate.Settlement.Reconciliation;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Supervision;

namespace Floodgate;

/// <summary>The commands about books: settle a day, reconcile it, tell of an order or a sale.</summary>
internal sealed class BookCommands(
    TextWriter error,
    Func<ParseResult, Settings> load,
    Func<ParseResult, Report> reportTo,
    Func<string, Task<int>> refuseUsageAsync)
{
    private readonly Option<string> date = new("--date")
    {
        Description = "The day, such as 2026-11-25, in the zone of Settlement:Zone.", HelpName = "DAY", Required = true,
    };

    private readonly Option<string> utcDate = new("--date")
    {
        Description = "The day, in UTC: YYYY-MM-DD.", HelpName = "DATE", Required = true,
    };

    private readonly Option<Guid?> auditOrder = new("--order")
    {
        Description = "The order whose story is told.", HelpName = "ID",
    };

    private readonly Option<Guid?> auditReplay = new("--replay")
    {
        Description = "The sale whose totals are rebuilt and compared; it ends with 1 when they differ.",
        HelpName = "SALEID",
    };

    /// <summary>Settles a day.</summary>
    public Command Settle => Program.Of(
        "settle", "Settle a day, and every earlier one that is open; a settled day stays as it is.", [date],
        SettleAsync);

    /// <summary>Compares a day's books.</summary>
    public Command Reconcile => Program.Of(
        "reconcile", "Compare a day's payments, ledger, orders and statements; it ends with 1 on findings.", [utcDate],
        ReconcileAsync);

    /// <summary>Tells of one order, or rebuilds a sale's totals.</summary>
    public Command Audit => Program.Of(
        "audit",
        "One order's whole story from the database, or a sale's totals rebuilt from the journal. (What a load run did "
            + "is checked by './floodgate load audit'.)",
        [auditOrder, auditReplay],
        AuditAsync);

    private async Task<int> SettleAsync(ParseResult parsed)
    {
        if (!BatchesModule.TryParseDay(parsed.GetRequiredValue(date), out var day))
        {
            return await refuseUsageAsync("--date must be a day such as 2026-11-25.");
        }

        var settings = load(parsed);
        using var stop = new StopSignal();
        await using var database = await Program.OpenAsync(settings);
        var log = new EmbeddedLog(database, settings.Log, TimeProvider.System);
        await log.CreateTopicsAsync(Roles.Topics, stop.Token);
        var book = SettlementBook.Over(database, log, settings.Settlement, TimeProvider.System);
        Asked asked;
        try
        {
            asked = await book.RunAsync(day, told => error.WriteLine(BatchesModule.TextOf(told)), stop.Token);
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("Stopped; the same command goes on from here.");
            return ExitCode.TryAgain;
        }

        if (asked.Run is not { } run)
        {
            await error.WriteLineAsync(BatchesModule.TextOf(day, asked));
            return asked.Outcome == SettlementOutcome.InFuture ? ExitCode.Usage : ExitCode.TryAgain;
        }

        reportTo(parsed).Write(
            BatchesModule.TextOf(run), json => BatchesModule.WriteFields(json, run));
        return 0;
    }

    private async Task<int> ReconcileAsync(ParseResult parsed)
    {
        if (!BatchesModule.TryParseDay(parsed.GetRequiredValue(utcDate), out var day))
        {
            return await refuseUsageAsync("--date must be a day such as 2030-01-31.");
        }

        // Put together and not started: it works beside servers that run, and as one that does not.
        await using var app = Server.Build(load(parsed), TimeProvider.System, Stream.Null);
        await app.Services.GetRequiredService<Database>().MigrateAsync(Roles.Migrations, CancellationToken.None);
        await LogModule.StartAsync(app.Services, CancellationToken.None);
        var (run, findings) = await ReconciliationModule.RunDayAsync(
            app.Services, day, line => error.WriteLine(line), CancellationToken.None);
        reportTo(parsed).Write(run, findings);
        return run.Findings == 0 ? 0 : ExitCode.Findings;
    }

    private async Task<int> AuditAsync(ParseResult parsed)
    {
        var (order, sale) = (parsed.GetValue(auditOrder), parsed.GetValue(auditReplay));
        if (order is null == sale is null)
        {
            return await refuseUsageAsync("Give --order ID or --replay SALEID, one of them.");
        }

        await using var app = Server.Build(load(parsed), TimeProvider.System, Stream.Null);
        await app.Services.GetRequiredService<Database>().MigrateAsync(Roles.Migrations, CancellationToken.None);
        var book = app.Services.GetRequiredService<StoryBook>();
        if (sale is { } saleId)
        {
            var replay = await book.ReplayAsync(saleId, CancellationToken.None);
            reportTo(parsed).Write(replay);
            return replay.IsSame ? 0 : ExitCode.Findings;
        }

        if (await book.TellAsync(order!.Value, CancellationToken.None) is not { } story)
        {
            return await refuseUsageAsync("--order names no order of this database.");
        }

        reportTo(parsed).Write(story);
        return 0;
    }
}
