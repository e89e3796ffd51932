using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

/// <summary>A sale with a waiting room on a real server, and those who come to it.</summary>
internal sealed class Gate(PaymentServer server, Shop owner, string saleId)
{
    /// <summary>A sale that has been open for years.</summary>
    public const string LongOpen = "2020-01-01T00:00:00Z";

    /// <summary>A sale that will not open while a test runs.</summary>
    public const string NotYet = "2098-01-01T00:00:00Z";

    private Shop shop = owner;

    public string SaleId => saleId;

    public Guid Sale => Guid.Parse(saleId);

    public Shop Shop => shop;

    private WaitingRooms Rooms => server.Services.GetRequiredService<WaitingRooms>();

    /// <summary>A new merchant's sale; its room has these settings, such as <c>"activeMax":2</c>.</summary>
    public static async Task<Gate> OpenAsync(PaymentServer server, string room = "", string opensAt = LongOpen)
    {
        var shop = await server.OpenShopAsync();
        var gate = new Gate(server, shop, await MakeSaleAsync(shop, opensAt));
        (await gate.SetAsync(room)).Expect(200);
        return gate;
    }

    public static async Task<string> MakeSaleAsync(
        Shop shop, string opensAt = LongOpen, string endsAt = "2099-01-01T00:00:00Z") =>
        (await shop.SendAsync(
            "POST", "/v1/sales", SaleBody(opensAt, endsAt), $"Idempotency-Key: {Path.GetRandomFileName()}"))
            .Expect(201).Id;

    /// <summary>The same gate after the server was started again.</summary>
    public void Reopen() => shop = server.Again(shop);

    /// <summary>Sets the room; what is left out takes its default.</summary>
    public Task<Reply> SetAsync(string room) =>
        shop.SendAsync("PUT", $"/v1/sales/{saleId}/waiting-room", $"{{{room}}}");

    public async Task<Reply> RoomAsync() => (await shop.GetAsync($"/v1/sales/{saleId}/waiting-room")).Expect(200);

    /// <summary>Changes the sale's times.</summary>
    public async Task MoveAsync(int version, string opensAt, string endsAt = "2099-01-01T00:00:00Z") =>
        (await shop.SendAsync(
            "PUT", $"/v1/sales/{saleId}", SaleBody(opensAt, endsAt).Replace("{", $"{{\"version\":{version},")))
            .Expect(200);

    public Task<Reply> JoinAsync(string user) =>
        shop.SendAsync("POST", $"/v1/sales/{saleId}/queue", $$"""{"userId":"{{user}}"}""");

    /// <summary>Joins for a new ticket.</summary>
    public async Task<string> TicketAsync(string user) => (await JoinAsync(user)).Expect(201).Of("ticket");

    public Task<Reply> LookAsync(string ticket) => shop.GetAsync($"/v1/queue/{ticket}");

    public Task<Reply> LeaveAsync(string ticket) => shop.SendAsync("DELETE", $"/v1/queue/{ticket}");

    public async Task<long> PositionAsync(string ticket) => (await LookAsync(ticket)).Expect(200).Number("position");

    /// <summary>Waits until the ticket is in this state; its last answer.</summary>
    public async Task<Reply> BecomesAsync(string ticket, string state)
    {
        Reply? last = null;
        await PaymentServer.EventuallyAsync($"{ticket} is {state}", async () =>
        {
            last = (await LookAsync(ticket)).Expect(200);
            return last.Of("state") == state;
        });
        return last!;
    }

    /// <summary>Joins and waits to be admitted: the ticket and its pass.</summary>
    public async Task<(string Ticket, string Pass)> EnterAsync(string user)
    {
        var ticket = await TicketAsync(user);
        return (ticket, (await BecomesAsync(ticket, "ACTIVE")).Of("pass"));
    }

    /// <summary>What a pass is worth to one of the merchant's customers.</summary>
    public CheckedPass Check(string? pass, string user) =>
        Rooms.Check(pass, Sale, new Buyer(shop.MerchantId, user));

    /// <summary>Uses a ticket up as an order does: true when it was good.</summary>
    public async Task<bool> UseAsync(string ticket) => (await server.Services.GetRequiredService<Database>()
        .WriteAsync(tx => Rooms.UseAsync(tx, [Guid.Parse(ticket)]))).Count == 1;

    /// <summary>Opens the ticket's event stream.</summary>
    public async Task<TicketStream> ListenAsync(string ticket)
    {
        var client = new HttpClient { BaseAddress = server.Address };
        var response = await client.GetAsync(
            $"/v1/queue/{ticket}/events", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new(client, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    private static string SaleBody(string opensAt, string endsAt) =>
        $$"""{"name":"Spring","currency":"KRW","opensAt":"{{opensAt}}","endsAt":"{{endsAt}}"}""";
}

/// <summary>An open event stream.</summary>
internal sealed class TicketStream(HttpClient client, StreamReader lines) : IDisposable
{
    /// <summary>The next event; null when the server has ended the stream.</summary>
    public async Task<Reply?> NextAsync()
    {
        while (await lines.ReadLineAsync().WaitAsync(Eventually.Deadline) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return new Reply(200, line[6..], new HttpResponseMessage().Headers, null);
            }

            Assert.True(line is "" or "event: ticket", line);
        }

        return null;
    }

    /// <summary>Reads on to an event with this state.</summary>
    public async Task<Reply> UntilAsync(Func<Reply, bool> isIt)
    {
        while (await NextAsync() is { } reply)
        {
            if (isIt(reply))
            {
                return reply;
            }
        }

        throw new InvalidOperationException("The stream ended before.");
    }

    public void Dispose()
    {
        lines.Dispose();
        client.Dispose();
    }
}
