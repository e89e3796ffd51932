using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>A provider behind its circuit breaker.</summary>
internal sealed record ProviderGate(IPaymentProvider Provider, CircuitBreaker Breaker);

/// <summary>Asks providers, through their breakers. Holds no connection and no lock while it waits.</summary>
internal sealed class ProviderGates(
    IReadOnlyList<ProviderGate> gates, ChargesSettings settings, TimeProvider time, Func<double> chance)
    : IDisposable
{
    /// <summary>The reason of a charge that was not called because its order had expired.</summary>
    public const string OrderExpired = "order_expired";

    // A call that was given up can arrive late: so long "never seen" may still change.
    private readonly long lateMs = 2L * settings.Providers.CallTimeoutMs;

    private readonly RetryPolicy retry = new(int.MaxValue, settings.RetryDelayMsFirst, settings.RetryDelayMsMax);

    /// <summary>All of them.</summary>
    public IReadOnlyList<ProviderGate> All => gates;

    /// <summary>The simulated one; null when the gateway is another process.</summary>
    public SimulatedProvider? Simulated => gates.Select(g => g.Provider).OfType<SimulatedProvider>().FirstOrDefault();

    /// <summary>The one in another process; null when the gateway is simulated.</summary>
    public HttpProvider? Remote => gates.Select(g => g.Provider).OfType<HttpProvider>().FirstOrDefault();

    /// <summary>The provider of this name.</summary>
    public ProviderGate this[string name] => gates.First(g => g.Provider.Name == name);

    /// <summary>
    /// Makes the call of the task, or asks what became of it. Refused by an open breaker it is NotReached: put off
    /// until the breaker may let it pass. A charge whose order has expired is declined and not called; if the provider
    /// may have seen it, it is asked about first. Never throws but for cancellation.
    /// </summary>
    public async Task<Answered> AskAsync(ChargeTask task, int attempts, LoggedEvent? e, CancellationToken cancel)
    {
        var gate = this[task.Provider];
        var startedAt = time.GetTimestamp();
        var isExpired = task.ExpiredForMs(UtcInstant.Now(time).Ms) >= 0;
        if (isExpired && !task.MayBeKnown)
        {
            return new(task, Expired(task), 0, attempts, e);
        }

        var answer = isExpired || task.IsUnknown
            ? await FindOrRepeatAsync(gate, task, cancel)
            : await ExecuteAsync(gate, task, cancel);
        if (answer is not { } known)
        {
            var dueMs = Math.Max(gate.Breaker.NextAttemptAtMs, DueMs(1));
            return new(task, Unsure(task, new(ProviderVerdict.NotReached, "breaker_open")), dueMs, attempts, e);
        }

        ChargesLog.CountCall(gate.Provider.Name, time.GetElapsedTime(startedAt));
        return new(task, Unsure(task, known), DueMs(attempts + 1), attempts + 1, e);
    }

    /// <summary>Closes connections, timers and the simulated provider's journal, which the next start opens.</summary>
    public void Dispose()
    {
        foreach (var (provider, breaker) in gates)
        {
            breaker.Dispose();
            (provider as IDisposable)?.Dispose();
        }

        Simulated?.Book.Dispose();
    }

    // Null when the breaker lets no call pass.
    private static async Task<ProviderAnswer?> ExecuteAsync(
        ProviderGate gate, ChargeTask task, CancellationToken cancel)
    {
        if (!gate.Breaker.TryEnter(out var permit))
        {
            return null;
        }

        ProviderAnswer? answer = null;
        try
        {
            answer = await gate.Provider.ExecuteAsync(CallOf(task), cancel);
        }
        finally
        {
            if (answer is { } known)
            {
                gate.Breaker.Report(permit, known.Verdict);
            }
            else
            {
                gate.Breaker.Abandon(permit);
            }
        }

        return answer;
    }

    // A question needs no permit and is not judged: it moves no money, so how it fares says nothing of charges. While
    // the breaker is open it waits all the same, for the provider's sake. "Never seen" is certain, so the call may be
    // made again; by the same id, so even a late twin has one effect.
    private async Task<ProviderAnswer?> FindOrRepeatAsync(
        ProviderGate gate, ChargeTask task, CancellationToken cancel)
    {
        if (gate.Breaker.State == BreakerState.Open)
        {
            return null;
        }

        var found = await gate.Provider.FindAsync(task.Id, cancel);
        if (found.Verdict != ProviderVerdict.NotReached)
        {
            return found;
        }

        return task.ExpiredForMs(UtcInstant.Now(time).Ms) switch
        {
            < 0 => await ExecuteAsync(gate, task, cancel),
            var ms when ms < lateMs && task.Provider != WalletProvider.WalletName =>
                new ProviderAnswer(ProviderVerdict.Unknown, ProviderAnswer.NeverSeen),
            _ => Expired(task),
        };
    }

    private static ProviderAnswer Expired(ChargeTask task) =>
        new(ProviderVerdict.Declined, task.Payment.FailReason ?? OrderExpired);

    // This call had no effect, but an earlier one whose answer is not recorded may have had one.
    private static ProviderAnswer Unsure(ChargeTask task, ProviderAnswer answer) =>
        answer.Verdict == ProviderVerdict.NotReached && task is { Operation: null, MayBeKnown: true }
            ? answer with { Verdict = ProviderVerdict.Unknown }
            : answer;

    private static ProviderCall CallOf(ChargeTask task)
    {
        var (payment, operation) = (task.Payment, task.Operation);
        var action = operation?.Request.Kind switch
        {
            OperationKind.Capture => ProviderAction.Capture,
            OperationKind.Void => ProviderAction.Void,
            OperationKind.Refund => ProviderAction.Refund,
            _ => payment.Request.Capture ? ProviderAction.Charge : ProviderAction.Authorize,
        };
        var asked = payment.Request.Amount;
        return new ProviderCall(
            task.Id, payment.Id, action, asked with { AmountMinor = operation?.Amount ?? asked.AmountMinor });
    }

    private long DueMs(int attempts) =>
        UtcInstant.Now(time).Plus(retry.DelayAfter(attempts, chance()) ?? TimeSpan.Zero).Ms;
}
