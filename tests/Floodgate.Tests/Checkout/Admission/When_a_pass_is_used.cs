using Floodgate.Checkout.Admission;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: a pass lets its buyer order once: not somebody else, not twice, not elsewhere, not later. Method: real passes
// from a real room; the door is called as orders call it, in transactions, on both databases.
public sealed class When_a_pass_is_used(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task Only_its_buyer_in_its_sale_gets_in_and_once(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (gate, other) = (await Gate.OpenAsync(server), await Gate.OpenAsync(server));
        var (ticket, pass) = await gate.EnterAsync("ann");
        Assert.Equal(new CheckedPass(PassVerdict.Good, Guid.Parse(ticket)), gate.Check(pass, "ann"));
        Assert.Equal(PassVerdict.OfAnotherBuyer, gate.Check(pass, "bob").Verdict);
        Assert.Equal(PassVerdict.Invalid, other.Check(pass, "ann").Verdict);
        Assert.Equal(PassVerdict.Invalid, gate.Check(pass[..^1], "ann").Verdict);

        Assert.True(await gate.UseAsync(ticket));
        Assert.False(await gate.UseAsync(ticket));
        Assert.Equal("USED", (await gate.LookAsync(ticket)).Of("state"));

        // The same buyer waits anew; the old pass stays used.
        var (second, newPass) = await gate.EnterAsync("ann");
        Assert.NotEqual(pass, newPass);
        Assert.False(await gate.UseAsync(ticket));
        Assert.True(await gate.UseAsync(second));
    }

    [Theory, OnBothDatabases]
    public async Task Of_many_transactions_with_one_ticket_one_gets_it(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server);
        var entered = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => gate.EnterAsync($"u-{i}")));
        var (database, rooms) = DoorOf(server);
        var tickets = entered.Select(one => Guid.Parse(one.Ticket)).ToArray();
        var backwards = tickets.Reverse().ToArray();
        var used = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i => await database.WriteAsync(
            tx => rooms.UseAsync(tx, i % 2 == 0 ? tickets : [.. backwards, .. tickets]))));
        Assert.Equal(tickets.Order(), used.SelectMany(one => one).Order());
        await PaymentServer.EventuallyAsync("all places are free", async () =>
            (await gate.RoomAsync()).Number("active") == 0);
    }

    // Goal: what did not happen has no effect. Method: the order that used the pass fails; then it is tried again.
    [Theory, OnBothDatabases]
    public async Task A_transaction_that_fails_uses_nothing(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"activeMax\":1");
        var (ticket, _) = await gate.EnterAsync("ann");
        var next = await gate.TicketAsync("bob");
        var (database, rooms) = DoorOf(server);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await database.WriteAsync<int>(async tx =>
        {
            Assert.Single(await rooms.UseAsync(tx, [Guid.Parse(ticket)]));
            throw new InvalidOperationException("The order failed.");
        }));
        Assert.Equal("ACTIVE", (await gate.LookAsync(ticket)).Of("state"));
        Assert.Equal(1, await gate.PositionAsync(next));
        Assert.True(await gate.UseAsync(ticket));
        await gate.BecomesAsync(next, "ACTIVE");
    }

    [Theory, OnBothDatabases]
    public async Task Only_tickets_inside_and_in_time_are_active(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"activeMax\":2");
        var (inside, left) = ((await gate.EnterAsync("ann")).Ticket, (await gate.EnterAsync("bob")).Ticket);
        var waiting = await gate.TicketAsync("eve");
        Assert.Equal(204, (await gate.LeaveAsync(left)).Status);
        await gate.BecomesAsync(waiting, "ACTIVE");
        var last = await gate.TicketAsync("zoe");
        var asked = new[] { inside, left, waiting, last }.Select(Guid.Parse).ToArray();
        var (database, rooms) = DoorOf(server);
        var active = await database.ReadAsync(tx => rooms.ActiveAsync(tx, [.. asked, Guid.Empty]));
        Assert.Equal(new[] { inside, waiting }.Select(Guid.Parse).Order(), active.Order());
        Assert.False(await gate.UseAsync(last));
        Assert.True(rooms.IsRequired(gate.Sale));
        Assert.False(rooms.IsRequired(Guid.Empty));
    }

    // Goal: with an api process beside it, the rooms stay where they are, and passes count everywhere. Method: two
    // servers on one PostgreSQL.
    [Fact]
    public async Task On_another_node_passes_count_and_queues_are_elsewhere()
    {
        var shared = $"Database:ConnectionString={await postgreSql.CreateDatabaseAsync()}";
        await using var server = await PaymentServer.StartAsync(Stored.InSqlite, postgreSql, shared);
        await using var api = await PaymentServer.StartAsync(Stored.InSqlite, postgreSql, shared, "Server:Role=api");
        var gate = await Gate.OpenAsync(server, "\"activeMax\":1");
        var (ticket, pass) = await gate.EnterAsync("ann");
        var next = await gate.TicketAsync("bob");
        var (database, rooms) = DoorOf(api);
        await PaymentServer.EventuallyAsync("the other node knows the room", () =>
            Task.FromResult(rooms.IsRequired(gate.Sale)));
        var buyer = new Floodgate.Access.Buyer(gate.Shop.MerchantId, "ann");
        Assert.Equal(PassVerdict.Good, rooms.Check(pass, gate.Sale, buyer).Verdict);
        Assert.Single(await database.WriteAsync(tx => rooms.UseAsync(tx, [Guid.Parse(ticket)])));
        await gate.BecomesAsync(next, "ACTIVE");

        var there = gate.Shop.With(new HttpClient { BaseAddress = api.Address });
        foreach (var (method, path) in new[]
        {
            ("POST", $"/v1/sales/{gate.SaleId}/queue"), ("GET", $"/v1/queue/{ticket}"),
            ("GET", $"/v1/queue/{ticket}/events"), ("DELETE", $"/v1/queue/{ticket}"),
        })
        {
            var refused = await there.SendAsync(method, path);
            Assert.Contains("Server:Role", refused.Refuses(503, "waiting_room_elsewhere").Of("detail"));
        }

        // Rules are set on any node, and hold on all.
        var room = $"/v1/sales/{gate.SaleId}/waiting-room";
        Assert.Equal("", (await there.SendAsync("PUT", room, """{"activeMax":2}""")).Expect(200).Of("waiting"));
        await gate.EnterAsync("eve");
        (await there.SendAsync("PUT", room, """{"enabled":false}""")).Expect(200);
        await PaymentServer.EventuallyAsync("the room is gone", () =>
            Task.FromResult(!DoorOf(server).Rooms.IsRequired(gate.Sale)));
    }

    private static (Database Database, WaitingRooms Rooms) DoorOf(PaymentServer server) => (
        server.Services.GetRequiredService<Database>(), server.Services.GetRequiredService<WaitingRooms>());
}
