using System.Diagnostics.Metrics;
using Floodgate.Payment.Charges.Providers;
using Microsoft.Extensions.Logging;

namespace Floodgate.Payment.Charges;

/// <summary>What this module logs and counts. No keys, customers or orders: those are personal data.</summary>
internal sealed partial class ChargesLog(ILogger<ChargesLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Accepted = Meter.CreateCounter<long>(
        "floodgate_payments_accepted_total", null, "Payments accepted, durably.");

    private static readonly Counter<long> Answers = Meter.CreateCounter<long>(
        "floodgate_provider_answers_total", null, "Answers of providers recorded, by verdict.");

    private static readonly Histogram<double> Calls = Meter.CreateHistogram<double>(
        "floodgate_provider_call_seconds", "s", "Duration of calls to providers.");

    private static readonly KeyValuePair<string, object?>[] Verdicts =
        [.. Enum.GetValues<ProviderVerdict>().Select(v => new KeyValuePair<string, object?>("verdict", v.ToString()))];

    public static void CountAccepted() => Accepted.Add(1);

    public static void CountCall(string provider, TimeSpan elapsed) =>
        Calls.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("provider", provider));

    public void Recorded(IReadOnlyList<Answered> batch)
    {
        foreach (var verdict in batch.GroupBy(a => a.Answer.Verdict))
        {
            Answers.Add(verdict.Count(), Verdicts[(int)verdict.Key]);
        }
    }

    [LoggerMessage(301, LogLevel.Warning, "The put-off charges of {Provider} wait: {Reason}")]
    public partial void DuePaused(string provider, string reason);

    [LoggerMessage(303, LogLevel.Error, "The answer to {Id} cannot be recorded (try {Attempts}); it is put off again")]
    public partial void DueFailed(Exception error, Guid id, int attempts);

    [LoggerMessage(302, LogLevel.Critical, "The worker of put-off charges stopped by itself and stands still")]
    public partial void DueStopped(Exception error);
}
