using System.Globalization;

namespace Floodgate.Access;

/// <summary>
/// Server-sent events about one thing: what it is now and after each change, until nothing can change it any more. A
/// comment every 15 s keeps proxies from closing. Bounded in number.
/// </summary>
public sealed class EventStreams(int max, TimeProvider time)
{
    /// <summary>Too many streams are open.</summary>
    public static readonly ProblemKind Full = new(503, "too_many_streams", "Too many event streams are open.");

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    private int open;

    /// <summary>
    /// Streams until the end or until the client leaves. Refused with <c>too_many_streams</c> when the limit is
    /// reached.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The name of the events.</param>
    /// <param name="listener">Tells of changes.</param>
    /// <param name="read">The thing as JSON, and whether this is its last state.</param>
    public async Task RunAsync(
        HttpContext context,
        string name,
        ChangeWatch.Listener listener,
        Func<CancellationToken, ValueTask<(string Json, bool IsLast)>> read)
    {
        if (Interlocked.Increment(ref open) > max)
        {
            Interlocked.Decrement(ref open);
            await Problem.WriteAsync(context, Full, "Poll the same path without /events, or try again.", 5);
            return;
        }

        try
        {
            await StreamAsync(context, name, listener, read);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left: that is how a stream usually ends.
        }
        finally
        {
            Interlocked.Decrement(ref open);
        }
    }

    private async Task StreamAsync(
        HttpContext context,
        string name,
        ChangeWatch.Listener listener,
        Func<CancellationToken, ValueTask<(string Json, bool IsLast)>> read)
    {
        var (response, cancel) = (context.Response, context.RequestAborted);
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        var sentAt = time.GetTimestamp();
        string? last = null;
        while (true)
        {
            var (json, isLast) = await read(cancel);
            if (json != last)
            {
                await response.WriteAsync($"event: {name}\ndata: {json}\n\n", cancel);
                (last, sentAt) = (json, time.GetTimestamp());
            }
            else if (time.GetElapsedTime(sentAt) >= Heartbeat)
            {
                await response.WriteAsync(": still here\n\n", cancel);
                sentAt = time.GetTimestamp();
            }

            if (isLast)
            {
                await response.WriteAsync("event: end\ndata: {}\n\n", cancel);
                return;
            }

            await listener.WaitAsync(cancel);
        }
    }
}

/// <summary>The <c>Prefer</c> header (RFC 7240).</summary>
public static class Preference
{
    /// <summary>
    /// The seconds of <c>wait=N</c> (section 4.3), cut to the limit and confirmed to the client; 0 without.
    /// </summary>
    public static int ReadWait(HttpContext context, int secondsMax)
    {
        foreach (var header in context.Request.Headers["Prefer"])
        {
            foreach (var preference in (header ?? "").Split([',', ';'], StringSplitOptions.TrimEntries))
            {
                if (preference.StartsWith("wait=", StringComparison.OrdinalIgnoreCase)
                    && int.TryParse(
                        preference.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                {
                    var wait = Math.Min(seconds, secondsMax);
                    context.Response.Headers["Preference-Applied"] =
                        string.Create(CultureInfo.InvariantCulture, $"wait={wait}");
                    return wait;
                }
            }
        }

        return 0;
    }
}
