using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Payment.Charges;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: a settled day never changes, whatever comes late, twice or in the wrong order, and nothing is lost by that.
// Method: facts written around the close of a day, on both databases.
public sealed class When_lines_come_late(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_line_of_a_closed_day_counts_for_the_next_open_one(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        await stage.WriteAsync(stage.Capture("m", 100, daysAgo: 3));
        await stage.SettleAsync(3);
        var late = stage.Capture("m", 1_000, daysAgo: 3);
        await stage.WriteAsync(late);
        await stage.WriteAsync(stage.Refund(late, 400, daysAgo: 3));
        await stage.SettleAsync(2);

        var first = SettlementStage.Today.AddDays(-3).DayNumber;
        Assert.Equal(
            [(first, 100L, 0L), (first + 1, 1_000, 400)],
            (await stage.PayoutsAsync("m")).Select(p => ((int)p.Day, p.Net.Captured, p.Net.Refunded)));
        Assert.Empty(await stage.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task An_event_that_is_delivered_again_is_no_second_line(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        var sold = stage.Capture([("m", 100), ("n", 50)]);
        var refund = stage.Refund(sold, 30);
        await stage.WriteAsync(sold, refund);
        await stage.WriteLinesAsync(refund, sold, sold);
        await stage.SettleAsync();
        await stage.WriteLinesAsync(sold, refund);
        Assert.Equal(3, (await stage.SettleAsync()).Lines);
        Assert.Equal(0, (await stage.SettleAsync(2)).Lines);
        Assert.Empty(await stage.BrokenAsync());
    }

    // Method: on PostgreSQL a writer of lines holds its transaction open while a day is closed, then the other way
    // round. Either the line is of the day and in its run, or it is of the next day.
    [Fact]
    public async Task A_line_that_is_written_while_its_day_is_closed_is_settled_once()
    {
        await using var stage = await SettlementStage.StartAsync(Stored.InPostgreSql, postgreSql);
        await using var book = new LineBook(stage.Database, stage.Settings, stage.Clock);
        var (early, late) = (stage.Capture("m", 10), stage.Capture("m", 20));
        var written = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var writing = stage.Database.WriteAsync(async tx =>
        {
            await book.WriteAsync(tx, [new(early, false)]);
            await tx.QueryAsync(new Statement("select count(*) from settlement_line"), Rows.None, r => r.Long(0));
            written.SetResult();
            await release.Task;
            return 0;
        }).AsTask();
        await written.Task;
        var settling = stage.SettleAsync();
        var writingLate = stage.WriteLinesAsync(late);
        Assert.False(settling.IsCompleted);
        release.SetResult();
        await Task.WhenAll(writing, settling, writingLate);

        await stage.SettleAsync(); // Nothing is left open of the day.
        stage.Clock.Shift(TimeSpan.FromDays(1));
        await stage.SettleAsync(0);
        var payouts = await stage.PayoutsAsync("m");
        Assert.Equal(30, payouts.Sum(p => p.Net.Captured));
        Assert.Contains(10, new[] { payouts[0].Net.Captured, payouts[0].Net.Captured - 20 });
    }

    [Theory, OnBothDatabases]
    public async Task A_day_is_not_closed_while_facts_of_it_are_in_the_log(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        stage.Clock.Shift(TimeSpan.FromDays(-1));
        await AppendAsync(stage, PaymentEvents.Captured);
        stage.Clock.Shift(TimeSpan.FromDays(1));
        await AppendAsync(stage, PaymentEvents.Refunded); // Of today: it does not matter.
        var asked = await stage.Book.OpenAsync(SettlementStage.Today.AddDays(-1), CancellationToken.None);
        Assert.Equal((SettlementOutcome.Behind, null), (asked.Outcome, asked.Run));
        asked = await stage.Book.OpenAsync(SettlementStage.Today.AddDays(-2), CancellationToken.None);
        Assert.Equal(SettlementOutcome.Closed, asked.Outcome);

        await stage.Database.WriteAsync(tx =>
        {
            tx.Queue(
                new Statement("""
                    insert into log_group_offset (group_name, partition_id, next_offset)
                    select 'settlement', p.id, p.next_offset from log_partition p where p.topic = 'payment.captured'
                    """),
                Rows.None);
            return ValueTask.FromResult(0);
        });
        asked = await stage.Book.OpenAsync(SettlementStage.Today.AddDays(-1), CancellationToken.None);
        Assert.Equal(SettlementOutcome.Closed, asked.Outcome);
    }

    private static ValueTask<int> AppendAsync(SettlementStage stage, Topic topic) =>
        stage.Database.WriteAsync(async tx =>
        {
            await stage.Log.AppendAsync(tx, [new(topic, "k", topic.Name + "/1", "{}")]);
            return 0;
        });
}
