using System.Text;
using System.Text.Json;
using Floodgate.Load.Audit;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: what is sent is what the auditor believes was offered. Method: the request bytes are read back with a real
/// JSON reader.
/// </summary>
public sealed class WorkloadTests
{
    [Theory]
    [InlineData(0, "key-a")]
    [InlineData(1, "key-bb")]
    [InlineData(123_456_788, "key-a")]
    public void The_request_says_what_its_number_means(int number, string key)
    {
        var workload = Requests(users: 10);
        var buffer = new byte[workload.RequestBytesMax];

        var text = Encoding.ASCII.GetString(buffer, 0, workload.Write(number, buffer));

        var (head, body) = (text[..text.IndexOf("\r\n\r\n")], text[(text.IndexOf("\r\n\r\n") + 4)..]);
        Assert.StartsWith("POST /v1/payments HTTP/1.1\r\nHost: here:1\r\n", head);
        Assert.Contains($"\r\nAuthorization: Bearer {key}\r\n", head);
        Assert.Contains($"\r\nIdempotency-Key: abcd1234-{number:D9}\r\n", head);
        Assert.EndsWith($"\r\nContent-Length: {body.Length}", head);
        var json = JsonDocument.Parse(body).RootElement;
        Assert.Equal(
            Workload.AmountMinor(number),
            json.GetProperty("amount").GetProperty("amount").GetInt64());
        Assert.Equal($"u-{number % 10:D9}", json.GetProperty("userId").GetString());
        Assert.True(workload.TryNumber(json.GetProperty("orderId").GetString(), out var read));
        Assert.Equal(number, read);
    }

    [Fact]
    public void Each_payment_has_its_own_user_unless_told_otherwise()
    {
        var workload = Requests(users: 0);
        var buffer = new byte[workload.RequestBytesMax];

        var length = workload.Write(77, buffer);

        Assert.Contains("\"u-000000077\"", Encoding.ASCII.GetString(buffer, 0, length));
    }

    [Fact]
    public void Amounts_keep_five_digits_for_every_number()
    {
        for (var number = 0; number < 200_000; number++)
        {
            Assert.InRange(Workload.AmountMinor(number), 10_000, 99_999);
        }

        Assert.InRange(Workload.AmountMinor(int.MaxValue), 10_000, 99_999);
    }

    [Theory]
    [InlineData("o-abcd1235-000000001")]
    [InlineData("o-abcd1234-x")]
    [InlineData("mine")]
    [InlineData(null)]
    public void Orders_of_others_are_not_ours(string? orderId) =>
        Assert.False(Requests(0).TryNumber(orderId, out _));

    [Fact]
    public void The_id_is_found_in_an_answer_and_missed_where_there_is_none()
    {
        Assert.True(Workload.TryReadId(
            """{"id":"0198c5c8-0000-7000-8000-000000000001","status":"REQUESTED"}"""u8, out var id));
        Assert.Equal("0198c5c8-0000-7000-8000-000000000001", id.ToString());
        Assert.False(Workload.TryReadId("{}"u8, out _));
        Assert.False(Workload.TryReadId("""{"id":"7"}"""u8, out _));
    }

    [Fact]
    public void Offers_that_settle_in_no_way_fail_the_audit()
    {
        // Eleven arrivals, one of them dropped: ten must be in the book with an outcome, and one has none.
        var offers = new OfferBook();
        for (var i = 0; i < 10; i++)
        {
            offers[offers.Take()].Outcome = i == 3 ? OfferOutcome.None : OfferOutcome.Refused;
        }

        var checks = new AuditChecks(new AuditBook(offers, Requests(0))).All(new ArrivalCount(11, 1), true);

        Assert.Equal("offered = accepted + refused + errors", Assert.Single(checks, check => !check.Holds).Name);
    }

    [Fact]
    public void Arrivals_that_were_neither_offered_nor_dropped_fail_the_audit()
    {
        var offers = new OfferBook();
        offers[offers.Take()].Outcome = OfferOutcome.Refused;

        var checks = new AuditChecks(new AuditBook(offers, Requests(0))).All(new ArrivalCount(3, 1), true);

        Assert.Equal("offered = accepted + refused + errors", Assert.Single(checks, check => !check.Holds).Name);
    }

    [Fact]
    public void An_audited_payment_takes_less_than_400_bytes_so_a_million_fit_400_MB()
    {
        const int many = 100_000;
        var workload = Requests(0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var offers = new OfferBook();
        for (var i = 0; i < many; i++)
        {
            offers[offers.Take()] = new Offer { Id = Id(i), Outcome = OfferOutcome.Accepted };
        }

        var book = new AuditBook(offers, workload);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        var line = new WireStatementLine("1", Id(5), "CHARGE", new WireMoney(1, "KRW"), "APPROVED");
        book.Add(line);
        book.Add(line);
        var checks = new AuditChecks(book).All(new ArrivalCount(many, 0), true);

        Assert.InRange(bytes / many, 1, 400);
        Assert.Equal(many, checks.Single(check => check.Name == "every accepted payment is final").Broken);
        Assert.Equal(1, checks.Single(check => check.Name == "no payment is charged twice").Broken);
    }

    [Theory]
    [InlineData("a_total 3\nx_total 2", "x_total", 2.0)]
    [InlineData("# HELP x_total 9\nx_total_more 1\nx_total{a=\"b c\"} 2.5e3 1700000000", "x_total", 2500.0)]
    [InlineData("x_total_more 1", "x_total", null)]
    public void Metrics_are_read_from_prometheus_text(string text, string name, double? value) =>
        Assert.Equal(value, ServerApi.Sample(text, name));

    private static Guid Id(int i) => new(i, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8);

    private static Workload Requests(int users) =>
        new(new WorkloadPlan("here:1", "/v1/payments", ["key-a", "key-bb"], "abcd1234", users));
}
