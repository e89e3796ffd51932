// Goal: both providers keep the same promise. Method: one suite; each implementation only says how it is built. The
// HTTP one runs through real sockets against the real server. Time is moved by hand, so no time-out can strike early.
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public abstract class ProviderContractTests : IAsyncLifetime
{
    /// <summary>What the client under test waits for an answer, in milliseconds.</summary>
    protected const int CallTimeoutMs = 100_000;

    private protected ManualTime Time { get; } = new();

    private protected IPaymentProvider Provider { get; set; } = null!;

    /// <summary>The simulation behind the provider: its faults and its book.</summary>
    private protected SimulatedProvider Simulation { get; set; } = null!;

    public abstract ValueTask InitializeAsync();

    public abstract ValueTask DisposeAsync();

    [Fact]
    public async Task The_same_id_twice_is_one_effect_and_one_answer()
    {
        Assert.Equal(ProviderVerdict.Approved, (await Execute(Calls.Charge(1))).Verdict);
        Assert.Equal(ProviderVerdict.Approved, (await Execute(Calls.Charge(1))).Verdict);
        Assert.Equal(1, Simulation.Book.Count);
    }

    [Fact]
    public async Task The_same_id_at_the_same_time_is_one_effect()
    {
        Simulation.Faults = new ProviderFaults { LatencyMs = 50 };
        var answers = await Pass(50, Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Execute(Calls.Charge(1)))));
        Assert.All(answers, answer => Assert.Equal(ProviderVerdict.Approved, answer.Verdict));
        Assert.Equal(1, Simulation.Book.Count);
    }

    [Fact]
    public async Task A_whole_payment_moves_through_every_action()
    {
        (ProviderAction Action, long Minor, string? Reason)[] steps =
        [
            (ProviderAction.Authorize, 100, null),
            (ProviderAction.Capture, 101, "above_authorized"),
            (ProviderAction.Capture, 80, null),
            (ProviderAction.Void, 100, "already_captured"),
            (ProviderAction.Refund, 81, "above_captured"),
            (ProviderAction.Refund, 80, null),
        ];
        for (var step = 0; step < steps.Length; step++)
        {
            var (action, minor, reason) = steps[step];
            var expected = new ProviderAnswer(
                reason is null ? ProviderVerdict.Approved : ProviderVerdict.Declined, reason);
            Assert.Equal(expected, await Execute(Calls.Of(step, 1, action, minor)));
            Assert.Equal(expected, await Find(step));
        }
    }

    [Fact]
    public async Task An_id_with_other_content_is_unknown_and_has_no_effect()
    {
        await Execute(Calls.Charge(1, 100));
        var answer = await Execute(Calls.Charge(1, 101));
        Assert.Equal(new ProviderAnswer(ProviderVerdict.Unknown, ProviderAnswer.IdReused), answer);
        Assert.Equal(1, Simulation.Book.Count);
    }

    [Fact]
    public async Task A_call_that_never_arrived_was_never_seen() =>
        Assert.Equal(new ProviderAnswer(ProviderVerdict.NotReached, ProviderAnswer.NeverSeen), await Find(1));

    [Fact]
    public async Task After_a_time_out_the_question_by_id_finds_the_effect()
    {
        Simulation.Faults = new ProviderFaults { TimeoutAfterSuccessRatio = 1 };
        var call = Execute(Calls.Charge(1));
        await Arrived(1);
        Assert.Equal(new ProviderAnswer(ProviderVerdict.Unknown, "timed_out"), await Pass(CallTimeoutMs, call));
        Simulation.Faults = new ProviderFaults();
        Assert.Equal(ProviderVerdict.Approved, (await Find(1)).Verdict);
        Assert.Equal(ProviderVerdict.Approved, (await Execute(Calls.Charge(1))).Verdict);
        Assert.Equal(1, Simulation.Book.Count);
    }

    [Fact]
    public async Task An_answer_later_than_the_time_out_is_unknown()
    {
        Simulation.Faults = new ProviderFaults { LatencyMs = CallTimeoutMs + 1 };
        var call = Execute(Calls.Charge(1));
        await Arrived(1);
        Assert.Equal(new ProviderAnswer(ProviderVerdict.Unknown, "timed_out"), await Pass(CallTimeoutMs, call));
        Assert.Equal(1, Simulation.Book.Count);
    }

    [Fact]
    public async Task An_outage_has_no_effect_and_cannot_be_asked()
    {
        await Execute(Calls.Charge(1));
        Simulation.Faults = new ProviderFaults { Outage = true };
        Assert.Equal(ProviderVerdict.NotReached, (await Execute(Calls.Charge(2))).Verdict);
        Assert.Equal(ProviderVerdict.Unknown, (await Find(1)).Verdict);
        Assert.Equal(ProviderVerdict.Unknown, (await Find(2)).Verdict);
        Assert.Equal(1, Simulation.Book.Count);
        Simulation.Faults = new ProviderFaults();
        Assert.Equal(ProviderVerdict.Approved, (await Execute(Calls.Charge(2))).Verdict);
    }

    [Fact]
    public async Task Errors_at_the_door_have_no_effect()
    {
        Simulation.Faults = new ProviderFaults { ErrorRatio = 1 };
        Assert.Equal(ProviderVerdict.NotReached, (await Execute(Calls.Charge(1))).Verdict);
        Assert.Equal(0, Simulation.Book.Count);
    }

    [Fact]
    public async Task The_issuer_declines_about_its_share_and_always_the_same_ids()
    {
        Simulation.Faults = new ProviderFaults { DeclineRatio = 0.3 };
        var first = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(id => Execute(Calls.Charge(id))));
        Assert.InRange(first.Count(answer => answer.Reason == "card_declined"), 230, 370);
        Simulation.Faults = new ProviderFaults();
        var second = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(id => Execute(Calls.Charge(id))));
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task A_cancelled_caller_gets_no_verdict()
    {
        Simulation.Faults = new ProviderFaults { LatencyMs = CallTimeoutMs };
        using var cancel = new CancellationTokenSource();
        var call = Provider.ExecuteAsync(Calls.Charge(1), cancel.Token);
        await Arrived(1);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task Thousands_of_calls_wait_at_once()
    {
        Simulation.Faults = new ProviderFaults { LatencyMs = 100 };
        var calls = Task.WhenAll(Enumerable.Range(0, 2_000).Select(id => Execute(Calls.Charge(id))));
        await Arrived(2_000);
        var answers = await Pass(100, calls);
        Assert.All(answers, answer => Assert.Equal(ProviderVerdict.Approved, answer.Verdict));
        Assert.Equal(2_000, Simulation.Book.Count);
    }

    // A call that has arrived sets its timer an instant later, so the clock moves until the answer is there.
    private async Task<T> Pass<T>(int stepMs, Task<T> task)
    {
        for (var passedMs = 0; passedMs < 10 * CallTimeoutMs; passedMs += stepMs)
        {
            Time.Advance(stepMs);
            try
            {
                return await task.WaitAsync(TimeSpan.FromMilliseconds(50));
            }
            catch (TimeoutException)
            {
                // Not yet.
            }
        }

        throw new TimeoutException("No answer however far the clock was moved.");
    }

    private async Task Arrived(int count)
    {
        // tidy: sleep: a deadline, not a pause.
        var patience = Task.Delay(Eventually.Deadline);
        while (Simulation.Book.Count < count)
        {
            Assert.False(patience.IsCompleted, $"{Simulation.Book.Count} of {count} calls arrived.");
            await Task.Yield();
        }
    }

    private Task<ProviderAnswer> Execute(ProviderCall call) => Provider.ExecuteAsync(call, CancellationToken.None);

    private Task<ProviderAnswer> Find(int id) => Provider.FindAsync(Calls.Id(id), CancellationToken.None);
}

public sealed class SimulatedProviderContractTests : ProviderContractTests
{
    public override ValueTask InitializeAsync()
    {
        Provider = Simulation = new SimulatedProvider(
            new ProviderBook(Time),
            new SimulationSettings { CallTimeoutMs = CallTimeoutMs },
            Time,
            new Random(1));
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        Simulation.Book.Dispose();
        return ValueTask.CompletedTask;
    }
}

public abstract class HttpContractTests : ProviderContractTests
{
    private ProviderServer server = null!;
    private HttpProvider client = null!;

    protected abstract bool OnTheSharedAddress { get; }

    public override async ValueTask InitializeAsync()
    {
        server = await ProviderServer.StartAsync(
            new ProviderServerOptions { Url = "http://127.0.0.1:0", SilenceMs = 3 * CallTimeoutMs }, Time);
        Simulation = server.Provider;
        var settings = new HttpProviderSettings(OnTheSharedAddress ? server.Url : server.Http2Url);
        Provider = client = new HttpProvider(
            settings with { CallTimeoutMs = CallTimeoutMs, Connections = 2 }, Time);
    }

    public override async ValueTask DisposeAsync()
    {
        client.Dispose();
        await server.DisposeAsync();
    }
}

public sealed class HttpProviderContractTests : HttpContractTests
{
    protected override bool OnTheSharedAddress => false;
}

public sealed class HttpProviderOnTheSharedAddressContractTests : HttpContractTests
{
    protected override bool OnTheSharedAddress => true;
}
