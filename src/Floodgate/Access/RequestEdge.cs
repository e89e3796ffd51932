using Floodgate.Storage.Database;

namespace Floodgate.Access;

/// <summary>
/// The outermost step of every request: unknown paths and methods, broken requests, an absent database and bugs all
/// become problems with a stable code, and every request is timed.
/// </summary>
public sealed class RequestEdge(RequestDelegate next, TimeProvider time, ILogger<RequestEdge> logger)
{
    private const int RetryAfterSeconds = 1;

    // Boxed once: a status that is boxed for each request would be the edge's only allocation.
    private readonly object?[] statuses = [.. Enumerable.Range(0, 600).Select(status => (object?)status)];

    /// <summary>Runs the request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var start = time.GetTimestamp();
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: 404 or 405, ContentLength: null })
            {
                await RefuseUnroutedAsync(context);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client went away; nobody is left to answer.
        }
        catch (Exception error)
        {
            // The request edge: whatever a handler lets through is answered here and goes no further.
            await FailAsync(context, error);
        }

        var status = Math.Clamp(context.Response.StatusCode, 0, statuses.Length - 1);
        AccessLog.RequestSeconds.Record(
            time.GetElapsedTime(start).TotalSeconds, new("route", RouteOf(context)), new("status", statuses[status]));
    }

    private static Task RefuseUnroutedAsync(HttpContext context)
    {
        var request = context.Request;
        return context.Response.StatusCode == 405
            ? Problem.WriteAsync(context, Problems.MethodNotAllowed,
                $"{Shortened(request.Path)} does not take {Shortened(request.Method)}. " +
                $"It takes {context.Response.Headers.Allow}.")
            : Problem.WriteAsync(context, Problems.NotFound,
                $"There is no route {Shortened(request.Path)}. Check the path against the API reference.");
    }

    private async Task FailAsync(HttpContext context, Exception error)
    {
        if (error is DatabaseUnavailableException)
        {
            AccessLog.RequestWithoutDatabase(logger, context.Request.Method, RouteOf(context), error.Message);
        }
        else if (error is not BadHttpRequestException)
        {
            AccessLog.RequestFailed(logger, error, context.Request.Method, RouteOf(context));
        }

        if (context.Response.HasStarted)
        {
            // Half an answer is out; only a broken connection tells the client that it is not whole.
            context.Abort();
            return;
        }

        context.Response.Clear();
        await (error switch
        {
            BadHttpRequestException bad => RefuseBadAsync(context, bad),
            DatabaseUnavailableException { MayHaveHappened: true } => Problem.WriteAsync(
                context,
                Problems.OutcomeUnknown,
                "The database went away before it told. Send the same request again, with the same idempotency key.",
                RetryAfterSeconds),
            DatabaseUnavailableException => Problem.WriteAsync(context, Problems.Unavailable,
                "The database cannot be reached. Send the same request again, with the same idempotency key.",
                RetryAfterSeconds),
            _ => Problem.WriteAsync(context, Problems.Internal,
                "The request may or may not have had its effect. Send it again with the same idempotency key, and " +
                "tell the operator when it stays so: the log has the details."),
        });
    }

    private static Task RefuseBadAsync(HttpContext context, BadHttpRequestException error)
    {
        context.Response.Headers.Connection = "close"; // What is left of the request was not read.
        return RefuseAsync(context, error);
    }

    private static Task RefuseAsync(HttpContext context, BadHttpRequestException error) => error.StatusCode switch
    {
        413 => Problem.WriteAsync(context, Problems.BodyTooLarge,
            "The body is larger than the server reads (setting Server:BodyBytesMax)."),
        408 => Problem.WriteAsync(context, Problems.RequestTimeout,
            "The body did not arrive in time. Send it without pauses."),
        _ => Problem.WriteAsync(context, Problems.BadRequest, $"{error.Message} Correct the request."),
    };

    private static string RouteOf(HttpContext context) =>
        (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";

    private static string Shortened(string? text) => text is { Length: > 100 } ? $"{text[..100]}..." : text ?? "";
}
