using System.Text;
using System.Text.Json;
using Floodgate.Access;

namespace Floodgate.Supervision;

/// <summary>One thing that must work before this process gets traffic. Modules register theirs as services.</summary>
/// <param name="Name">What it is about, such as <c>database</c>.</param>
/// <param name="FaultAsync">Null when it works; else what is missing, as a short sentence without secrets.</param>
/// <param name="IsFatal">
/// False when the process does its work without it, only less well: then it is told, and traffic goes on.</param>
public sealed record ReadyCheck(
    string Name, Func<CancellationToken, ValueTask<string?>> FaultAsync, bool IsFatal = true);

/// <summary>The health routes: alive tells that the process answers, ready that it should get traffic.</summary>
internal sealed class Health(IEnumerable<ReadyCheck> checks, SupervisionSettings settings, ILogger<Health> logger)
{
    private const int RetryAfterSeconds = 1;
    private static readonly ProblemKind NotReady = new(503, "not_ready", "The server is not ready.");
    private static readonly byte[] Alive = Encoding.UTF8.GetBytes("""{"status":"alive"}""");

    private readonly IReadOnlyList<ReadyCheck> checks = [.. checks];

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/health/live", Who.Public, (context, _) => AnswerAsync(context, Alive));
        routes.Map("GET", "/health/ready", Who.Public, (context, _) => ReadyAsync(context));
    }

    /// <summary>
    /// Answers 200 with the names of the checks, and what is less well; or 503 with what is missing.
    /// </summary>
    internal async Task ReadyAsync(HttpContext context)
    {
        var faults = await Task.WhenAll(checks.Select(check => FaultOfAsync(check, context.RequestAborted)));
        var missing = faults.Where((fault, n) => fault is not null && checks[n].IsFatal).ToList();
        if (missing.Count > 0)
        {
            await Problem.WriteAsync(context, NotReady, string.Join(' ', missing), RetryAfterSeconds);
            return;
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("status", "ready");
            json.WriteStartArray("checks");
            foreach (var check in checks)
            {
                json.WriteStringValue(check.Name);
            }

            json.WriteEndArray();
            WriteDegraded(json, [.. faults.OfType<string>()]);
            json.WriteEndObject();
        }

        await AnswerAsync(context, buffer.ToArray());
    }

    private static void WriteDegraded(Utf8JsonWriter json, IReadOnlyList<string> faults)
    {
        if (faults.Count == 0)
        {
            return;
        }

        json.WriteStartArray("degraded");
        foreach (var fault in faults)
        {
            json.WriteStringValue(fault);
        }

        json.WriteEndArray();
    }

    private async Task<string?> FaultOfAsync(ReadyCheck check, CancellationToken cancel)
    {
        try
        {
            var timeout = TimeSpan.FromMilliseconds(settings.ReadyTimeoutMs);
            var fault = await check.FaultAsync(cancel).AsTask().WaitAsync(timeout, cancel);
            return fault is null ? null : $"{check.Name}: {fault}";
        }
        catch (TimeoutException)
        {
            return $"{check.Name}: no answer within {settings.ReadyTimeoutMs} ms.";
        }
        catch (Exception error) when (!cancel.IsCancellationRequested)
        {
            // The edge of a check: whatever is thrown means not ready, and the others are still asked.
            SupervisionLog.CheckFailed(logger, error, check.Name);
            return $"{check.Name}: the check failed; see the log.";
        }
    }

    private static Task AnswerAsync(HttpContext context, byte[] json)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.Body.WriteAsync(json).AsTask();
    }
}

/// <summary>What this module logs.</summary>
internal static partial class SupervisionLog
{
    [LoggerMessage(900, LogLevel.Error, "The readiness check {Check} failed", EventName = "ready_check_failed")]
    public static partial void CheckFailed(ILogger logger, Exception error, string check);

    [LoggerMessage(901, LogLevel.Error, "A metric could not be observed", EventName = "observation_failed")]
    public static partial void ObservationFailed(ILogger logger, Exception error);
}
