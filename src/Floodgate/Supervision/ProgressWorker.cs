using System.Diagnostics.Metrics;
using Floodgate.Payment.Charges;
using Floodgate.Settlement.Reconciliation;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Supervision;

/// <summary>
/// Samples what only the database knows, for the metrics: how far processing is behind. Every few seconds, so that
/// a scrape costs nothing. While the database is away the last figures stay.
/// </summary>
internal sealed class ProgressWorker : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Meter meter = new("Floodgate");
    private readonly Database database;
    private readonly PaymentChecks payments;
    private readonly DeadLetters letters;
    private readonly TimeProvider time;
    private Progress progress = new(0, 0, 0, 0, false);
    private long openLetters;
    private long openFindings;

    public ProgressWorker(Database database, PaymentChecks payments, DeadLetters letters, TimeProvider time)
    {
        this.database = database;
        this.payments = payments;
        this.letters = letters;
        this.time = time;
        Gauge("floodgate_log_lag", "Events of payment-requests that are not committed.", () => progress.Lag);
        Gauge("floodgate_charges_due", "Charges and operations put off.", () => progress.Due);
        Gauge("floodgate_charges_in_flight", "Events in work.", () => payments.InFlight);
        Gauge("floodgate_dead_letters_open", "Dead letters that wait for an operator.", () => openLetters);
        Gauge("floodgate_findings_open", "Findings of reconciliations that nobody has looked at.", () => openFindings);
        Gauge("floodgate_database_connections", "Database connections in use.", () => database.OpenConnections);
        meter.CreateObservableGauge(
            "floodgate_breaker_state",
            () => payments.Breakers.Select(b => new Measurement<long>(
                b.State, new KeyValuePair<string, object?>("provider", b.Provider))),
            null,
            "Circuit breaker of a provider: 0 closed, 1 half-open, 2 open.");
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        meter.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                await SampleAsync(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async Task SampleAsync(CancellationToken stop)
    {
        try
        {
            progress = await database.ReadAsync(payments.ProgressAsync, stop);
            openLetters = await letters.CountOpenAsync(stop);
            openFindings = await database.ReadAsync(Reconciler.CountOpenAsync, stop);
        }
        catch (DatabaseUnavailableException)
        {
            // Readiness tells of it; the next sample may succeed.
        }
    }

    private void Gauge(string name, string description, Func<long> read) =>
        meter.CreateObservableGauge(name, read, null, description);
}
