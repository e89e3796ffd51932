using System.Text;
using System.Text.Json;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Settlement.Reconciliation;

// Goal: an error that is there is found once and never mended silently; clean books are silent. Method: payments of all
// kinds on the real server, and errors of each kind planted behind it.
public sealed class When_books_are_reconciled(PostgreSqlServer postgreSql)
{
    private static readonly Statement Completed = new(
        "select e.payload from log_event e where e.type = 'reconciliation.completed/1'");

    private static readonly string[] Calm = ["Reconciliation:GraceSeconds=0", "Jobs:PollMs=50"];

    [Theory, OnBothDatabases]
    public async Task Clean_books_are_silent(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Calm);
        await FillAsync(server);
        var report = await ReconcileAsync(server);
        Assert.Equal("[]", await FindingsAsync(server, report.Id));
        Assert.Equal("True", report.Of("balanced"));
        Assert.Equal((6, 6, 0), (report.Number("compared"), report.Number("matched"), report.Number("findings")));
        Assert.Equal("", report.Of("detail"));
        Assert.Contains("KRW: debits ", report.Of("totals"));
        Assert.Contains("in the window KRW: debits ", report.Of("totals"));
        var told = await server.Services.GetRequiredService<Database>().ReadAsync(
            tx => tx.QueryAsync(Completed, Rows.None, r => r.Text(0)));
        Assert.Contains($"\"reconciliationId\":\"{report.Id}\"", Assert.Single(told));
    }

    [Theory, OnBothDatabases]
    public async Task Every_kind_of_error_is_found_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Calm);
        var paid = await FillAsync(server);
        await ReconcileAsync(server, "clean");
        string Id(int i) => server.Literal(paid[i]);
        string[] plants =
        [
            $"delete from provider_line where ref_id = {Id(0)} returning 1",
            $"update provider_line set amount = amount + 1 where ref_id = {Id(1)} returning 1",
            $"update provider_line set currency = 'USD' where ref_id = {Id(2)} returning 1",
            "insert into provider_line (statement_id, line_no, ref_id, reference, kind, amount, currency, at_ms) "
                + "select statement_id, 1001, {random id}, 'foreign', kind, amount, currency, at_ms "
                + $"from provider_line where ref_id = {Id(3)} returning 1",
            "insert into provider_line (statement_id, line_no, ref_id, reference, kind, amount, currency, at_ms) "
                + "select statement_id, 1002, ref_id, reference, kind, amount, currency, at_ms "
                + $"from provider_line where ref_id = {Id(3)} and reference <> 'foreign' returning 1",
            $"update ledger_entry set amount = amount + 1 where payment_id = {Id(3)} and line = 1 returning 1",
            "update ledger_account set debit_total = debit_total + 1 where kind = 'ProviderClearing' returning 1",
            "insert into pool (product_id, sale_id, capacity, held, sold, takes, seats) "
                + "select {random id}, {random id}, 5, 1, 0, 0, secret from pass_key returning 1",
        ];
        foreach (var sql in plants)
        {
            await server.TamperAsync(sql);
        }

        var first = await ReconcileAsync(server, "first");
        var found = await server.Operator.AllAsync($"/v1/reconciliations/{first.Id}/findings", 200);
        string[] expected =
        [
            $"missing_there {paid[0]}", $"amount_differs {paid[1]}", $"amount_differs {paid[2]}",
            "missing_here CHARGE foreign", $"duplicate_there CHARGE {paid[3]}", $"posting_unbalanced {paid[3]} 0",
            "totals_differ KRW", "account_differs", "account_differs",
            "check_failed captured-payments-have-postings", "check_failed pools-equal-orders",
            "check_failed shares-equal-pools", "check_failed one-order-per-seat",
        ];
        var named = found.Select(Name).ToList();
        foreach (var one in expected.Distinct())
        {
            Assert.Equal((one, expected.Count(e => e == one)), (one, named.Count(n => n.StartsWith(one))));
        }

        Assert.Equal(expected.Length, named.Count);
        Assert.Equal("False", first.Of("balanced"));
        Assert.All(found, one => Assert.Equal("OPEN", one.GetProperty("state").GetString()));

        // Again: the same errors are the same findings.
        var second = await ReconcileAsync(server, "second");
        Assert.Equal(
            found.Select(one => one.GetProperty("id").GetString()),
            (await server.Operator.AllAsync($"/v1/reconciliations/{second.Id}/findings", 200))
                .Select(one => one.GetProperty("id").GetString()));

        // What was resolved stays so, and is opened again by other facts.
        var id = found.Single(one => Name(one) == $"amount_differs {paid[1]}").GetProperty("id").GetString();
        var closed = await server.Operator.SendAsync("POST", $"/v1/findings/{id}/resolve", """{"note":"Rounded."}""");
        Assert.Equal(("RESOLVED", "Rounded."), (closed.Expect(200).Of("state"), closed.Of("note")));
        await ReconcileAsync(server, "third");
        Assert.Equal([id], await IdsAsync(server, "RESOLVED"));
        await server.TamperAsync($"update provider_line set amount = amount + 1 where ref_id = {Id(1)} returning 1");
        await ReconcileAsync(server, "fourth");
        Assert.Empty(await IdsAsync(server, "RESOLVED"));
        Assert.Equal(expected.Length, (await IdsAsync(server, "OPEN")).Count);
    }

    // Goal: what is under way is no error. Method: a line there of what is unknown here; and what happened there while
    // it failed here, which is one.
    [Theory, OnBothDatabases]
    public async Task What_is_in_flight_is_no_finding_and_what_failed_here_only_is(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Calm);
        var paid = await FillAsync(server);
        foreach (var (id, state) in new[] { (paid[0], "UNKNOWN"), (paid[1], "FAILED") })
        {
            await server.TamperAsync(
                $"update payment set state = '{state}' where id = {server.Literal(id)} returning 1");
        }

        var report = await ReconcileAsync(server, isDeep: false);
        var found = await server.Operator.AllAsync($"/v1/reconciliations/{report.Id}/findings", 200);
        Assert.Equal([$"missing_here CHARGE {paid[1]}"], found.Select(Name));
    }

    [Theory, OnBothDatabases]
    public async Task What_is_young_or_in_no_statement_is_left_for_later(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Jobs:PollMs=50");
        await FillAsync(server);
        var report = await ReconcileAsync(server);
        Assert.Equal((0, 0), (report.Number("compared"), report.Number("findings")));
    }

    [Theory, OnBothDatabases]
    public async Task The_timetable_asks_for_what_is_new(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Calm);
        await FillAsync(server);
        (await server.Operator.SendAsync("POST", "/v1/ops/jobs/reconciliation-deep/runs")).Expect(202);
        await PaymentServer.EventuallyAsync("it is done", async () =>
            (await server.Operator.AllAsync("/v1/reconciliations", 200)) is [var run]
                && run.GetProperty("state").GetString() == "DONE" && run.GetProperty("compared").GetInt64() == 6
                && run.GetProperty("findings").GetInt64() == 0);
    }

    [Theory, OnBothDatabases]
    public async Task A_file_is_matched_like_the_providers_own_record(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Calm);
        var paid = await FillAsync(server);
        var file = new StringBuilder("when,id,type,minor,cur\n");
        file.AppendLine($"{DateTimeOffset.FromUnixTimeMilliseconds(MsOf(paid[0])):O},{paid[0]},charge,999,KRW");
        file.AppendLine($"{DateTimeOffset.FromUnixTimeMilliseconds(MsOf(paid[0])):O},unheard-of,refund,5,KRW");
        const string mapping = "?reference=id&kind=type&amount=minor&currency=cur&at=when";
        var loaded = (await UploadAsync(server, "file-1", file.ToString(), mapping)).Expect(201);
        Assert.Equal(2, loaded.Number("lines"));
        var again = (await UploadAsync(server, "file-1", file.ToString(), mapping)).Expect(201);
        Assert.Equal((loaded.Id, true), (again.Id, again.IsReplay));

        var report = await ReconcileAsync(server);
        var found = (await server.Operator.AllAsync($"/v1/reconciliations/{report.Id}/findings", 200)).Select(Name);
        Assert.Equal([$"amount_differs {paid[0]}", "missing_here REFUND unheard-of"], found.Order());
    }

    [Theory, OnBothDatabases]
    public async Task Of_a_wrong_file_nothing_is_kept(Stored stored)
    {
        const string head = "reference,kind,amount,currency,at\n";
        const string line = "a,CHARGE,1,KRW,2030-01-01T00:00:00Z\n";
        await using var server = await PaymentServer.StartAsync(
            stored, postgreSql, [.. Calm, "Reconciliation:UploadBytesMax=2000000"]);
        foreach (var (text, says) in new[]
        {
            ("", "The file is empty"),
            ("a,b\n", "Line 1 has no column reference, kind, amount, currency, at"),
            (head + line + "b,CHARGE,x,KRW,2030-01-01\nc,CHARGE,1,KRW", "Line 3 has the amount \"x\""),
            (head + line + "b,CHARGE,2,KRW,2030-01-01\n" + line, "Line 4 is the same as line 2; send each once."),
            (head + line + new string('x', 10_000) + "\n", "is longer than 8192 bytes"),
            (head + line + new string('x', 200_000), "8192 bytes"),
        })
        {
            var refused = (await UploadAsync(server, $"key-{says.Length}", text)).Expect(400);
            Assert.Equal("statement_invalid", refused.Code);
            Assert.StartsWith("Nothing was kept. ", refused.Of("detail"));
            Assert.Contains(says, refused.Of("detail"));
        }

        Assert.Equal("statement_not_csv", (await server.Operator.SendAsync(
            "POST", "/v1/reconciliations/statements", "{}", "Idempotency-Key: k")).Expect(415).Code);
        Assert.Equal("body_too_large", (await UploadAsync(server, "big", new string('x', 2_000_001))).Expect(413).Code);
        Assert.Equal("invalid_parameter", (await UploadAsync(server, "k", head, "?from=now")).Expect(400).Code);
        var report = await ReconcileAsync(server, from: "2029-12-31T00:00:00Z", until: "2030-01-02T00:00:00Z");
        Assert.Equal(0, report.Number("findings"));

        // The same key may be used once the file is right.
        (await UploadAsync(server, "key-17", head + line)).Expect(201);
    }

    [Fact]
    public async Task Wrong_requests_are_refused_with_what_to_do()
    {
        await using var server = await PaymentServer.StartAsync(Stored.InSqlite, postgreSql, Calm);
        var asked = (await AskAsync(server, "k", "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z")).Expect(202);
        var replay = (await AskAsync(server, "k", "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z")).Expect(202);
        Assert.Equal((asked.Id, true), (replay.Id, replay.IsReplay));
        Assert.Equal("idempotency_key_reused",
            (await AskAsync(server, "k", "2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z", false)).Expect(422).Code);
        Assert.Equal("invalid_field", (await AskAsync(server, "x", "2030-01-02", "2030-01-01")).Expect(400).Code);
        Assert.Equal("invalid_field", (await AskAsync(server, "x", "soon", "2030-01-01")).Expect(400).Code);
        Assert.Equal("idempotency_key_missing", (await server.Operator.SendAsync(
            "POST", "/v1/reconciliations", "{}")).Expect(400).Code);
        var nothing = "01a1fbb4-05d7-78b8-88a5-2b97f381b802";
        Assert.Equal("reconciliation_not_found",
            (await server.Operator.GetAsync($"/v1/reconciliations/{nothing}")).Expect(404).Code);
        Assert.Equal("finding_not_found", (await server.Operator.SendAsync(
            "POST", $"/v1/findings/{nothing}/explain", """{"note":"x"}""")).Expect(404).Code);
        Assert.Equal("invalid_field", (await server.Operator.SendAsync(
            "POST", $"/v1/findings/{nothing}/explain", """{"note":""}""")).Expect(400).Code);
        Assert.Equal("invalid_parameter",
            (await server.Operator.GetAsync("/v1/findings?state=SOME")).Expect(400).Code);
    }

    /// <summary>Payments of all kinds; the ids of four that were captured by the gateway in one step.</summary>
    private static async Task<List<string>> FillAsync(PaymentServer server)
    {
        var shop = await server.OpenShopAsync();
        var paid = new List<string>();
        foreach (var amount in new[] { 61, 62, 63, 64 })
        {
            paid.Add((await shop.PayAsync(amount)).Expect(200).Id);
        }

        (await shop.AskAsync("capture", (await shop.AuthorizeAsync(71)).Id)).Expect(200);
        (await shop.AskAsync("void", (await shop.AuthorizeAsync(72)).Id)).Expect(200);
        (await shop.AskAsync("refund", paid[2], 3)).Expect(200);
        return paid;
    }

    private static async Task<Reply> ReconcileAsync(
        PaymentServer server, string key = "once", bool isDeep = true,
        string from = "2020-01-01T00:00:00Z", string until = "2100-01-01T00:00:00Z")
    {
        var id = (await AskAsync(server, key, from, until, isDeep)).Expect(202).Id;
        Reply report = null!;
        await PaymentServer.EventuallyAsync("the reconciliation is over", async () =>
            (report = await server.Operator.GetAsync($"/v1/reconciliations/{id}")).Of("state") is "DONE" or "FAILED");
        Assert.Equal("DONE", report.Of("state"));
        return report;
    }

    private static Task<Reply> AskAsync(
        PaymentServer server, string key, string from, string until, bool isDeep = true) => server.Operator.SendAsync(
        "POST", "/v1/reconciliations",
        $$"""{"from":"{{from}}","until":"{{until}}","deep":{{(isDeep ? "true" : "false")}}}""",
        $"Idempotency-Key: {key}");

    private static async Task<Reply> UploadAsync(PaymentServer server, string key, string text, string query = "")
    {
        using var client = new HttpClient { BaseAddress = server.Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/reconciliations/statements{query}")
        {
            Content = new StringContent(text, Encoding.UTF8, "text/csv"),
        };
        request.Headers.Add("Authorization", $"Bearer {Floodgate.Access.ApiKeys.DemoAdminKey}");
        request.Headers.Add("Idempotency-Key", key);
        request.Headers.ExpectContinue = true; // Or the refusal of what is too large cuts the line under the sender.
        return await Reply.ReadAsync(await client.SendAsync(request));
    }

    private static async Task<string> FindingsAsync(PaymentServer server, string id) =>
        (await server.Operator.GetAsync($"/v1/reconciliations/{id}/findings")).Expect(200).Json
            .GetProperty("data").GetRawText();

    private static async Task<List<string?>> IdsAsync(PaymentServer server, string state) =>
        [.. (await server.Operator.AllAsync($"/v1/findings?state={state}", 200))
            .Select(one => one.GetProperty("id").GetString())];

    private static string Name(JsonElement finding) =>
        $"{finding.GetProperty("kind").GetString()} {finding.GetProperty("subject").GetString()}";

    /// <summary>The moment in an id of version 7.</summary>
    private static long MsOf(string id) => Convert.ToInt64(id.Replace("-", "")[..12], 16);
}
