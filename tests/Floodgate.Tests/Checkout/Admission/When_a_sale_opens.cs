using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: being early does not help, being patient does, and nobody loses a place by a restart. Method: a crowd before
// the opening, which is then moved to the past; the server is started again on what is stored.
public sealed class When_a_sale_opens(PostgreSqlServer postgreSql)
{
    private const int Crowd = 40;

    [Theory, OnBothDatabases]
    public async Task The_crowd_before_is_drawn_those_after_queue_and_a_restart_keeps_the_order(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"paused\":true,\"activeMax\":3", Gate.NotYet);
        var crowd = new List<string>();
        for (var i = 0; i < Crowd; i++)
        {
            var joined = (await gate.JoinAsync($"early-{i}")).Expect(201);
            Assert.Equal(("", i + 1), (joined.Of("position"), joined.Number("waiting")));
            Assert.Equal("SCHEDULED", joined.Json.GetProperty("sale").GetProperty("state").GetString());
            crowd.Add(joined.Of("ticket"));
        }

        // A restart before the opening redraws nothing: the draw is stored, though nobody can see it yet.
        await server.RestartAsync();
        gate.Reopen();
        Assert.Equal(Crowd, (await gate.LookAsync(crowd[0])).Number("waiting"));
        await gate.MoveAsync(1, Gate.LongOpen);
        var order = await OrderAsync(gate, crowd);
        Assert.Equal(Enumerable.Range(1, Crowd).Select(i => (long)i), order.Order());
        Assert.NotEqual(Enumerable.Range(1, Crowd).Select(i => (long)i), order);

        var late = await gate.TicketAsync("late");
        var later = await gate.TicketAsync("later");
        Assert.Equal(204, (await gate.LeaveAsync(crowd[order.IndexOf(5)])).Status);
        await server.RestartAsync();
        gate.Reopen();
        Assert.Equal(order.Select(rank => rank > 5 ? rank - 1 : rank == 5 ? 0 : rank), await OrderAsync(gate, crowd));
        Assert.Equal((Crowd, Crowd + 1), (await gate.PositionAsync(late), await gate.PositionAsync(later)));
        Assert.Equal(Crowd + 2, await gate.PositionAsync(await gate.TicketAsync("last")));
        Assert.Equal(late, (await gate.JoinAsync("late")).Expect(200).Of("ticket"));

        // Those inside stay inside over a restart, with the same pass, and count.
        (await gate.Shop.SendAsync("POST", $"/v1/sales/{gate.SaleId}/waiting-room/resume")).Expect(200);
        var inside = Enumerable.Range(1, 3).Select(rank => crowd[order.IndexOf(rank)]).ToList();
        var passes = new List<string>();
        foreach (var ticket in inside)
        {
            passes.Add((await gate.BecomesAsync(ticket, "ACTIVE")).Of("pass"));
        }

        await server.RestartAsync();
        gate.Reopen();
        Assert.Equal(3, (await gate.RoomAsync()).Number("active"));
        Assert.Equal(passes[0], (await gate.LookAsync(inside[0])).Of("pass"));
        Assert.True(await gate.UseAsync(inside[0]));
        await gate.BecomesAsync(crowd[order.IndexOf(4)], "ACTIVE");
        Assert.Equal("LEFT", (await gate.LookAsync(crowd[order.IndexOf(5)])).Of("state"));
        Assert.Equal(1, await gate.PositionAsync(crowd[order.IndexOf(6)]));
    }

    // Goal: somebody who closed the page blocks nobody. Method: three wait, one of them asks now and then.
    [Theory, OnBothDatabases]
    public async Task Who_is_not_heard_of_leaves_the_line(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Admission:AbandonedSeconds=3");
        var gate = await Gate.OpenAsync(server, "\"paused\":true");
        var (gone, there) = (await gate.TicketAsync("gone"), await gate.TicketAsync("there"));
        var listening = await gate.TicketAsync("listening");
        using var events = await gate.ListenAsync(listening);
        await PaymentServer.EventuallyAsync("the first is gone", async () => await gate.PositionAsync(there) == 1);
        Assert.Equal("EXPIRED", (await gate.LookAsync(gone)).Of("state"));
        Assert.Equal("WAITING", (await gate.LookAsync(there)).Of("state"));
    }

    // Goal: the end of a sale ends the waiting for it, and its tickets go in time. Method: the end is moved to the
    // past.
    [Theory, OnBothDatabases]
    public async Task The_end_of_the_sale_is_told_and_its_tickets_go(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var gate = await Gate.OpenAsync(server, "\"activeMax\":1");
        var (inside, _) = await gate.EnterAsync("ann");
        var waiting = await gate.TicketAsync("bob");
        using var events = await gate.ListenAsync(waiting);
        var now = new Floodgate.Vocabulary.UtcInstant(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        await gate.MoveAsync(1, Gate.LongOpen, $"{now}");
        var last = await events.UntilAsync(reply => reply.Of("state") != "WAITING");
        Assert.Equal("EXPIRED", last.Of("state"));
        Assert.Equal("ENDED", last.Json.GetProperty("sale").GetProperty("state").GetString());
        Assert.Null(await events.NextAsync());
        Assert.Equal("EXPIRED", (await gate.LookAsync(inside)).Of("state"));
        (await gate.JoinAsync("eve")).Refuses(409, "sale_ended");

        await server.RestartAsync("Admission:EndedKeptSeconds=0");
        gate.Reopen();
        await PaymentServer.EventuallyAsync("the tickets are deleted", async () =>
            (await gate.LookAsync(waiting)).Status == 404);
    }

    private static async Task<List<long>> OrderAsync(Gate gate, List<string> tickets)
    {
        var order = new List<long>();
        await PaymentServer.EventuallyAsync("the sale is open for all who wait", async () =>
            (await gate.LookAsync(tickets[0])).Of("position") != "");
        foreach (var ticket in tickets)
        {
            var reply = (await gate.LookAsync(ticket)).Expect(200);
            order.Add(reply.Of("state") == "WAITING" ? reply.Number("position") : 0);
        }

        return order;
    }
}
