using System.Text.Json.Nodes;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Docs;

/// <summary>
/// Goal: what a document tells to type works, and answers what the document shows. Method: the calls of its shell
/// blocks in order against the real server; each JSON block must be the answer of the call above it, but for ids and
/// times.
/// </summary>
public sealed class ExampleTests
{
    private static readonly Statement ChangeType = new("update log_event set type = 'payment.requested/2'");

    private static readonly Statement SelectEvents = new("select e.type, e.payload from log_event e");

    // Goal: a newcomer can copy and paste. Method: the README, from an empty server.
    [Fact]
    public async Task The_readme_shows_what_happens()
    {
        await using var server = await DocsServer.StartAsync();
        Assert.True(await FollowAsync(server, Document.Read("README.md")) >= 3);
    }

    // Goal: the same for operators. Method: a payment whose event a newer version wrote: there is a dead letter.
    [Fact]
    public async Task The_operators_page_shows_what_happens()
    {
        await using var server = await DocsServer.StartAsync(async services =>
        {
            var money = new Money(15_000, Currency.FromStored("KRW"));
            await services.GetRequiredService<PaymentBook>().AcceptAsync(new PaymentRequest(
                "demo", "first-1", "u-1", "o-1", money, PaymentMethod.Gateway, PaymentPurpose.Sale, Capture: true));
            await services.GetRequiredService<Database>().WriteAsync(tx =>
            {
                tx.Queue(ChangeType, Rows.None);
                return ValueTask.FromResult(0);
            });
        });
        Assert.True(await FollowAsync(server, Document.Read("docs/operating/payments.md")) >= 4);
    }

    // Goal: events are as documented. Method: payments that append each of them; every example is one of the real ones,
    // and every type that was appended has an example.
    [Fact]
    public async Task Events_are_what_the_page_of_events_shows()
    {
        await using var server = await DocsServer.StartAsync();
        await FollowAsync(server, Scenario);
        await OrderAsync(server);
        await ReconcileAsync(server);
        var real = (await server.Database.ReadAsync(
            tx => tx.QueryAsync(SelectEvents, Rows.None, r => (Type: r.Text(0), Payload: r.Text(1)))))
            .Select(e => (e.Type, Payload: Document.Normalized(e.Payload)))
            .ToList();
        var shown = Document.Blocks(Document.Read("docs/events.md"))
            .Where(block => block.Language == "json")
            .Select(block => (Type: block.Heading.Trim('`'), Payload: Document.Normalized(block.Text)))
            .ToList();

        Assert.All(shown, example => Assert.Contains(example, real));
        Assert.Equal(real.Select(e => e.Type).Distinct().Order(), shown.Select(e => e.Type).Distinct().Order());
    }

    // Goal: this check can fail. Method: an example that shows another amount.
    [Fact]
    public async Task An_example_that_shows_something_else_is_caught()
    {
        var pay = Scenario.Split("```", 3)[1];
        await using var server = await DocsServer.StartAsync();
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(
            () => FollowAsync(server, $$"""
                ```{{pay}}```
                ```json
                { "status": "CAPTURED", "captured": 14999 }
                ```
                """));
    }

    /// <summary>What an order of two merchants writes, whose second part is cancelled.</summary>
    private static async Task OrderAsync(DocsServer server)
    {
        var made = new Ids(TimeProvider.System);
        var ids = Enumerable.Range(0, 5).Select(_ => made.Next()).ToArray();
        var (order, sale, payment, user, nowMs) =
            (ids[0], ids[1], ids[2], ids[3].ToString(), TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        var fact = new OrderFact(order, sale, "platform", user, "KRW", [new(ids[4], "other", 2, 10_000)], nowMs);
        await server.AppendAsync(
            OrderEvents.Of(new OrderPayment(
                payment, order, "platform", user, 40_000, "KRW", "GATEWAY", "order-1",
                [new("demo", 30_000), new("other", 10_000)], nowMs + 300_000, nowMs)),
            OrderEvents.Of(OrderEvents.Confirmed, fact),
            OrderEvents.Of(OrderEvents.Cancelled, fact),
            BatchesEvents.Of(Payout.Of(
                new(new(1, "demo", "KRW"), 2, 1, 45_000, 5_000, 2_250, 250),
                new DateOnly(2026, 11, 24).DayNumber, new(nowMs), 0, nowMs)));
        await ResultsAsync(1);
        await server.AppendAsync(OrderEvents.Of(new OrderRefund(
            made.Next(), payment, order, "platform", user, "other", 10_000, "KRW", "order-refund-1",
            "cancelled", nowMs)));
        await ResultsAsync(2);

        Task ResultsAsync(int count) => Eventually.HoldsAsync(
            async () => (await server.Database.ReadAsync(
                tx => tx.QueryAsync(SelectEvents, Rows.None, r => (Type: r.Text(0), Payload: r.Text(1)))))
                .Count(e => e.Type == "payment.result/1" && e.Payload.Contains($"{order}")) == count,
            () => $"the order has {count} results");
    }

    /// <summary>A reconciliation of a day without payments.</summary>
    private static async Task ReconcileAsync(DocsServer server)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/reconciliations")
        {
            Content = new StringContent(
                """{"from":"2030-01-01T00:00:00Z","until":"2030-01-02T00:00:00Z","deep":false}""",
                System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("Authorization", "Bearer fg_demo_admin");
        request.Headers.Add("Idempotency-Key", "day-1");
        using var response = await server.Client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        await Eventually.HoldsAsync(
            async () => (await server.Database.ReadAsync(
                tx => tx.QueryAsync(SelectEvents, Rows.None, r => r.Text(0)))).Contains("reconciliation.completed/1"),
            () => "the reconciliation is told");
    }

    private const string Call = "curl http://127.0.0.1:8080/v1/payments";

    private const string Headers =
        "-H 'Authorization: Bearer fg_demo_merchant' -H 'Prefer: wait=9' -H 'Content-Type: application/json'";

    private const string Scenario = $$$"""
        ```sh
        {{{Call}}} {{{Headers}}} -H 'Idempotency-Key: first-1' \
          -d '{"amount":{"amount":15000,"currency":"KRW"},"userId":"u-1","orderId":"o-1"}'
        {{{Call}}}/THE-ID/refund {{{Headers}}} -H 'Idempotency-Key: refund-1' \
          -d '{"amount":{"amount":5000,"currency":"KRW"}}'
        {{{Call}}} {{{Headers}}} -H 'Idempotency-Key: second-1' \
          -d '{"amount":{"amount":15000,"currency":"KRW"},"userId":"u-1","orderId":"o-2","capture":false}'
        {{{Call}}}/THE-ID/capture {{{Headers}}} -H 'Idempotency-Key: capture-1' \
          -d '{"amount":{"amount":12000,"currency":"KRW"}}'
        {{{Call}}} {{{Headers}}} -H 'Idempotency-Key: third-1' \
          -d '{"amount":{"amount":15000,"currency":"KRW"},"userId":"u-1","orderId":"o-3","method":"WALLET"}'
        curl http://127.0.0.1:8080/v1/wallets/u-1/top-ups {{{Headers}}} -H 'Idempotency-Key: fourth-1' \
          -d '{"amount":{"amount":7000,"currency":"KRW"}}'
        ```
        """;

    /// <summary>Makes the calls of a document and compares; how many answers were compared.</summary>
    private static async Task<int> FollowAsync(DocsServer server, string document)
    {
        var compared = 0;
        ShellCall? last = null;
        string? answer = null;
        string? id = null;
        foreach (var block in Document.Blocks(document))
        {
            if (block.Language == "sh")
            {
                foreach (var call in ShellCall.In(block.Text))
                {
                    last = call;
                    answer = await SendAsync(server, call, id);
                    id = IdOf(answer) ?? id;
                }
            }
            else if (block.Language == "json")
            {
                await CompareAsync(server, last!, answer!, block);
                compared++;
            }
        }

        return compared;
    }

    /// <summary>A GET is repeated, because what it shows may take a moment to come about.</summary>
    private static async Task CompareAsync(DocsServer server, ShellCall call, string answer, Block block)
    {
        var expected = Document.Normalized(block.Text);
        try
        {
            await Eventually.HoldsAsync(
                async () =>
                {
                    answer = call.Method == "GET" ? await SendAsync(server, call, null) : answer;
                    return call.Method != "GET" || Document.Normalized(answer) == expected;
                },
                () => call.Path);
        }
        catch (TimeoutException)
        {
            // Told below, with both texts.
        }

        var real = Document.Normalized(answer);
        Assert.True(
            expected == real, $"Line {block.Line} shows\n{expected}\nand {call.Method} {call.Path} answers\n{real}");
    }

    private static async Task<string> SendAsync(DocsServer server, ShellCall call, string? id)
    {
        using var response = await server.Client.SendAsync(call.ToRequest(id));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{call.Method} {call.Path}: {(int)response.StatusCode} {text}");
        return text;
    }

    private static string? IdOf(string answer)
    {
        var json = JsonNode.Parse(answer) as JsonObject;
        return (json?["id"] ?? (json?["data"] as JsonArray)?.FirstOrDefault()?["id"])?.ToString();
    }
}
