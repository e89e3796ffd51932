using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Payment.Charges.Providers.Simulated;
using Microsoft.AspNetCore.Http;

namespace Floodgate.Payment.Charges.Providers.Http;

/// <summary>The routes of the stand-alone provider. Bad input gets a problem that says what to do.</summary>
internal sealed class ProviderHttp(SimulatedProvider provider)
{
    private const int BodyBytesMax = 4_096;
    private const int LimitMax = 1_000;
    private const int LimitDefault = 100;
    private const string ChargesSlash = "/charges/";

    // What the client reads by their codes.
    private static readonly ProblemKind NeverSeen = new(
        404, ProviderAnswer.NeverSeen, "No call with this id was ever carried out or declined.");

    private static readonly ProblemKind IdReused = new(
        409, ProviderAnswer.IdReused, "This id belongs to a call with other content.");

    /// <summary>Answers one request; the only handler of the server, so the routing is plain to see.</summary>
    public async Task AnswerAsync(HttpContext http)
    {
        try
        {
            var path = http.Request.Path.Value ?? "";
            var answered = (http.Request.Method, path) switch
            {
                ("POST", "/charges") => ExecuteAsync(http),
                ("GET", "/statement") => ShowStatementAsync(http),
                ("GET", "/faults") => ShowFaultsAsync(http),
                ("PUT", "/faults") => SetFaultsAsync(http),
                ("GET", "/health/live") => Write(http, WriteLive),
                ("GET", _) when path.StartsWith(ChargesSlash, StringComparison.Ordinal) =>
                    FindAsync(http, path[ChargesSlash.Length..]),
                (_, "/charges") => RefuseMethod(http, "POST"),
                (_, "/statement") => RefuseMethod(http, "GET"),
                (_, "/faults") => RefuseMethod(http, "GET, PUT"),
                _ => Problem.WriteAsync(http, Problems.NotFound,
                    "There are POST /charges, GET /charges/{id}, GET /statement and GET or PUT /faults."),
            };
            await answered;
        }
        catch (BadHttpRequestException bad)
        {
            var kind = bad.StatusCode switch
            {
                413 => Problems.BodyTooLarge,
                408 => Problems.RequestTimeout,
                _ => Problems.BadRequest,
            };
            await Problem.WriteAsync(http, kind, bad.Message);
        }
    }

    private async Task ExecuteAsync(HttpContext http)
    {
        var (call, problem) = await ReadBodyAsync(http, ProviderJson.ReadCall);
        if (call is null)
        {
            await Problem.WriteAsync(http, Problems.InvalidBody, problem);
            return;
        }

        var answer = await provider.ExecuteAsync(call, CancellationToken.None);
        switch (answer)
        {
            case { Verdict: ProviderVerdict.Approved or ProviderVerdict.Declined }:
                await (http.Request.Headers["Prefer"] == ProviderJson.ReturnMinimal
                    ? ShowOutcome(http, answer)
                    : ShowLine(http, call.Id));
                break;
            case { Verdict: ProviderVerdict.NotReached }:
                await RefuseForNow(http, answer);
                break;
            case { Reason: ProviderAnswer.IdReused }:
                await Problem.WriteAsync(http, IdReused, "Use a new id, or GET /charges/{id}.");
                break;
            default:
                // A time-out after success: the client must be left without any answer.
                http.Abort();
                break;
        }
    }

    private async Task FindAsync(HttpContext http, string text)
    {
        if (!Guid.TryParseExact(text, "D", out var id))
        {
            await RefuseParameter(http, "The id in the address must be a UUID.");
            return;
        }

        var answer = await provider.FindAsync(id, CancellationToken.None);
        await (answer.Verdict switch
        {
            ProviderVerdict.Approved or ProviderVerdict.Declined => ShowLine(http, id),
            ProviderVerdict.NotReached => Problem.WriteAsync(
                http, NeverSeen, "Make the call again under this id: it is carried out once, however late its twin."),
            _ => RefuseForNow(http, answer),
        });
    }

    private async Task ShowStatementAsync(HttpContext http)
    {
        var query = http.Request.Query;
        var limit = LimitDefault;
        Guid? startingAfter = null;
        var unknown = query.Keys.FirstOrDefault(key => key is not ("limit" or "starting_after"));
        if (unknown is not null)
        {
            await RefuseParameter(http, $"'{unknown}' is unknown; there are limit and starting_after.");
            return;
        }

        if (query.TryGetValue("limit", out var limitText)
            && !(int.TryParse(limitText, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit is >= 1 and <= LimitMax))
        {
            await RefuseParameter(http, $"limit must be a whole number from 1 to {LimitMax}.");
            return;
        }

        if (query.TryGetValue("starting_after", out var afterText))
        {
            startingAfter = Guid.TryParseExact(afterText, "D", out var id) ? id : Guid.Empty;
        }

        if (provider.Book.Statement(startingAfter, limit) is not { } page)
        {
            await RefuseParameter(http, "starting_after must be the id of a line of this statement.");
            return;
        }

        await Write(http, json => ProviderJson.WriteStatement(json, page.Lines, page.HasMore));
    }

    private async Task SetFaultsAsync(HttpContext http)
    {
        var (faults, problem) = await ReadBodyAsync(
            http, body => (ProviderFaults.TryParse(body, out var parsed, out var wrong) ? parsed : null, wrong));
        if (faults is null)
        {
            await Problem.WriteAsync(http, Problems.InvalidBody, problem);
            return;
        }

        provider.Faults = faults;
        await ShowFaultsAsync(http);
    }

    private async Task ShowFaultsAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        await http.Response.BodyWriter.WriteAsync(provider.Faults.ToJson());
    }

    // The line was settled before the provider answered.
    private Task ShowLine(HttpContext http, Guid id) => provider.Book.Find(id) is { } found
        ? Write(http, json => ProviderJson.WriteLine(json, found.Line))
        : throw new InvalidOperationException("A provider's answer must be in its book.");

    private static Task ShowOutcome(HttpContext http, ProviderAnswer answer)
    {
        var headers = http.Response.Headers;
        headers["Preference-Applied"] = ProviderJson.ReturnMinimal;
        headers[ProviderJson.StatusHeader] = ProviderJson.StatusOf(answer.Verdict == ProviderVerdict.Approved);
        if (answer.Reason is { } reason)
        {
            headers[ProviderJson.ReasonHeader] = reason;
        }

        http.Response.ContentLength = 0;
        return Task.CompletedTask;
    }

    private static Task RefuseMethod(HttpContext http, string allowed)
    {
        http.Response.Headers.Allow = allowed;
        return Problem.WriteAsync(http, Problems.MethodNotAllowed, $"This address takes {allowed}.");
    }

    private static Task RefuseParameter(HttpContext http, string detail) =>
        Problem.WriteAsync(http, Problems.InvalidParameter, detail);

    private static Task RefuseForNow(HttpContext http, ProviderAnswer answer) => Problem.WriteAsync(
        http,
        Problems.Unavailable,
        $"The provider takes no calls now ({answer.Reason}); the call had no effect. Try again.",
        retryAfterSeconds: 1);

    private static async Task<(T? Read, string Problem)> ReadBodyAsync<T>(
        HttpContext http,
        Func<ReadOnlySpan<byte>, (T? Read, string Problem)> read)
        where T : class
    {
        var reader = http.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync();
            if (result.Buffer.Length > BodyBytesMax)
            {
                reader.AdvanceTo(result.Buffer.End);
                throw new BadHttpRequestException($"The body must not exceed {BodyBytesMax} bytes.", 413);
            }

            if (result.IsCompleted)
            {
                var parsed = read(result.Buffer.IsSingleSegment ? result.Buffer.FirstSpan : result.Buffer.ToArray());
                reader.AdvanceTo(result.Buffer.End);
                return parsed;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static void WriteLive(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("status"u8, "live"u8);
        json.WriteEndObject();
    }

    // The server sends what is written, together with the end of the answer, when the handler returns.
    private static Task Write(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json";
        using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        write(json);
        return Task.CompletedTask;
    }
}
