// Goal: how the provider answers questions by id neither stops charges nor lets them start again. Method: a provider
// that answers calls and questions as told, behind a real breaker; the clock is moved by hand.
using Floodgate.Payment.Charges;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Tests.Payment.Charges.Providers;
using Xunit;

namespace Floodgate.Tests.Payment.Charges;

public sealed class ProviderGatesTests : IDisposable
{
    private static readonly ProviderAnswer Approved = new(ProviderVerdict.Approved);
    private static readonly ProviderAnswer Unknown = new(ProviderVerdict.Unknown, "timed_out");
    private static readonly ProviderAnswer NeverSeen = new(ProviderVerdict.NotReached, ProviderAnswer.NeverSeen);

    private readonly ManualTime time = new();
    private readonly ToldProvider provider;
    private readonly CircuitBreaker breaker;
    private readonly ProviderGates gates;

    public ProviderGatesTests()
    {
        provider = new ToldProvider(time);
        breaker = new CircuitBreaker(new CircuitBreakerSettings(), time);
        gates = new ProviderGates([new(provider, breaker)], new ChargesSettings(), time, () => 0);
    }

    public void Dispose() => gates.Dispose();

    [Fact]
    public async Task Questions_that_fail_or_are_slow_do_not_open_the_breaker()
    {
        (provider.ToQuestion, provider.QuestionMs) = (Unknown, 2_001);
        for (var number = 0; number < 20; number++)
        {
            Assert.Equal(Unknown, await AskAsync(PaymentState.Unknown));
        }

        Assert.Equal((BreakerState.Closed, (0, 0, 0)), (breaker.State, breaker.Window));
    }

    [Fact]
    public async Task Questions_wait_for_an_open_breaker_and_then_pass_without_closing_it()
    {
        await OpenAsync();
        (provider.ToQuestion, provider.ToCall) = (Approved, Approved);
        Assert.Equal("breaker_open", (await AskAsync(PaymentState.Unknown)).Reason);
        Assert.Equal(0, provider.Questions);

        time.Advance(60_000);
        for (var number = 0; number < 20; number++)
        {
            Assert.Equal(Approved, await AskAsync(PaymentState.Unknown));
        }

        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        for (var trial = 0; trial < breaker.TrialCalls; trial++)
        {
            Assert.Equal(Approved, await AskAsync(PaymentState.Requested));
        }

        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    [Fact]
    public async Task A_call_that_is_made_again_after_never_seen_counts()
    {
        (provider.ToQuestion, provider.ToCall) = (NeverSeen, Unknown);
        for (var number = 0; number < 10; number++)
        {
            Assert.Equal(Unknown, await AskAsync(PaymentState.Unknown));
        }

        Assert.Equal(BreakerState.Open, breaker.State);
    }

    private async Task OpenAsync()
    {
        provider.ToCall = Unknown;
        for (var number = 0; number < 10; number++)
        {
            await AskAsync(PaymentState.Requested);
        }

        Assert.Equal(BreakerState.Open, breaker.State);
    }

    private async Task<ProviderAnswer> AskAsync(PaymentState state)
    {
        var request = new PaymentRequest(
            "m-1", "k-1", null, null, Calls.Amount(100), PaymentMethod.Gateway, PaymentPurpose.Sale, Capture: true);
        var payment = new Floodgate.Payment.Charges.Payment(Calls.Id(1), request, 0) { State = state };
        return (await gates.AskAsync(new(payment, null), 0, null, CancellationToken.None)).Answer;
    }

    private sealed class ToldProvider(ManualTime time) : IPaymentProvider
    {
        public string Name => ProviderSettings.GatewayName;

        public ProviderAnswer ToCall { get; set; }

        public ProviderAnswer ToQuestion { get; set; }

        public int QuestionMs { get; set; }

        public int Questions { get; private set; }

        public Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel) =>
            Task.FromResult(ToCall);

        public Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel)
        {
            Questions++;
            time.Advance(QuestionMs);
            return Task.FromResult(ToQuestion);
        }
    }
}
