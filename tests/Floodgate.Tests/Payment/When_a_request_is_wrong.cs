using System.Net.Sockets;
using System.Text;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: every wrong request is answered with a stable code and with what to do, and none with a 5xx.
// Method: one table, sent through the front door on both databases; afterwards nothing has moved.
public sealed class When_a_request_is_wrong(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string Payments = "/v1/payments";
    private const string Krw = """{"amount":{"amount":5,"currency":"KRW"}}""";

    /// <summary>A request and its refusal; names in angle brackets stand for ids of payments in that state.</summary>
    private sealed record Wrong(
        int Status, string Code, string Method, string Path, string? Body = null, string Key = "k", string By = "shop");

    private static readonly string Long = new('x', 65);

    private static readonly Wrong[] Table =
    [
        // Bodies.
        .. new[]
        {
            "", "{", "[]", "null", "\"x\"", "{}", """{"amount":5}""", """{"amount":{}}""",
            """{"amount":{"amount":5}}""",
            """{"amount":{"currency":"KRW"}}""", """{"amount":null}""",
            """{"amount":{"amount":"5","currency":"KRW"}}""", """{"amount":{"amount":5.0,"currency":"KRW"}}""",
            """{"amount":{"amount":5.5,"currency":"KRW"}}""", """{"amount":{"amount":1e3,"currency":"KRW"}}""",
            """{"amount":{"amount":null,"currency":"KRW"}}""", """{"amount":{"amount":true,"currency":"KRW"}}""",
            """{"amount":{"amount":99999999999999999999,"currency":"KRW"}}""",
            """{"amount":{"amount":5,"currency":7}}""", """{"amount":{"amount":5,"currency":"KRW"},"surprise":1}""",
            """{"amount":{"amount":5,"amount":6,"currency":"KRW"}}""",
            """{"amount":{"amount":5,"currency":"KRW"},"capture":"yes"}""",
            """{"amount":{"amount":5,"currency":"KRW"},"userId":5}""",
            """{"amount":{"amount":5,"currency":"KRW"},"userId":"\u0000"}""", Krw + "x",
        }.Select(body => new Wrong(400, "invalid_body", "POST", Payments, body)),
        .. new[] { "0", "-1", "-9223372036854775808", "1000000000001", "9223372036854775807" }
            .Select(amount => new Wrong(400, "amount_out_of_range", "POST", Payments, Amount(amount))),
        .. new[] { "krw", "QQQ", "KR", "KRWW", "", "₩" }
            .Select(code => new Wrong(400, "unknown_currency", "POST", Payments, Amount("5", code))),
        .. new[]
        {
            "\"userId\":\"\"", $"\"userId\":\"{Long}\"", "\"userId\":\"a b\"", "\"userId\":\"ü\"", "\"orderId\":\"\"",
            $"\"orderId\":\"{Long}\"", "\"method\":\"CASH\"", "\"method\":\"wallet\"", "\"method\":\"WALLET\"",
        }.Select(more => new Wrong(400, "invalid_field", "POST", Payments, $"{Krw[..^1]},{more}}}")),
        new(413, "body_too_large", "POST", Payments, $$"""{"amount":"{{new string('9', 20_000)}}"}"""),

        // Idempotency keys.
        new(400, "idempotency_key_missing", "POST", Payments, Krw, ""),
        new(400, "idempotency_key_invalid", "POST", Payments, Krw, Long),
        new(400, "idempotency_key_invalid", "POST", Payments, Krw, "schlüssel"),
        new(400, "idempotency_key_missing", "POST", $"{Payments}/<captured>/refund", Krw, ""),
        new(400, "idempotency_key_missing", "POST", "/v1/wallets/u/top-ups", Krw, ""),
        new(400, "idempotency_key_missing", "POST", "/payments/authorize", """{"amount":5,"currency":"KRW"}""", ""),

        // Who calls.
        new(401, "unauthorized", "POST", Payments, Krw, By: "nobody"),
        new(401, "unauthorized", "GET", Payments, By: "nobody"),
        new(403, "forbidden", "POST", Payments, Krw, By: "operator"),
        new(403, "forbidden", "POST", $"{Payments}/<captured>/refund", Krw, By: "operator"),
        .. new[] { "invariants", "lag", "dead-letters", "breakers", "provider/faults", "provider/statement" }
            .Select(desk => new Wrong(403, "forbidden", "GET", $"/v1/ops/{desk}")),
        new(403, "forbidden", "POST", "/v1/merchants", """{"name":"Mine"}"""),
        new(403, "merchant_mismatch", "POST", "/payments/authorize",
            """{"merchantId":"demo","amount":5,"currency":"KRW","idempotencyKey":"k"}"""),

        // Where to.
        new(404, "payment_not_found", "GET", $"{Payments}/<nowhere>"),
        new(404, "payment_not_found", "GET", $"{Payments}/seven"),
        new(404, "payment_not_found", "GET", $"{Payments}/<nowhere>/events"),
        .. new[] { "capture", "void", "refund" }.SelectMany(operation => new Wrong[]
        {
            new(404, "payment_not_found", "POST", $"{Payments}/<nowhere>/{operation}", "{}"),
            new(404, "payment_not_found", "POST", $"{Payments}/seven/{operation}", "{}"),
            new(404, "payment_not_found", "POST", $"{Payments}/<others>/{operation}", "{}"),
        }),
        new(404, "payment_not_found", "POST", "/payments/refund/seven", """{"idempotencyKey":"k"}"""),
        new(404, "not_found", "GET", "/v1/nothing"),
        new(404, "not_found", "GET", "/v1/ledger/accounts/999999999"),
        new(404, "not_found", "GET", "/v1/ledger/accounts/x"),
        new(405, "method_not_allowed", "DELETE", $"{Payments}/<captured>"),
        new(405, "method_not_allowed", "PUT", Payments, Krw),

        // Operations.
        new(422, "amount_above_authorized", "POST", $"{Payments}/<authorized>/capture", Amount("101")),
        new(422, "amount_above_refundable", "POST", $"{Payments}/<captured>/refund", Amount("101")),
        new(422, "currency_differs", "POST", $"{Payments}/<authorized>/capture", Amount("5", "EUR")),
        new(422, "currency_differs", "POST", $"{Payments}/<captured>/refund", Amount("5", "EUR")),
        new(409, "payment_not_authorized", "POST", $"{Payments}/<voided>/capture", "{}"),
        new(409, "payment_not_authorized", "POST", $"{Payments}/<captured>/capture", "{}"),
        new(409, "payment_not_authorized", "POST", $"{Payments}/<captured>/void", "{}"),
        new(409, "payment_not_captured", "POST", $"{Payments}/<authorized>/refund", "{}"),
        new(409, "payment_not_captured", "POST", $"{Payments}/<voided>/refund", "{}"),
        new(400, "invalid_field", "POST", $"{Payments}/<authorized>/void", Krw),
        new(400, "amount_out_of_range", "POST", $"{Payments}/<captured>/refund", Amount("0")),
        new(400, "amount_out_of_range", "POST", $"{Payments}/<captured>/refund", Amount("-5")),
        new(400, "invalid_body", "POST", $"{Payments}/<captured>/refund", """{"amount":5}"""),
        new(400, "invalid_body", "POST", "/payments/authorize", """{"idempotencyKey":"k"}"""),
        new(400, "invalid_body", "POST", $"/payments/refund/<captured>", """{"amount":5,"idempotencyKey":"k"}"""),
        new(400, "idempotency_key_invalid", "POST", $"/payments/refund/<captured>", """{"idempotencyKey":"other"}"""),
        new(400, "amount_out_of_range", "POST", "/v1/wallets/u/top-ups", Amount("0")),
        new(400, "invalid_field", "POST", "/v1/wallets/a%20b/top-ups", Krw),
        new(400, "invalid_field", "GET", $"/v1/wallets/{Long}"),

        // Pages.
        .. new[]
        {
            "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "limit=99999999999",
            "starting_after=seven", "starting_after=",
        }.Select(query => new Wrong(400, "invalid_parameter", "GET", $"{Payments}?{query}")),
        new(400, "invalid_parameter", "GET", "/v1/ledger/entries"),
        new(400, "invalid_parameter", "GET", "/v1/ledger/entries?paymentId=seven"),
        new(400, "invalid_parameter", "GET", "/v1/ledger/entries?accountId=1&starting_after=x"),
        new(400, "invalid_parameter", "GET", "/v1/ledger/accounts", By: "operator"),
        new(400, "invalid_parameter", "GET", "/v1/ops/provider/statement?starting_after=<nowhere>", By: "operator"),
        new(400, "invalid_body", "PUT", "/v1/ops/provider/faults", """{"outage":"yes"}""", By: "operator"),
        new(400, "invalid_body", "PUT", "/v1/ops/provider/faults", """{"declineRatio":2}""", By: "operator"),
    ];

    [Theory, OnBothDatabases]
    public async Task It_is_refused_with_its_code_and_with_what_to_do_and_moves_nothing(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var ids = new Dictionary<string, string>
        {
            ["captured"] = (await shop.PayAsync(100)).Id,
            ["authorized"] = (await shop.AuthorizeAsync(100)).Id,
            ["voided"] = (await shop.AuthorizeAsync(100)).Id,
            ["others"] = (await other.PayAsync(100)).Id,
            ["nowhere"] = "0198c0de-0000-7000-8000-000000000000",
        };
        (await shop.AskAsync("void", ids["voided"])).Expect(200);
        var before = (await shop.GetAsync(Payments)).Expect(200).Text;

        var mistakes = new List<string>();
        foreach (var wrong in Table)
        {
            var caller = wrong.By switch { "shop" => shop, "operator" => server.Operator, _ => server.Nobody };
            var path = ids.Aggregate(wrong.Path, (path, id) => path.Replace($"<{id.Key}>", id.Value));
            string[] headers = wrong.Key.Length == 0 ? [] : [$"Idempotency-Key: {wrong.Key}"];
            Reply reply;
            try
            {
                reply = await caller.SendAsync(wrong.Method, path, wrong.Body, headers);
            }
            catch (HttpRequestException error)
            {
                mistakes.Add($"{wrong} -> {error.InnerException?.Message ?? error.Message}");
                continue;
            }

            if ((reply.Status, reply.Code) != (wrong.Status, wrong.Code))
            {
                mistakes.Add($"{wrong} -> {reply.Status} {reply.Text}");
                continue;
            }

            reply.Refuses(wrong.Status, wrong.Code);
        }

        Assert.True(mistakes.Count == 0, string.Join("\n\n", mistakes));
        Assert.Equal(before, (await shop.GetAsync(Payments)).Text);
        Assert.Equal((0, 0), await shop.WalletAsync("u"));
    }

    // Goal: two keys are no key. Method: raw bytes, because a client would join repeated headers.
    [Theory]
    [InlineData("Idempotency-Key: a\r\nIdempotency-Key: a\r\nContent-Type: application/json\r\n", 400,
        "idempotency_key_invalid")]
    [InlineData("Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Type: application/json\r\n", 400,
        "idempotency_key_invalid")]
    [InlineData("Idempotency-Key: \r\nContent-Type: application/json\r\n", 400, "idempotency_key_invalid")]
    [InlineData("Idempotency-Key: a\r\nContent-Type: text/plain\r\n", 415, "unsupported_media_type")]
    [InlineData("Idempotency-Key: a\r\n", 415, "unsupported_media_type")]
    [InlineData("Idempotency-Key: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n", 415,
        "unsupported_media_type")]
    public async Task Headers_that_no_client_should_send_are_refused(string headers, int status, string code)
    {
        var server = await calm.OnAsync(Stored.InSqlite, postgreSql);
        using var client = new TcpClient(server.Address.Host, server.Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {Payments} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer fg_demo_merchant\r\n" +
            $"{headers}Content-Length: {Krw.Length}\r\n\r\n{Krw}"));
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync();
        Assert.StartsWith($"HTTP/1.1 {status} ", answer);
        Assert.Contains($"\"code\":\"{code}\"", answer);
    }

    private static string Amount(string amount, string currency = "KRW") =>
        $$"""{"amount":{"amount":{{amount}},"currency":"{{currency}}"} }""";
}
