using System.Text.Json;
using Floodgate.Access;
using Floodgate.Payment.Ledger;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Settlement.Batches;

/// <summary>Puts the module together.</summary>
public static class BatchesModule
{
    /// <summary>The tables of lines, runs and payouts.</summary>
    public static IReadOnlyList<Migration> Migrations => BatchesSql.Migrations;

    /// <summary>Registers the services; the loops only where the role runs them.</summary>
    public static void Add(IServiceCollection services, BatchesSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<BatchesLog>();
        services.AddSingleton<LineBook>();
        services.AddSingleton(p => new LineWorker(
            p.GetRequiredService<Database>(),
            p.GetRequiredService<IEventLog>(),
            p.GetRequiredService<LineBook>(),
            (p.GetRequiredService<LogSettings>(), p.GetRequiredService<ConsumerTools>())));
        services.AddSingleton<PolicyBook>();
        services.AddSingleton<BatchReads>();
        services.AddSingleton(p => new SettlementBook(
            p.GetRequiredService<Database>(),
            p.GetRequiredService<BatchReads>(),
            p.GetRequiredService<Journal>(),
            p.GetRequiredService<IEventLog>(),
            (settings, p.GetRequiredService<TimeProvider>())));
        services.AddSingleton(p => DailyJob(p.GetRequiredService<SettlementBook>(), settings));
        services.AddSingleton<SettlementWorker>();
        services.AddSingleton<PayoutBook>();
        services.AddSingleton<BatchesHttp>();
        services.AddSingleton(p => new SettlementChecks(
            p.GetRequiredService<LineWorker>(), p.GetRequiredService<SettlementWorker>()));
        if (runsWorker)
        {
            services.AddHostedService(p => p.GetRequiredService<LineWorker>());
            services.AddHostedService(p => p.GetRequiredService<SettlementWorker>());
        }
    }

    /// <summary>Settles the day before, at its time. What several nodes do at once is done once.</summary>
    private static Job DailyJob(SettlementBook book, BatchesSettings settings) => new(
        "settlement",
        settings.Schedule,
        async (turn, cancel) => TextOf(await book.RunBeforeAsync(turn.Due, turn.Report, cancel)));

    /// <summary>The day of a command line.</summary>
    public static bool TryParseDay(string text, out DateOnly day) => Days.TryParse(text, out day);

    /// <summary>A run as one line for people.</summary>
    public static string TextOf(SettlementRun run) =>
        $"{Days.Text(run.Day)} is settled: {run.Payouts} payouts of {run.Lines} lines";

    /// <summary>Progress as one line for people.</summary>
    public static string TextOf(SettlementProgress told) =>
        $"{Days.Text(told.Day)} {told.Step} {told.Done}, {told.Lines} lines settled";

    /// <summary>Why a day cannot be settled, and what to do.</summary>
    public static string TextOf(DateOnly day, Asked asked) => asked.Outcome switch
    {
        SettlementOutcome.InFuture => $"--date is {Days.Text(day)}, which has not begun; name a day that is over.",
        SettlementOutcome.NotOver => $"{Days.Text(day)} can be settled from {asked.From} on.",
        _ => $"Payments of {Days.Text(day)} are in the log and not read; let a server run, and try again.",
    };

    /// <summary>A run as JSON fields.</summary>
    public static void WriteFields(Utf8JsonWriter json, SettlementRun run) => BatchesJson.WriteFields(json, run);

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<BatchesHttp>().Map(routes);
}
