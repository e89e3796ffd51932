using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Storage.Database;
using Floodgate.Tests.Checkout.Admission;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Nodes;

// Goal: one line, whichever node a buyer comes to: one ticket for each, one order, nobody overtaken, whatever becomes
// of Redis or of a node. Method: two real servers that share rooms, and a Redis that is killed with all it knew.
public sealed class When_two_nodes_share_a_waiting_room(PostgreSqlServer postgreSql)
{
    private const string Closed = "\"paused\":true,\"activeMax\":1000";

    [Fact]
    public async Task Both_show_the_same_line_in_the_order_of_arrival()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var (left, right) = await OpenAsync(nodes, Closed);
        var tickets = await JoinInTurnAsync(left, right, 20);
        foreach (var gate in new[] { left, right })
        {
            for (var n = 0; n < tickets.Count; n++)
            {
                await HasPositionAsync(gate, tickets[n], n + 1);
            }
        }

        // Who leaves at one node is gone at the other, and all behind move up.
        (await right.LeaveAsync(tickets[0])).Expect(204);
        await HasPositionAsync(left, tickets[19], 19);
        Assert.Equal("LEFT", (await left.LookAsync(tickets[0])).Of("state"));
    }

    [Fact]
    public async Task A_buyer_who_joins_at_both_at_once_has_one_ticket()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var (left, right) = await OpenAsync(nodes, Closed);
        for (var n = 0; n < 10; n++)
        {
            var joined = await Task.WhenAll(Enumerable.Range(0, 8).Select(
                i => (i % 2 == 0 ? left : right).JoinAsync($"u-{n}")));
            Assert.Single(joined.Select(reply => reply.Of("ticket")).Distinct());
            Assert.Single(joined, reply => reply.Status == 201);
        }
    }

    [Fact]
    public async Task Those_who_come_to_either_are_admitted_in_order_and_no_more_than_there_are_places()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var (left, right) = await OpenAsync(nodes, "\"paused\":true,\"activeMax\":5");
        var tickets = await JoinInTurnAsync(left, right, 20);
        (await left.SetAsync("\"activeMax\":5")).Expect(200);
        for (var served = 0; served < 20; served += 5)
        {
            foreach (var ticket in tickets.Skip(served).Take(5))
            {
                var pass = (await right.BecomesAsync(ticket, "ACTIVE")).Of("pass");
                Assert.Equal(pass, (await left.BecomesAsync(ticket, "ACTIVE")).Of("pass"));
            }

            Assert.Equal(5, await CountAsync(nodes, TicketState.Active));
            foreach (var ticket in tickets.Skip(served).Take(5))
            {
                Assert.True(await (served % 2 == 0 ? left : right).UseAsync(ticket));
                Assert.False(await right.UseAsync(ticket));
            }
        }
    }

    // Goal: nothing of the line is in Redis alone. Method: kill it while ten wait, let more join at both nodes, admit
    // all in the order in which they came.
    [Fact]
    public async Task When_Redis_loses_all_it_knew_nobody_loses_a_place()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var (left, right) = await OpenAsync(nodes, Closed);
        var tickets = await JoinInTurnAsync(left, right, 10);
        await nodes.Redis.KillAsync();
        await nodes.RedisIsAsync(away: true);
        tickets.AddRange(await JoinInTurnAsync(left, right, 10, "without"));
        (await right.SetAsync("\"activeMax\":10")).Expect(200);
        await ActiveAsync(tickets[..10]);
        Assert.Equal(10, await CountAsync(nodes, TicketState.Active));

        await nodes.Redis.StartAgainAsync();
        await nodes.RedisIsAsync(away: false);
        tickets.AddRange(await JoinInTurnAsync(left, right, 10, "after"));
        for (var served = 0; served < 20; served += 10)
        {
            foreach (var ticket in tickets[served..(served + 10)])
            {
                Assert.True(await left.UseAsync(ticket));
            }

            await ActiveAsync(tickets[(served + 10)..(served + 20)]);
            Assert.Equal(10, await CountAsync(nodes, TicketState.Active));
        }

        async Task ActiveAsync(List<string> expected)
        {
            foreach (var ticket in expected)
            {
                await right.BecomesAsync(ticket, "ACTIVE");
                await left.BecomesAsync(ticket, "ACTIVE");
            }
        }
    }

    // Goal: the line outlives the node that admits. Method: stop it, another goes on, in order.
    [Fact]
    public async Task When_the_node_that_admits_stops_the_other_goes_on_in_order()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var (left, right) = await OpenAsync(nodes, Closed);
        var tickets = await JoinInTurnAsync(left, right, 6);
        await nodes.Left.RestartAsync("Server:Role=worker");
        (await right.SetAsync("\"activeMax\":3")).Expect(200);
        foreach (var ticket in tickets[..3])
        {
            await right.BecomesAsync(ticket, "ACTIVE");
        }

        Assert.All(
            await Task.WhenAll(tickets[3..].Select(right.LookAsync)),
            reply => Assert.Equal("WAITING", reply.Of("state")));
    }

    // Goal: who asks at one node is alive for the one that admits. Method: tickets that only the right node hears of,
    // and one that nobody asks for.
    [Fact]
    public async Task Who_asks_at_any_node_stays_and_who_asks_nowhere_goes()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql, "Admission:AbandonedSeconds=4");
        var (left, right) = await OpenAsync(nodes, Closed);
        var (asked, silent) = (await right.TicketAsync("asked"), await right.TicketAsync("silent"));
        await PaymentServer.EventuallyAsync("the silent one is gone", async () =>
        {
            Assert.Equal("WAITING", (await right.LookAsync(asked)).Expect(200).Of("state"));
            return await StateAsync(nodes, silent) == TicketState.Expired;
        });
        Assert.Equal(TicketState.Waiting, await StateAsync(nodes, asked));
        Assert.NotEqual(left.Shop, right.Shop);
    }

    private static async Task<(Gate Left, Gate Right)> OpenAsync(TwoNodes nodes, string room)
    {
        var left = await Gate.OpenAsync(nodes.Left, room);
        var right = new Gate(nodes.Right, nodes.AtRight(left.Shop), left.SaleId);
        var rooms = nodes.Right.Services.GetRequiredService<WaitingRooms>();
        await PaymentServer.EventuallyAsync(
            "the right node knows the room", () => Task.FromResult(rooms.IsRequired(left.Sale)));
        return (left, right);
    }

    private static async Task<List<string>> JoinInTurnAsync(Gate left, Gate right, int count, string who = "u")
    {
        var tickets = new List<string>();
        for (var n = 0; n < count; n++)
        {
            tickets.Add(await (n % 2 == 0 ? left : right).TicketAsync($"{who}-{n}"));
        }

        return tickets;
    }

    private static Task HasPositionAsync(Gate gate, string ticket, long position) => PaymentServer.EventuallyAsync(
        $"{ticket} has position {position}", async () => await gate.PositionAsync(ticket) == position);

    private static async Task<int> CountAsync(TwoNodes nodes, TicketState state) =>
        (await AllAsync(nodes)).Count(ticket => ticket.State == state);

    private static async Task<TicketState> StateAsync(TwoNodes nodes, string ticket) =>
        (await AllAsync(nodes)).Single(one => one.Id == Guid.Parse(ticket)).State;

    private static async Task<List<Stored>> AllAsync(TwoNodes nodes) => await nodes.Left.Services
        .GetRequiredService<Database>().ReadAsync(tx => tx.QueryAsync(
            new Statement("select q.id, q.state from queue_ticket q"),
            Rows.None,
            row => new Stored(row.Id(0), TicketStates.FromStored(row.Text(1)))));

    private sealed record Stored(Guid Id, TicketState State);
}
