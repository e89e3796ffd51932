using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// Keeps the rooms going. Everywhere: which rooms there are, twice a second. In processes that serve the lines: follows
/// what other nodes do, and rings the streams. In the one of them that admits: admits, ends what ran out or was
/// abandoned, and deletes what is long over. Each change is a guarded update that is committed first and told
/// afterwards; what the guard refused is read again, so memory follows the table whoever changed it.
/// </summary>
internal sealed class RoomWorker(
    Database database,
    WaitingRooms rooms,
    RoomFollower follower,
    StockBoard stock,
    PaymentHealthSource health,
    AdmissionSettings settings,
    AdmissionTools tools) : BackgroundService
{
    private static readonly TimeSpan RefreshEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestTurn = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan ShortestTurnOfOthers = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LookAgainEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan PushEvery = TimeSpan.FromSeconds(5);

    private readonly TimeProvider time = tools.Time;

    // Of the loop that admits.
    private PaymentHealth lastHealth = PaymentHealth.Calm;
    private long lookedAt;
    private long sweptAt;

    /// <summary>Why it stopped by itself; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        rooms.ServesLines
            ? [LoopAsync(RefreshAsync, stoppingToken), LoopAsync(TurnAsync, stoppingToken),
                LoopAsync(PushAsync, stoppingToken)]
            : [LoopAsync(RefreshAsync, stoppingToken)]);

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await follower.GiveUpAsync(cancellationToken);
    }

    /// <summary>Deletes the tickets of sales that ended long ago, a few thousand at a time.</summary>
    internal async ValueTask SweepAsync(CancellationToken stop)
    {
        var beforeMs = UtcInstant.Now(time).Ms - (settings.EndedKeptSeconds * 1_000L);
        while (await database.ReadAsync(tx => AdmissionSql.FindOverAsync(tx, beforeMs), stop) is { } saleId)
        {
            await database.WriteAsync(tx => AdmissionSql.DeleteSomeAsync(tx, saleId, settings.BatchMax), stop);
        }
    }

    private async Task LoopAsync(Func<CancellationToken, Task> turn, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await OnceAsync(turn, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The normal end.
        }
        catch (Exception error) // The edge of the loop: a broken rule stops it, and readiness and the log tell.
        {
            Failure = error;
            tools.Log.Stopped(error);
        }
    }

    private async Task OnceAsync(Func<CancellationToken, Task> turn, CancellationToken stop)
    {
        try
        {
            await turn(stop);
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.DatabaseAway(error.Message);
            await Task.Delay(LongestNap, time, stop);
        }
    }

    private async Task RefreshAsync(CancellationToken stop)
    {
        await rooms.Changed.WaitAsync(RefreshEvery, time, stop);
        await rooms.RefreshAsync(stop);
    }

    private async Task PushAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(PushEvery / TicketListeners.Buckets, time);
        for (var turn = 0; await timer.WaitForNextTickAsync(stop); turn = (turn + 1) % TicketListeners.Buckets)
        {
            foreach (var room in rooms.All)
            {
                room.Listeners.RingBucket(turn);
            }
        }
    }

    private async Task TurnAsync(CancellationToken stop)
    {
        var startedAt = time.GetTimestamp();
        var isLooking = time.GetElapsedTime(lookedAt) >= LookAgainEvery;
        if (isLooking)
        {
            (lookedAt, lastHealth) = (startedAt, await health.ReadAsync(stop));
        }

        var isAdmitting = await follower.MayAdmitAsync(stop);
        await follower.FollowAsync(isLooking, stop);
        foreach (var room in rooms.All.Where(room => room.Live > 0))
        {
            await TurnAsync(room, isAdmitting, isLooking, stop);
        }

        Measure();
        if (isAdmitting && time.GetElapsedTime(sweptAt) >= SweepEvery)
        {
            await SweepAsync(stop);
            sweptAt = startedAt;
        }

        // However many joins and places ring, the database is asked at most fifty times a second.
        var shortest = isAdmitting ? ShortestTurn : ShortestTurnOfOthers;
        if (shortest - time.GetElapsedTime(startedAt) is { Ticks: > 0 } rest)
        {
            await Task.Delay(rest, time, stop);
        }

        var now = UtcInstant.Now(time);
        var nap = rooms.All.Where(room => room.Live > 0).Select(room => room.Nap(now, LongestNap));
        await rooms.Freed.WaitAsync(nap.Append(LongestNap).Min(), time, stop);
    }

    private async ValueTask TurnAsync(Room room, bool isAdmitting, bool isLooking, CancellationToken stop)
    {
        var now = UtcInstant.Now(time);
        var state = room.Terms.StateAt(now);
        if (isLooking)
        {
            await LookAsync(room, stop);
        }

        if (!isAdmitting)
        {
            room.Observe();
            return;
        }

        if (state == Catalog.SaleState.Ended)
        {
            await EndAllAsync(room, stop);
            return;
        }

        if (isLooking)
        {
            var unseen = room.Unseen(settings.AbandonedSeconds, settings.BatchMax);
            await EndAsync(room, await follower.AbandonedAsync(room, unseen), "abandoned", stop);
            rooms.TellPace(room.Terms.SaleId, room.Figures());
        }

        await EndAsync(room, room.Overdue(now), "expired", stop);
        if (state == Catalog.SaleState.Active)
        {
            await AdmitAsync(room, room.Next(lastHealth), stop);
        }
    }

    /// <summary>What is left, and what other nodes did with the passes of those inside.</summary>
    private async ValueTask LookAsync(Room room, CancellationToken stop)
    {
        if (room.Note(await stock.OfSaleAsync(room.Terms.SaleId)))
        {
            room.Listeners.RingAll();
        }

        foreach (var inside in room.Inside().Chunk(settings.BatchMax))
        {
            var stored = await database.ReadAsync(tx => AdmissionSql.SelectAsync(tx, inside), stop);
            follower.Follow(room, inside, stored);
        }
    }

    private async ValueTask EndAllAsync(Room room, CancellationToken stop)
    {
        while (room.SomeLive(settings.BatchMax) is { Count: > 0 } live)
        {
            await EndAsync(room, live, "sale_ended", stop);
        }
    }

    private async ValueTask EndAsync(Room room, IReadOnlyList<Guid> tickets, string how, CancellationToken stop)
    {
        foreach (var some in tickets.Chunk(settings.BatchMax))
        {
            var (ended, others) = await WriteAsync(
                some, tx => AdmissionSql.EndAsync(tx, some, TicketState.Expired), stop);
            AdmissionLog.CountEnded(ended.Count, how);
            room.Change(ended, TicketState.Expired);
            rooms.TellChange(ended, TicketState.Expired);
            follower.Follow(room, [.. some.Except(ended)], others);
        }
    }

    private async ValueTask AdmitAsync(Room room, IReadOnlyList<Guid> tickets, CancellationToken stop)
    {
        foreach (var some in tickets.Chunk(settings.BatchMax))
        {
            var now = UtcInstant.Now(time);
            var expiresMs = now.Plus(TimeSpan.FromSeconds(room.Terms.Rules.PassSeconds)).Ms;
            var (admitted, others) = await WriteAsync(
                some, tx => AdmissionSql.AdmitAsync(tx, some, now.Ms, expiresMs), stop);
            AdmissionLog.CountAdmitted(admitted.Count);
            room.Change(admitted, TicketState.Active, expiresMs);
            rooms.TellChange(admitted, TicketState.Active, expiresMs);
            follower.Follow(room, [.. some.Except(admitted)], others);
        }
    }

    /// <summary>Those that the statement changed, and the rows of those that it did not.</summary>
    private async ValueTask<(List<Guid> Changed, List<Ticket> Others)> WriteAsync(
        Guid[] tickets, Func<Tx, ValueTask<List<Guid>>> change, CancellationToken stop) => await database.WriteAsync(
        async tx =>
        {
            if (!await follower.StillAdmitsAsync(tx))
            {
                return ([], await AdmissionSql.SelectAsync(tx, tickets));
            }

            var changed = await change(tx);
            var others = changed.Count == tickets.Length
                ? []
                : await AdmissionSql.SelectAsync(tx, [.. tickets.Except(changed)]);
            return (changed, others);
        },
        stop);

    private void Measure()
    {
        var figures = rooms.All.Select(room => room.Figures()).ToList();
        AdmissionLog.Measure(
            figures.Sum(one => one.Waiting), figures.Sum(one => one.Active), figures.Sum(one => one.RatePerSecond));
    }
}
