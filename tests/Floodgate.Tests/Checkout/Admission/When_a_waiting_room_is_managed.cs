using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: merchants and operators set what a room lets in, see what it does, and can stop it at once. Method: through the
// front door, on both databases.
public sealed class When_a_waiting_room_is_managed(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task It_shows_what_was_set_and_can_be_sent_back_as_it_was_read(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var path = $"/v1/sales/{await Gate.MakeSaleAsync(shop)}/waiting-room";
        var none = (await shop.GetAsync(path)).Expect(200);
        Assert.Equal(("False", 0, 100, 600), (none.Of("enabled"), none.Number("version"), none.Number("activeMax"),
            none.Number("passSeconds")));
        (await shop.SendAsync("POST", $"{path}/pause")).Refuses(409, "no_waiting_room");

        const string rules =
            """{"activeMax":7,"passSeconds":30,"ratePerSecondMin":2,"ratePerSecondMax":9,"paused":true}""";
        var made = (await shop.SendAsync("PUT", path, rules)).Expect(200);
        Assert.Equal(("True", "True", 7, 1), (made.Of("enabled"), made.Of("paused"), made.Number("activeMax"),
            made.Number("version")));
        Assert.Equal((2, 9, 0), (made.Number("ratePerSecondMin"), made.Number("ratePerSecondMax"),
            made.Number("waiting")));
        var again = (await shop.SendAsync("PUT", path, (await shop.GetAsync(path)).Text)).Expect(200);
        Assert.Equal((7, 2), (again.Number("activeMax"), again.Number("version")));
        (await shop.SendAsync("PUT", path, """{"version":1}""")).Refuses(409, "waiting_room_conflict");
        Assert.Equal(100, (await shop.SendAsync("PUT", path, """{"version":2}""")).Expect(200).Number("activeMax"));
    }

    [Theory, OnBothDatabases]
    public async Task Only_its_merchant_and_operators_may(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server);
        var other = await server.OpenShopAsync();
        var path = $"/v1/sales/{gate.SaleId}/waiting-room";
        (await other.GetAsync(path)).Refuses(404, "not_found");
        (await other.SendAsync("PUT", path, "{}")).Refuses(404, "not_found");
        (await other.SendAsync("POST", $"{path}/pause")).Refuses(404, "not_found");
        (await server.Operator.SendAsync("POST", $"{path}/pause")).Expect(200);
        Assert.Equal("True", (await gate.RoomAsync()).Of("paused"));

        var shared = $"/v1/sales/{await Gate.MakeSaleAsync(server.Operator)}/waiting-room";
        (await other.SendAsync("PUT", shared, "{}")).Refuses(404, "not_found");
        (await server.Operator.SendAsync("PUT", shared, "{}")).Expect(200);
    }

    [Theory, OnBothDatabases]
    public async Task While_it_is_paused_many_join_and_nobody_comes_in(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"activeMax\":2");
        var (inside, _) = await gate.EnterAsync("ann");
        var path = $"/v1/sales/{gate.SaleId}/waiting-room";
        Assert.Equal("True", (await gate.Shop.SendAsync("POST", $"{path}/pause")).Expect(200).Of("paused"));
        var version = (await gate.Shop.SendAsync("POST", $"{path}/pause")).Expect(200).Number("version");
        Assert.Equal(2, version); // A repeat changes nothing.
        var bob = await gate.TicketAsync("bob");
        await PaymentServer.EventuallyAsync("the pause is in force", async () =>
            (await gate.RoomAsync()).Of("limitedBy") == "PAUSED");
        Assert.Equal(1, await gate.PositionAsync(bob));
        Assert.Equal("ACTIVE", (await gate.LookAsync(inside)).Of("state")); // Who is inside stays and may order.
        Assert.True(await gate.UseAsync(inside));
        Assert.Equal(("", 1), ((await gate.LookAsync(bob)).Of("estimatedWaitSeconds"), await gate.PositionAsync(bob)));
        (await gate.Shop.SendAsync("POST", $"{path}/resume")).Expect(200);
        await gate.BecomesAsync(bob, "ACTIVE");
    }

    // Goal: nobody waits for nothing without being told. Method: the stock is sold behind the back of a stream, on a
    // server of its own, because its books are wrong from there on.
    [Theory, OnBothDatabases]
    public async Task Those_who_wait_are_told_when_all_is_sold(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"activeMax\":1");
        var product = (await gate.Shop.SendAsync(
            "POST", "/v1/products", $$"""{"saleId":"{{gate.SaleId}}","name":"Cap","stock":3,"price":100}""",
            "Idempotency-Key: cap")).Expect(201).Id;
        var (inside, _) = await gate.EnterAsync("ann");
        var bob = await gate.TicketAsync("bob");
        using var events = await gate.ListenAsync(bob);
        var first = (await events.UntilAsync(reply => OfSale(reply, "capacity") == "3"));
        Assert.Equal(("ACTIVE", "3"), (OfSale(first, "state"), OfSale(first, "available")));

        await server.TamperAsync($"""
            insert into pool (product_id, sale_id, capacity, held, sold, takes, seats)
            values ({server.Literal(product)}, {server.Literal(gate.SaleId)}, 3, 0, 3, 3, '') returning 1
            """);
        var told = await events.UntilAsync(reply => OfSale(reply, "state") == "SOLD_OUT");
        Assert.Equal(("WAITING", "3", "0"), (told.Of("state"), OfSale(told, "sold"), OfSale(told, "available")));
        Assert.Equal(204, (await gate.LeaveAsync(inside)).Status);
        await PaymentServer.EventuallyAsync("nobody is admitted", async () =>
            (await gate.RoomAsync()).Of("limitedBy") == "SOLD_OUT");
        Assert.Equal(1, await gate.PositionAsync(bob));

        // A hold that comes back is something to wait for again.
        await server.TamperAsync(
            $"update pool set sold = 2, held = 1 where product_id = {server.Literal(product)} returning 1");
        await gate.BecomesAsync(bob, "ACTIVE");
    }

    [Theory, OnBothDatabases]
    public async Task A_room_that_is_switched_off_keeps_the_places_for_later(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"paused\":true");
        var tickets = new[] { await gate.TicketAsync("a"), await gate.TicketAsync("b") };
        using var events = await gate.ListenAsync(tickets[1]);
        Assert.NotNull(await events.NextAsync());
        (await gate.SetAsync("\"enabled\":false")).Expect(200);
        Assert.Null(await events.NextAsync());
        (await gate.LookAsync(tickets[1])).Refuses(409, "no_waiting_room");
        (await gate.JoinAsync("c")).Refuses(409, "no_waiting_room");
        (await gate.SetAsync("\"paused\":true")).Expect(200);
        Assert.Equal(2, await gate.PositionAsync(tickets[1]));
    }

    [Theory]
    [InlineData("\"activeMax\":0", "invalid_field")]
    [InlineData("\"activeMax\":1000001", "invalid_field")]
    [InlineData("\"passSeconds\":0", "invalid_field")]
    [InlineData("\"passSeconds\":86401", "invalid_field")]
    [InlineData("\"ratePerSecondMin\":0", "invalid_field")]
    [InlineData("\"ratePerSecondMax\":100001", "invalid_field")]
    [InlineData("\"ratePerSecondMin\":9,\"ratePerSecondMax\":8", "invalid_field")]
    [InlineData("\"activeMax\":\"many\"", "invalid_body")]
    [InlineData("\"surprise\":1", "invalid_body")]
    public async Task What_cannot_be_is_refused(string room, string code)
    {
        var gate = await Gate.OpenAsync(await calm.OnAsync(Stored.InSqlite, postgreSql));
        (await gate.SetAsync(room)).Refuses(400, code);
    }

    // Goal: limits hold with their codes. Method: a server with the smallest limits.
    [Fact]
    public async Task More_tickets_and_streams_than_the_limits_are_refused()
    {
        await using var server = await PaymentServer.StartAsync(
            Stored.InSqlite, postgreSql, "Admission:TicketsMax=2", "Admission:StreamsMax=1");
        var gate = await Gate.OpenAsync(server, "\"paused\":true");
        var (a, b) = (await gate.TicketAsync("a"), await gate.TicketAsync("b"));
        Assert.Contains("Admission:TicketsMax", (await gate.JoinAsync("c")).Refuses(503, "unavailable").Of("detail"));
        (await gate.JoinAsync("a")).Expect(200);
        using var events = await gate.ListenAsync(a);
        (await gate.Shop.GetAsync($"/v1/queue/{b}/events")).Refuses(503, "ticket_streams_full");
    }

    private static string OfSale(Reply reply, string field) =>
        reply.Json.GetProperty("sale").GetProperty(field).ToString();
}
