using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>The routes of the stand-alone provider. Bad input gets a problem+json that says what to do.</summary>
internal sealed class ProviderHttp(SimulatedProvider provider)
{
    private const int BodyBytesMax = 4_096;
    private const int LimitMax = 1_000;
    private const int LimitDefault = 100;
    private const string ChargesSlash = "/charges/";

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
                ("GET", "/health/live") => Write(http, 200, WriteLive),
                ("GET", _) when path.StartsWith(ChargesSlash, StringComparison.Ordinal) =>
                    FindAsync(http, path[ChargesSlash.Length..]),
                (_, "/charges" or "/statement" or "/faults") => Refuse(
                    http, new(405, "method_not_allowed", "This address does not take this method.")),
                _ => Refuse(http, new(404, "unknown_route",
                    "There are POST /charges, GET /charges/{id}, GET /statement and GET or PUT /faults.")),
            };
            await answered;
        }
        catch (BadHttpRequestException bad)
        {
            await Refuse(http, new(bad.StatusCode, "bad_request", bad.Message));
        }
    }

    private async Task ExecuteAsync(HttpContext http)
    {
        var (call, problem) = await ReadBodyAsync(http, ProviderJson.ReadCall);
        if (call is null)
        {
            await Refuse(http, Invalid(problem));
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
                await Refuse(http, Unavailable(answer));
                break;
            case { Reason: ProviderBook.IdReused }:
                await Refuse(http, new(409, ProviderBook.IdReused,
                    "This id belongs to a call with other content; use a new id, or GET /charges/{id}."));
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
            await Refuse(http, Invalid("The id in the address must be a UUID."));
            return;
        }

        var answer = await provider.FindAsync(id, CancellationToken.None);
        await (answer.Verdict switch
        {
            ProviderVerdict.Approved or ProviderVerdict.Declined => ShowLine(http, id),
            ProviderVerdict.NotReached => Refuse(
                http, new(404, ProviderBook.NeverSeen, "No call with this id was ever carried out or declined.")),
            _ => Refuse(http, Unavailable(answer)),
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
            await Refuse(http, Invalid($"'{unknown}' is unknown; there are limit and starting_after."));
            return;
        }

        if (query.TryGetValue("limit", out var limitText)
            && !(int.TryParse(limitText, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit is >= 1 and <= LimitMax))
        {
            await Refuse(http, Invalid($"limit must be a whole number from 1 to {LimitMax}."));
            return;
        }

        if (query.TryGetValue("starting_after", out var afterText))
        {
            startingAfter = Guid.TryParseExact(afterText, "D", out var id) ? id : Guid.Empty;
        }

        if (provider.Book.Statement(startingAfter, limit) is not { } page)
        {
            await Refuse(http, Invalid("starting_after must be the id of a line of this statement."));
            return;
        }

        await Write(http, 200, json => ProviderJson.WriteStatement(json, page.Lines, page.HasMore));
    }

    private async Task SetFaultsAsync(HttpContext http)
    {
        var (faults, problem) = await ReadBodyAsync(
            http, body => (ProviderFaults.TryParse(body, out var parsed, out var wrong) ? parsed : null, wrong));
        if (faults is null)
        {
            await Refuse(http, Invalid(problem));
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
        ? Write(http, 200, json => ProviderJson.WriteLine(json, found.Line))
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

    private static Refusal Invalid(string detail) => new(400, "invalid_request", detail);

    private static Refusal Unavailable(ProviderAnswer answer) => new(
        503, answer.Reason ?? "unavailable", "The provider takes no calls now; the call had no effect. Try again.");

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

    private static Task Refuse(HttpContext http, Refusal refusal)
    {
        if (refusal.Status == 503)
        {
            http.Response.Headers.RetryAfter = "1";
        }

        return Write(http, refusal.Status, json =>
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "about:blank"u8);
            json.WriteString("title"u8, refusal.Code.Replace('_', ' '));
            json.WriteNumber("status"u8, refusal.Status);
            json.WriteString("detail"u8, refusal.Detail);
            json.WriteString("code"u8, refusal.Code);
            json.WriteEndObject();
        });
    }

    private static void WriteLive(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("status"u8, "live"u8);
        json.WriteEndObject();
    }

    // The server sends what is written, together with the end of the answer, when the handler returns.
    private static Task Write(HttpContext http, int status, Action<Utf8JsonWriter> write)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = status < 400 ? "application/json" : "application/problem+json";
        using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        write(json);
        return Task.CompletedTask;
    }

    private sealed record Refusal(int Status, string Code, string Detail);
}
