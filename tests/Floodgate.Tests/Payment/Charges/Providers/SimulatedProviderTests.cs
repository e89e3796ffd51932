// Goal: latency, peaks, chance and the journal behave as set. Method: a clock moved by hand, real files.
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class SimulatedProviderTests
{
    private readonly ManualTime time = new();

    [Fact]
    public async Task An_answer_takes_the_latency_and_the_effect_is_there_before()
    {
        var provider = Provider(new ProviderFaults { LatencyMs = 1_000 });
        var call = provider.ExecuteAsync(Calls.Charge(1), CancellationToken.None);
        Assert.Equal(1, provider.Book.Count);
        time.Advance(999);
        Assert.False(call.IsCompleted);
        time.Advance(1);
        Assert.Equal(ProviderVerdict.Approved, (await call.WaitAsync(Eventually.Deadline)).Verdict);
    }

    [Fact]
    public async Task Latency_spreads_both_ways_and_never_beyond()
    {
        var provider = Provider(new ProviderFaults { LatencyMs = 100, LatencySpreadMs = 40 });
        var calls = Enumerable.Range(0, 500)
            .Select(id => provider.ExecuteAsync(Calls.Charge(id), CancellationToken.None)).ToArray();
        time.Advance(59);
        Assert.DoesNotContain(calls, call => call.IsCompleted);
        time.Advance(41);
        var byTheMiddle = calls.Count(call => call.IsCompleted);
        time.Advance(40);
        await Task.WhenAll(calls).WaitAsync(Eventually.Deadline);
        Assert.InRange(byTheMiddle, 0, 400);
    }

    [Fact]
    public async Task A_peak_replaces_the_latency_for_its_share()
    {
        var provider = Provider(new ProviderFaults { LatencyMs = 10, PeakLatencyMs = 5_000, PeakRatio = 0.2 });
        var calls = Enumerable.Range(0, 1_000)
            .Select(id => provider.ExecuteAsync(Calls.Charge(id), CancellationToken.None)).ToArray();
        time.Advance(4_999);
        // 200 expected; continuations may lag behind the clock, so only too many completed is a failure here.
        Assert.InRange(calls.Count(call => !call.IsCompleted), 150, 1_000);
        time.Advance(1);
        await Task.WhenAll(calls).WaitAsync(Eventually.Deadline);
    }

    [Fact]
    public async Task Faults_change_while_it_runs()
    {
        var provider = Provider(new ProviderFaults());
        Assert.Equal(ProviderVerdict.Approved, (await Execute(provider, 1)).Verdict);
        provider.Faults = new ProviderFaults { Outage = true };
        Assert.Equal(ProviderVerdict.NotReached, (await Execute(provider, 2)).Verdict);
    }

    [Fact]
    public async Task Another_run_with_the_same_seed_declines_the_same_ids_and_another_seed_others()
    {
        var faults = new ProviderFaults { DeclineRatio = 0.5 };
        async Task<List<ProviderVerdict>> Verdicts(ulong seed)
        {
            var provider = Provider(faults, seed);
            List<ProviderVerdict> verdicts = [];
            for (var id = 0; id < 200; id++)
            {
                verdicts.Add((await Execute(provider, id)).Verdict);
            }

            return verdicts;
        }

        Assert.Equal(await Verdicts(1), await Verdicts(1));
        Assert.NotEqual(await Verdicts(1), await Verdicts(2));
    }

    [Fact]
    public async Task Captures_voids_and_refunds_never_meet_the_issuer()
    {
        var provider = Provider(new ProviderFaults());
        await provider.ExecuteAsync(Calls.Of(1, 1, ProviderAction.Authorize, 5), CancellationToken.None);
        provider.Faults = new ProviderFaults { DeclineRatio = 1 };
        var capture = await provider.ExecuteAsync(Calls.Of(2, 1, ProviderAction.Capture, 5), CancellationToken.None);
        Assert.Equal(ProviderVerdict.Approved, capture.Verdict);
        Assert.Equal("card_declined", (await Execute(provider, 3)).Reason);
    }

    [Fact]
    public async Task Whatever_was_answered_is_in_the_journal()
    {
        using var scratch = new ScratchDirectory();
        var book = new ProviderBook(time, new ProviderJournal(scratch.File("book")));
        var provider = new SimulatedProvider(book, new SimulationSettings(), time, new Random(1));
        await Parallel.ForEachAsync(Enumerable.Range(0, 2_000), async (id, cancel) =>
        {
            Assert.Equal(ProviderVerdict.Approved, (await Execute(provider, id)).Verdict);
        });
        var length = new FileInfo(scratch.File("book")).Length;
        book.Dispose();
        Assert.Equal(8 + (2_000 * BookLine.Bytes), length);
        using var again = new ProviderBook(time, new ProviderJournal(scratch.File("book")));
        Assert.Equal(2_000, again.Count);
    }

    [Fact]
    public async Task Nothing_is_answered_that_could_not_be_written()
    {
        using var scratch = new ScratchDirectory();
        using var book = new ProviderBook(time, new ProviderJournal(scratch.File("book"), lineCountMax: 1));
        var provider = new SimulatedProvider(book, new SimulationSettings(), time, new Random(1));
        var expected = new ProviderAnswer(ProviderVerdict.Unknown, "journal_unwritten");
        Assert.Equal(ProviderVerdict.Approved, (await Execute(provider, 1)).Verdict);
        Assert.Equal(expected, await Execute(provider, 2));
        Assert.Equal(expected, await provider.FindAsync(Calls.Id(2), CancellationToken.None));
        Assert.Equal(ProviderVerdict.Approved, (await Execute(provider, 1)).Verdict);
    }

    [Fact]
    public async Task The_wallet_approves_at_once_and_remembers_nothing()
    {
        var wallet = new WalletProvider();
        Assert.Equal("WALLET", wallet.Name);
        Assert.Equal(ProviderVerdict.Approved, (await Execute(wallet, 1)).Verdict);
        var found = await wallet.FindAsync(Calls.Id(1), CancellationToken.None);
        Assert.Equal(ProviderAnswer.NeverSeen, found.Reason);
    }

    [Fact]
    public void Settings_out_of_range_are_all_named_at_once()
    {
        var given = new Dictionary<string, string>
        {
            ["Providers:Gateway"] = "http",
            ["Providers:Http:Url"] = "ftp://x",
            ["Providers:Http:Connections"] = "0",
            ["Providers:CallTimeoutMs"] = "99",
            ["Providers:Simulated:LatencyMs"] = "-1",
            ["Providers:Breaker:OpenMs"] = "1",
        };
        var (_, errors) = Calls.ReadSettings(given);
        Assert.Equal(given.Keys.Skip(1).Order(), errors.Select(error => error.Split(' ')[0]).Order());
        var (defaults, none) = Calls.ReadSettings([]);
        Assert.Empty(none);
        Assert.Equal(new ProviderSettings { HttpUrl = "" }, defaults);
    }

    private static Task<ProviderAnswer> Execute(IPaymentProvider provider, int id) =>
        provider.ExecuteAsync(Calls.Charge(id), CancellationToken.None);

    private SimulatedProvider Provider(ProviderFaults faults, ulong seed = 0) => new(
        new ProviderBook(time),
        new SimulationSettings { Faults = faults, DeclineSeed = seed, CallTimeoutMs = 30_000 },
        time,
        new Random(1));
}
