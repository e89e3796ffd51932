using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// Sends what is due, so many at once in all and to each endpoint, and holds no connection of the database meanwhile. A
/// delivery is marked only by what its call brought: one that was on its way at a stop or crash is sent again, with the
/// same <c>webhook-id</c>. Where several workers serve a database one of them sends. Also gives up what waits for
/// closed endpoints, and sweeps what is past its time.
/// </summary>
internal sealed class WebhookSender : BackgroundService
{
    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TidyEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan HeldBack = TimeSpan.FromMinutes(1);

    private readonly DeliveryBook book;
    private readonly WebhookClient client;
    private readonly WebhooksSettings settings;
    private readonly WebhookSenderTools tools;
    private readonly InFlight inFlight = new();
    private readonly Signal wake = new();

    // The loop's own.
    private long? tidiedAt;
    private long? sweptAt;

    // Set by calls that closed an endpoint.
    private volatile bool hasClosed;

    public WebhookSender(
        DeliveryBook book,
        WebhookBook webhooks,
        WebhookClient client,
        WebhooksSettings settings,
        WebhookSenderTools tools)
    {
        this.book = book;
        this.client = client;
        this.settings = settings;
        this.tools = tools;
        book.Added += wake.Set;
        webhooks.Added += wake.Set;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        wake.Set();
        try
        {
            while (true)
            {
                await wake.WaitAsync(LongestNap, tools.Time, stoppingToken);
                await TurnAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end. Calls are broken off by the same stop; answers that came are still recorded.
        }

        while (inFlight.Count > 0 && await wake.WaitAsync(LongestNap, tools.Time, CancellationToken.None))
        {
            // Each call that ends rings.
        }

        await LeaveAsync();
    }

    private async Task LeaveAsync()
    {
        try
        {
            await (tools.Right?.LeaveAsync() ?? ValueTask.CompletedTask);
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.Paused(error.Message); // It comes to its end by itself.
        }
    }

    private async Task TurnAsync(CancellationToken stop)
    {
        try
        {
            if (tools.Right is { } right && !await right.KeepAsync(stop))
            {
                return;
            }

            await TidyAsync(stop);
            var room = settings.InFlightMax - inFlight.Count;
            foreach (var call in room > 0 ? await book.DueAsync(inFlight, room, stop) : [])
            {
                inFlight.Add(call.Delivery);
                _ = SendAsync(call, stop);
            }
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.Paused(error.Message);
        }
        catch (Exception error) // The edge of the loop: the next turn may succeed, and must not be lost.
            when (!stop.IsCancellationRequested)
        {
            tools.Log.TurnFailed(error);
        }
    }

    private async Task SendAsync(WebhookCall call, CancellationToken stop)
    {
        try
        {
            var result = await client.PostAsync(call, stop);
            var step = RetrySchedule.After(
                call.Delivery.Attempts + 1, result, tools.Time.GetUtcNow().ToUnixTimeMilliseconds(), tools.Chance());
            await book.RecordAsync(new Tried(call.Delivery, result, step));
            if (result.IsGone)
            {
                hasClosed = true;
            }

            tools.Log.Called(call.Delivery, result, step);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nothing is marked: it is sent again at the next start.
        }
        catch (Exception error) // The edge of one delivery: it is held back, or it would be sent again at once.
            when (!stop.IsCancellationRequested)
        {
            tools.Log.CallFailed(error, call.Delivery.Id);
            await Task.Delay(HeldBack, tools.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            inFlight.Remove(call.Delivery);
            wake.Set();
        }
    }

    private async Task TidyAsync(CancellationToken stop)
    {
        if (hasClosed || IsOver(tidiedAt, TidyEvery))
        {
            hasClosed = false;
            tidiedAt = tools.Time.GetTimestamp();
            WebhooksLog.CountGivenUp(await book.CloseWaitingAsync(stop));
            tools.Log.Pending = await book.CountPendingAsync(stop);
        }

        if (IsOver(sweptAt, SweepEvery))
        {
            sweptAt = tools.Time.GetTimestamp();
            await book.SweepAsync(stop);
        }
    }

    private bool IsOver(long? at, TimeSpan span) => at is not { } then || tools.Time.GetElapsedTime(then) >= span;
}

/// <summary>What the sender needs besides its stores.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Chance">Random numbers from 0 up to 1, for the jitter.</param>
/// <param name="Log">The messages of this module.</param>
internal sealed record WebhookSenderTools(TimeProvider Time, Func<double> Chance, WebhooksLog Log)
{
    /// <summary>The right to send, where several workers could; null where there is one.</summary>
    public KeptLease? Right { get; init; }
}
