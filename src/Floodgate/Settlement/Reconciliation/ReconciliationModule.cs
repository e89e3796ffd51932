using System.Text.Json;
using Floodgate.Access;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>Puts the module together.</summary>
public static class ReconciliationModule
{
    /// <summary>The job that carries out what was asked for, and asks for what is new.</summary>
    public const string JobName = "reconciliation";

    private const int FindingsShown = 1_000;

    /// <summary>The tables of statements, reconciliations and findings.</summary>
    public static IReadOnlyList<Migration> Migrations => ReconciliationSql.Migrations;

    /// <summary>Registers the comparisons, the reconciler and its jobs.</summary>
    public static void Add(IServiceCollection services, ReconciliationSettings settings)
    {
        services.AddSingleton(settings);
        foreach (var comparison in Comparisons.All)
        {
            services.AddSingleton(comparison);
        }

        services.AddSingleton<StatementBook>();
        services.AddSingleton<ReconcilerBooks>();
        services.AddSingleton(p => new ReconcilerTools(
            settings, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<Ids>(),
            p.GetRequiredService<IEventLog>()));
        services.AddSingleton<Reconciler>();
        services.AddSingleton<ReconciliationHttp>();
        services.AddSingleton(p => JobOf(p, JobName, settings.Hourly, isDeep: false));
        services.AddSingleton(p => JobOf(p, "reconciliation-deep", settings.Daily, isDeep: true));
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<ReconciliationHttp>().Map(routes);

    /// <summary>
    /// Reconciles a day in this process, with every check; the report, and its first thousand findings. A simulated
    /// provider's record is in the server that runs it, so only what that one has fetched is compared.
    /// </summary>
    public static async ValueTask<(ReconciliationRun Run, IReadOnlyList<Finding> Findings)> RunDayAsync(
        IServiceProvider services, DateOnly day, Action<string> report, CancellationToken cancel)
    {
        var reconciler = services.GetRequiredService<Reconciler>();
        var from = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeMilliseconds();
        var window = new Window(from, from + (long)TimeSpan.FromDays(1).TotalMilliseconds);
        var key = $"command/{services.GetRequiredService<Ids>().Next()}";
        var (asked, _) = await reconciler.AskAsync(key, window, isDeep: true, cancel);
        var fetches = services.GetRequiredService<ProviderStatement>().IsRemote;
        var run = await reconciler.RunAsync(asked!, fetches, report, cancel);
        return (run, await reconciler.FindingsAsync(run.Id, Guid.Empty, FindingsShown, cancel));
    }

    /// <summary>Writes the fields of a reconciliation.</summary>
    public static void WriteFields(Utf8JsonWriter json, ReconciliationRun run) =>
        ReconciliationHttp.WriteFields(json, run);

    /// <summary>Writes a finding.</summary>
    public static void Write(Utf8JsonWriter json, Finding finding) => ReconciliationHttp.Write(json, finding);

    // The board is made of all jobs, so the reconciler is asked for when it is needed.
    private static Job JobOf(IServiceProvider services, string name, Schedule? schedule, bool isDeep) => new(
        name,
        schedule,
        async (turn, cancel) =>
        {
            var reconciler = services.GetRequiredService<Reconciler>();
            if (!turn.Run.IsManual || isDeep)
            {
                await reconciler.AskNextAsync(turn.Due, isDeep, cancel);
            }

            return await reconciler.WorkAsync(turn.Report, cancel);
        });
}
