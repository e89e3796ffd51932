using Floodgate.Payment.Charges;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: whatever was captured and given back is settled once and exactly, however a settlement is interrupted, repeated
// or run twice at once. Method: on both databases, in ranges of three lines; a model in plain arithmetic says what must
// come out, and random stories print their seed.
public sealed class When_days_are_settled(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_merchant_gets_what_was_captured_less_fees_and_refunds(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        var first = stage.Capture("m", 1_001);
        await stage.WriteAsync(first, stage.Capture("m", 60), stage.Refund(first, 143), stage.Capture("other", 20));
        var run = await stage.SettleAsync();

        Assert.Equal((RunState.Settled, 4, 2), (run.State, run.Lines, run.Payouts));
        var payout = Assert.Single(await stage.PayoutsAsync("m"));
        // 25 and 2 of the captures; 4 of 25 go back with a seventh.
        Assert.Equal(new Net(payout.Net.Account, 2, 1, 1_061, 143, 27, 4), payout.Net);
        Assert.Equal((0, 1_061 - 27 - 143 + 4, 0), (payout.CarriedIn, payout.Amount, payout.CarriedOut));
        Assert.Empty(await stage.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task What_a_merchant_owes_is_carried_over_until_it_is_earned(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(
            stored, postgreSql, s => s with { CommissionBasisPoints = 0 });
        var sold = stage.Capture("m", 1_000, daysAgo: 5);
        await stage.WriteAsync(sold);
        await stage.SettleAsync(5);
        await stage.WriteAsync(stage.Refund(sold, 1_000, daysAgo: 4), stage.Capture("m", 300, daysAgo: 3));
        await stage.WriteAsync(stage.Capture("m", 900, daysAgo: 2));
        await stage.SettleAsync(2); // With the days before it, in their order.

        Assert.Equal(
            [(0, 1_000, 0), (0, 0, -1_000), (-1_000, 0, -700), (-700, 200, 0)],
            (await stage.PayoutsAsync("m")).Select(p => (p.CarriedIn, p.Amount, p.CarriedOut)));
        Assert.Empty(await stage.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_second_run_changes_nothing(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        await stage.WriteAsync(stage.Capture("m", 500), stage.Capture("n", 700));
        await stage.SettleAsync();
        var result = await stage.ResultAsync();
        for (var again = 0; again < 3; again++)
        {
            Assert.Equal(2, (await stage.SettleAsync()).Payouts);
        }

        Assert.Equal(result, await stage.ResultAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_day_without_lines_is_settled_and_has_no_payouts(Stored stored)
    {
        await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
        var run = await stage.SettleAsync();
        Assert.Equal((RunState.Settled, 0, 0, 0), (run.State, run.Lines, run.Ranges, run.Payouts));
        Assert.Equal([run], await stage.Book.ListAsync(null, 10, CancellationToken.None));
    }

    // Method: the day is settled to its end, and beside that stopped after each of its transactions and carried on by a
    // new book, as after a kill.
    [Theory, OnBothDatabases]
    public async Task A_run_that_is_stopped_anywhere_is_carried_on_with_the_same_result(Stored stored)
    {
        List<string>? expected = null;
        for (var stopAfter = 0; stopAfter < 100; stopAfter++)
        {
            await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
            await WriteStoryAsync(stage, new Random(7), 12);
            var steps = 0;
            var isStopped = false;
            try
            {
                await stage.Book.RunAsync(
                    SettlementStage.Today.AddDays(-1),
                    _ => Stop(),
                    CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                isStopped = true;
            }

            await stage.SettleAsync();
            expected ??= await stage.ResultAsync();
            Assert.Equal(expected, await stage.ResultAsync());
            Assert.Empty(await stage.BrokenAsync());
            if (!isStopped && stopAfter > 0)
            {
                Assert.True(stopAfter > 8, "The run has many steps to stop after.");
                return;
            }

            void Stop()
            {
                if (Interlocked.Increment(ref steps) == stopAfter)
                {
                    throw new OperationCanceledException("Stopped here.");
                }
            }
        }

        Assert.Fail("The run has no end.");
    }

    [Theory, OnBothDatabases]
    public async Task Several_runners_at_once_share_the_work_and_do_it_once(Stored stored)
    {
        List<string>? expected = null;
        foreach (var runners in new[] { 1, 4 })
        {
            await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
            await WriteStoryAsync(stage, new Random(11), 60);
            var others = Enumerable.Range(1, runners - 1).Select(_ => SettlementBook.Over(
                stage.OpenAgain(), stage.Log, stage.Settings, stage.Clock));
            await Task.WhenAll(others.Prepend(stage.Book).Select(book => Task.Run(() => book.RunAsync(
                SettlementStage.Today.AddDays(-1), null, CancellationToken.None).AsTask())));
            expected ??= await stage.ResultAsync();
            Assert.Equal(expected, await stage.ResultAsync());
            Assert.Empty(await stage.BrokenAsync());
        }
    }

    // Method: what the database computed, compared with the model line by line.
    [Theory, OnBothDatabases]
    public async Task Any_story_is_settled_as_the_model_says(Stored stored)
    {
        for (var seed = 1; seed <= 3; seed++)
        {
            await using var stage = await SettlementStage.StartAsync(stored, postgreSql);
            await MakePoliciesAsync(stage);
            var facts = await WriteStoryAsync(stage, new Random(seed), 80, amountMax: 1_000_000_000_000);
            await stage.SettleAsync();
            var expected = Model.Of(facts);
            var actual = new Dictionary<(string, long), (long Fee, long Returned, long Amount, long CarriedOut)>();
            foreach (var merchant in Merchants)
            {
                foreach (var p in await stage.PayoutsAsync(merchant))
                {
                    actual.Add((merchant, p.Day), (p.Net.Fee, p.Net.FeeReturned, p.Amount, p.CarriedOut));
                }
            }

            Assert.Equal((seed, Text(expected)), (seed, Text(actual)));
            Assert.Empty(await stage.BrokenAsync());
        }
    }

    // Method: a replica that has the schema and nothing else, as one that is far behind.
    [Fact]
    public async Task A_replica_that_is_behind_hides_nothing()
    {
        var replica = await postgreSql.CreateDatabaseAsync();
        await using (var empty = Database.Open(new(replica, "")))
        {
            await empty.MigrateAsync(Roles.Migrations, CancellationToken.None);
        }

        await using var stage = await SettlementStage.StartAsync(
            Stored.InPostgreSql, postgreSql, s => s with { ReplicaConnectionString = replica });
        await using var reads = new BatchReads(stage.Database, stage.Settings);
        await stage.WriteAsync([.. Enumerable.Range(1, 8).Select(n => stage.Capture("m", n * 100))]);
        var book = new SettlementBook(stage.Database, reads, stage.Journal, stage.Log, (stage.Settings, stage.Clock));
        var asked = await book.RunAsync(SettlementStage.Today.AddDays(-1), null, CancellationToken.None);

        Assert.Equal((8, 3, 1), (asked.Run!.Lines, asked.Run.Ranges, asked.Run.Payouts));
        var payout = Assert.Single(await stage.PayoutsAsync("m"));
        var statement = await new PayoutBook(stage.Database, reads).FindStatementAsync(
            payout.Id, "m", CancellationToken.None);
        var lines = await statement!.PageAsync(PayoutBook.Statement.First, 100);
        Assert.Equal((8, payout.Amount), (lines.Count, lines.Sum(l => l.Net)));
    }

    private static readonly string[] Merchants = ["m0", "m1", "m2", "m3"];

    private static string Text<TKey, TValue>(Dictionary<TKey, TValue> of)
        where TKey : notnull => string.Join('\n', of.Select(p => $"{p.Key} {p.Value}").Order(StringComparer.Ordinal));

    /// <summary>m1 has steps, m2 a fixed part, minimum and maximum; the others what is standard.</summary>
    private static async Task MakePoliciesAsync(SettlementStage stage)
    {
        var from = SettlementStage.Today.AddDays(-19); // The first of the month.
        Assert.Equal(PolicyOutcome.Done, (await stage.Policies.CreateAsync(
            new("m1", null, "KRW"), new(700, 0, 0, null, [new(500_000_000_000, 333), new(2_000_000_000_000, 1)]),
            (from, null), CancellationToken.None)).Outcome);
        Assert.Equal(PolicyOutcome.Done, (await stage.Policies.CreateAsync(
            new("m2", null, "KRW"), new(199, 17, 50, 70_000_000_001, []), (from, null),
            CancellationToken.None)).Outcome);
    }

    /// <summary>Captures and refunds of the last three days, of four merchants, one with most of them.</summary>
    private static async Task<List<PaymentFact>> WriteStoryAsync(
        SettlementStage stage, Random chance, int count, long amountMax = 5_000)
    {
        var facts = new List<PaymentFact>();
        var left = new Dictionary<Guid, long>();
        for (var i = 0; i < count; i++)
        {
            var merchant = Merchants[Math.Max(0, chance.Next(8) - 4)];
            var day = chance.Next(1, 4);
            if (chance.Next(3) == 0 && facts.FindAll(f => left.GetValueOrDefault(f.EventId) > 0) is { Count: > 0 } sold)
            {
                var of = sold[chance.Next(sold.Count)];
                var amount = chance.Next(2) == 0 ? left[of.EventId] : chance.NextInt64(1, left[of.EventId] + 1);
                left[of.EventId] -= amount;
                var refund = stage.Refund(of, amount, day);
                facts.Add(refund with { AtMs = Math.Max(refund.AtMs, facts.Max(f => f.AtMs) + 1) });
            }
            else
            {
                var amount = chance.Next(4) == 0 ? chance.Next(1, 90) : chance.NextInt64(1, amountMax + 1);
                var capture = stage.Capture(merchant, amount, day);
                left.Add(capture.EventId, amount);
                facts.Add(capture);
            }
        }

        foreach (var batch in facts.Chunk(7))
        {
            await stage.WriteAsync(batch);
        }

        return facts;
    }

    /// <summary>What must come out, fact by fact, without a database.</summary>
    private static class Model
    {
        public static Dictionary<(string, long), (long Fee, long Returned, long Amount, long CarriedOut)> Of(
            List<PaymentFact> facts)
        {
            var days = new Days(TimeZoneInfo.Utc);
            long DayOf(PaymentFact fact) => days.Of(new(fact.AtMs)).DayNumber;
            var captures = facts.Where(f => f.EventId == f.PaymentId).ToDictionary(f => f.PaymentId);
            var refunded = new Dictionary<Guid, long>();
            var nets = new SortedDictionary<(long Day, string Merchant), (long Net, long Fee, long Returned)>();
            foreach (var fact in facts.OrderBy(f => f.AtMs))
            {
                var (capture, amount) = (captures[fact.PaymentId], fact.Parts[0].Amount);
                var merchant = fact.Parts[0].MerchantId;
                var volume = captures.Values
                    .Where(f => f.Parts[0].MerchantId == merchant && DayOf(f) <= DayOf(capture))
                    .Sum(f => f.Parts[0].Amount);
                var fee = RateOf(merchant, volume).FeeOf(capture.Parts[0].Amount);
                var net = nets.GetValueOrDefault((DayOf(fact), merchant));
                if (fact == capture)
                {
                    nets[(DayOf(fact), merchant)] = (net.Net + amount - fee, net.Fee + fee, net.Returned);
                    continue;
                }

                var before = refunded.GetValueOrDefault(fact.PaymentId);
                var back = Fees.ReturnedBy(fee, capture.Parts[0].Amount, before, amount);
                refunded[fact.PaymentId] = before + amount;
                nets[(DayOf(fact), merchant)] = (net.Net - amount + back, net.Fee, net.Returned + back);
            }

            var carried = new Dictionary<string, long>();
            return nets.ToDictionary(n => (n.Key.Merchant, n.Key.Day), n =>
            {
                var total = n.Value.Net + carried.GetValueOrDefault(n.Key.Merchant);
                carried[n.Key.Merchant] = Math.Min(total, 0);
                return (n.Value.Fee, n.Value.Returned, Math.Max(total, 0), Math.Min(total, 0));
            });
        }

        private static Rate RateOf(string merchant, long volume) => merchant switch
        {
            "m1" => new(volume >= 2_000_000_000_000 ? 1 : volume >= 500_000_000_000 ? 333 : 700, 0, 0, Rate.NoMax),
            "m2" => new(199, 17, 50, 70_000_000_001),
            _ => new(250, 0, 0, Rate.NoMax),
        };
    }
}
