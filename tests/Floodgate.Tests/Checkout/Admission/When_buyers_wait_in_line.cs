using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: a buyer has one place in line, the right one, and is told so; so many are inside as the room has places.
// Method: through the front door, on both databases.
public sealed class When_buyers_wait_in_line(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task Of_a_hundred_and_fifty_at_once_a_hundred_are_inside(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"activeMax\":100");
        var joined = await Task.WhenAll(Enumerable.Range(0, 150).Select(i => gate.JoinAsync($"u-{i}")));
        Assert.All(joined, reply => reply.Expect(201));
        await PaymentServer.EventuallyAsync("100 are inside", async () =>
            (await gate.RoomAsync()).Number("active") == 100);

        // Exactly, and it stays so: nobody else comes in while nobody goes.
        var tickets = joined.Select(reply => reply.Of("ticket")).ToList();
        for (var look = 0; look < 3; look++)
        {
            var states = await Task.WhenAll(tickets.Select(gate.LookAsync));
            Assert.Equal(100, states.Count(reply => reply.Of("state") == "ACTIVE"));
            Assert.Equal(
                Enumerable.Range(1, 50).Select(i => (long)i),
                states.Where(reply => reply.Of("state") == "WAITING")
                    .Select(reply => reply.Number("position")).Order());
        }

        var room = await gate.RoomAsync();
        Assert.Equal((100, 50, "ACTIVE_MAX"), (room.Number("active"), room.Number("waiting"), room.Of("limitedBy")));
    }

    [Theory, OnBothDatabases]
    public async Task Who_comes_after_the_opening_comes_first_in_first_out(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"paused\":true,\"activeMax\":2");
        var tickets = new List<string>();
        for (var i = 1; i <= 20; i++)
        {
            var joined = (await gate.JoinAsync($"u-{i}")).Expect(201);
            Assert.Equal((i, i - 1), (joined.Number("position"), joined.Number("ahead")));
            Assert.Equal($"/v1/queue/{joined.Of("ticket")}", joined.Headers.Location?.ToString());
            Assert.Equal("", joined.Of("estimatedWaitSeconds"));
            tickets.Add(joined.Of("ticket"));
        }

        (await gate.Shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/waiting-room/resume")).Expect(200);
        for (var next = 0; next < 6; next += 2)
        {
            await gate.BecomesAsync(tickets[next], "ACTIVE");
            await gate.BecomesAsync(tickets[next + 1], "ACTIVE");
            Assert.Equal(1, await gate.PositionAsync(tickets[next + 2]));
            Assert.Equal(20 - next - 2, await gate.PositionAsync(tickets[19]));
            Assert.True(await gate.UseAsync(tickets[next]));
            Assert.Equal(204, (await gate.LeaveAsync(tickets[next + 1])).Status);
        }
    }

    [Theory, OnBothDatabases]
    public async Task A_buyer_has_one_ticket_however_often_and_at_once_it_joins(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"paused\":true");
        for (var round = 0; round < 5; round++)
        {
            var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => gate.JoinAsync($"u-{round}")));
            Assert.Single(replies, reply => reply.Status == 201);
            Assert.Equal(39, replies.Count(reply => reply.Status == 200));
            Assert.Single(replies.Select(reply => reply.Of("ticket")).Distinct());
            Assert.All(replies, reply => Assert.Equal(round + 1, reply.Number("position")));
        }

        Assert.Equal(5, (await gate.RoomAsync()).Number("waiting"));
    }

    [Theory, OnBothDatabases]
    public async Task Who_leaves_gives_the_place_back_at_once_and_comes_again_at_the_end(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"activeMax\":1");
        var (ann, _) = await gate.EnterAsync("ann");
        var (bob, eve) = (await gate.TicketAsync("bob"), await gate.TicketAsync("eve"));
        Assert.Equal(2, await gate.PositionAsync(eve));

        Assert.Equal(204, (await gate.LeaveAsync(ann)).Status);
        await gate.BecomesAsync(bob, "ACTIVE");
        Assert.Equal("LEFT", (await gate.LookAsync(ann)).Of("state"));
        Assert.Equal("", (await gate.LookAsync(ann)).Of("pollAfterMs"));
        Assert.Equal(204, (await gate.LeaveAsync(ann)).Status); // A repeat changes nothing.

        // Somebody in the middle goes: those behind move up, and nobody inside loses its place.
        var ann2 = await gate.TicketAsync("ann");
        Assert.Equal(2, await gate.PositionAsync(ann2));
        Assert.Equal(204, (await gate.LeaveAsync(eve)).Status);
        Assert.Equal(1, await gate.PositionAsync(ann2));
        Assert.Equal("ACTIVE", (await gate.LookAsync(bob)).Of("state"));
    }

    [Theory, OnBothDatabases]
    public async Task A_pass_that_is_not_used_in_time_gives_its_place_back(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"activeMax\":1,\"passSeconds\":1");
        var (ann, pass) = await gate.EnterAsync("ann");
        var bob = await gate.TicketAsync("bob");
        await gate.BecomesAsync(ann, "EXPIRED");
        await gate.BecomesAsync(bob, "ACTIVE");
        Assert.Equal("Expired", $"{gate.Check(pass, "ann").Verdict}");
        Assert.False(await gate.UseAsync(ann));
        Assert.NotEqual(ann, await gate.TicketAsync("ann"));
    }

    [Theory, OnBothDatabases]
    public async Task A_stream_tells_of_each_change_until_the_last(Stored stored)
    {
        var gate = await OpenAsync(stored, "\"activeMax\":1");
        var (ann, _) = await gate.EnterAsync("ann");
        var bob = await gate.TicketAsync("bob");
        using var events = await gate.ListenAsync(bob);
        var first = await events.NextAsync();
        Assert.Equal(("WAITING", 1), (first!.Of("state"), first.Number("position")));

        Assert.True(await gate.UseAsync(ann));
        var inside = await events.UntilAsync(reply => reply.Of("state") != "WAITING");
        Assert.Equal("ACTIVE", inside.Of("state"));
        Assert.Equal(Guid.Parse(bob), gate.Check(inside.Of("pass"), "bob").Ticket);

        Assert.True(await gate.UseAsync(bob));
        Assert.Equal("USED", (await events.UntilAsync(reply => reply.Of("state") != "ACTIVE")).Of("state"));
        Assert.Null(await events.NextAsync());

        using var late = await gate.ListenAsync(bob);
        Assert.Equal("USED", (await late.NextAsync())!.Of("state"));
        Assert.Null(await late.NextAsync());
    }

    // Goal: who waits sees its position without asking. Method: a stream is left alone for a round of the ticker.
    [Fact]
    public async Task A_stream_shows_the_position_every_five_seconds()
    {
        var gate = await OpenAsync(Stored.InSqlite, "\"paused\":true");
        var tickets = new[] { await gate.TicketAsync("a"), await gate.TicketAsync("b") };
        using var events = await gate.ListenAsync(tickets[1]);
        Assert.Equal(2, (await events.NextAsync())!.Number("position"));
        Assert.Equal(204, (await gate.LeaveAsync(tickets[0])).Status);
        Assert.Equal(1, (await events.NextAsync())!.Number("position"));
    }

    [Theory, OnBothDatabases]
    public async Task What_cannot_be_joined_or_found_is_refused_with_its_code(Stored stored)
    {
        var gate = await OpenAsync(stored);
        var shop = gate.Shop;
        const string nowhere = "0198c0de-0000-7000-8000-000000000000";
        (await shop.SendAsync("POST", $"/v1/sales/{nowhere}/queue", "{}")).Refuses(404, "not_found");
        (await shop.SendAsync("POST", "/v1/sales/seven/queue", "{}")).Refuses(404, "not_found");
        var ended = await Gate.MakeSaleAsync(shop, endsAt: "2021-01-01T00:00:00Z");
        (await shop.SendAsync("POST", $"/v1/sales/{ended}/queue", """{"userId":"u"}""")).Refuses(409, "sale_ended");
        var open = await Gate.MakeSaleAsync(shop);
        (await shop.SendAsync("POST", $"/v1/sales/{open}/queue", """{"userId":"u"}""")).Refuses(409, "no_waiting_room");
        (await shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue")).Refuses(400, "invalid_field");
        (await shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue", "[]")).Refuses(400, "invalid_body");
        (await shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue", """{"userId":"a b"}"""))
            .Refuses(400, "invalid_field");
        foreach (var ticket in new[] { nowhere, "seven" })
        {
            (await gate.LookAsync(ticket)).Refuses(404, "ticket_not_found");
            (await gate.LeaveAsync(ticket)).Refuses(404, "ticket_not_found");
            (await shop.GetAsync($"/v1/queue/{ticket}/events")).Refuses(404, "ticket_not_found");
        }
    }

    [Theory, OnBothDatabases]
    public async Task A_merchants_key_joins_for_its_customers_where_it_sells(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await OpenAsync(stored);
        var other = await server.OpenShopAsync();
        const string ann = """{"userId":"ann"}""";
        (await other.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue", ann)).Refuses(403, "forbidden");

        // In a platform's sale each merchant has its own ann; a user of the platform joins any sale for itself only.
        var shared = await Gate.MakeSaleAsync(server.Operator);
        (await server.Operator.SendAsync("PUT", $"/v1/sales/{shared}/waiting-room", "{}")).Expect(200);
        var tickets = new List<string>();
        foreach (var shop in new[] { gate.Shop, other })
        {
            tickets.Add((await shop.SendAsync("POST", $"/v1/sales/{shared}/queue", ann)).Expect(201).Of("ticket"));
        }

        Assert.NotEqual(tickets[0], tickets[1]);
        var user = await UserAsync(server, $"ann-{gate.SaleId}@example.com");
        var joined = (await user.Shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue")).Expect(201);
        Assert.Equal(user.Id, joined.Of("userId"));
        (await user.Shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/queue", ann)).Refuses(400, "invalid_field");
    }

    private static async Task<(Shop Shop, string Id)> UserAsync(PaymentServer server, string email)
    {
        var login = $$"""{"email":"{{email}}","password":"correct horse battery"}""";
        var made = (await server.Nobody.SendAsync("POST", "/v1/users", login)).Expect(201);
        var token = (await server.Nobody.SendAsync("POST", "/v1/sessions", login)).Json
            .GetProperty("accessToken").GetString()!;
        return (server.Nobody.WithKey(token), made.Of("userId"));
    }

    private async Task<Gate> OpenAsync(Stored stored, string room = "") =>
        await Gate.OpenAsync(await calm.OnAsync(stored, postgreSql), room);
}
