using System.Collections.Concurrent;
using System.Text.Json;
using Floodgate.Tests.Fixtures;

namespace Floodgate.Tests.Drills;

/// <summary>An order that a buyer wants: sent under one key until it is answered or given up.</summary>
internal sealed class WantedOrder(string user, string key, string body)
{
    public string User => user;

    public string Key => key;

    public string Body => body;

    public int Sent { get; set; }

    /// <summary>The ids that answers told.</summary>
    public ConcurrentQueue<Guid> Told { get; } = [];
}

/// <summary>
/// Buyers who hold, pay at once or later, cancel, or leave what they hold; they send again what got no answer, and some
/// leave instead. They keep on whatever happens to the server, until they are asked to finish.
/// </summary>
internal sealed class OrderTraffic
{
    private const int Buyers = 16;

    private readonly ServerApi api;
    private readonly string saleId;
    private readonly string stock;
    private readonly string seats;
    private readonly ConcurrentQueue<WantedOrder> orders = [];
    private readonly ConcurrentQueue<string> complaints = [];
    private readonly Moments moments = new();
    private readonly List<Task> buyers;
    private volatile bool isClosing;
    private int numbers;

    /// <summary>Opens the doors of a sale with a product of stock and one of seats.</summary>
    public OrderTraffic(ServerApi api, Random chance, (string Sale, string Stock, string Seats) ids)
    {
        this.api = api;
        (saleId, stock, seats) = ids;
        buyers = [.. Enumerable.Range(0, Buyers).Select(_ => chance.Next()).Select(
            (seed, number) => Task.Run(() => ShopAsync($"u-{number}", new Random(seed))))];
    }

    /// <summary>All that was wanted so far.</summary>
    public IReadOnlyCollection<WantedOrder> Orders => orders;

    /// <summary>Answers that no client should ever get.</summary>
    public IReadOnlyCollection<string> Complaints => complaints;

    /// <summary>Completes with the n-th request or answer from now.</summary>
    public Task HappenAsync(int times) => moments.HappenAsync(times, buyers);

    /// <summary>Lets every buyer finish what it wants now; then nothing is under way.</summary>
    public Task FinishAsync()
    {
        isClosing = true;
        return Task.WhenAll(buyers).WaitAsync(Eventually.Deadline);
    }

    private async Task ShopAsync(string user, Random chance)
    {
        while (!isClosing)
        {
            var number = Interlocked.Increment(ref numbers);
            var order = new WantedOrder(user, $"order-{number}", Body(user, chance));
            orders.Enqueue(order);
            if (await AskAsync("/v1/orders", order.Key, order.Body, chance, order) is not { IsAccepted: true } placed)
            {
                continue;
            }

            if (placed.Text("status") == "TEMPORARY_ASSIGNED" && chance.Next(3) > 0)
            {
                var method = chance.Next(2) == 0 ? "WALLET" : "GATEWAY";
                await AskAsync(
                    $"/v1/orders/{placed.Id}/pay", $"pay-{number}", $$"""{"method":"{{method}}"}""", chance, order);
            }

            if (chance.Next(3) == 0)
            {
                await AskAsync($"/v1/orders/{placed.Id}/cancel", $"cancel-{number}", "{}", chance, order);
            }
        }
    }

    private string Body(string user, Random chance)
    {
        List<string> items = [];
        if (chance.Next(2) == 0)
        {
            items.Add($$"""{"productId":"{{stock}}","quantity":{{chance.Next(1, 4)}}}""");
        }

        if (items.Count == 0 || chance.Next(2) == 0)
        {
            items.Add(chance.Next(3) == 0
                ? $$"""{"productId":"{{seats}}","seats":["A-{{chance.Next(1, 11)}}-{{chance.Next(1, 21)}}"]}"""
                : $$"""{"productId":"{{seats}}","quantity":{{chance.Next(1, 4)}}}""");
        }

        var pay = chance.Next(4) switch
        {
            0 => ",\"pay\":{\"method\":\"WALLET\"}",
            1 => ",\"pay\":{\"method\":\"GATEWAY\"}",
            _ => "",
        };
        return $$"""{"saleId":"{{saleId}}","userId":"{{user}}","items":[{{string.Join(',', items)}}]{{pay}}}""";
    }

    /// <summary>
    /// Asks until there is an answer that is not "ask again"; null when the buyer leaves without one.
    /// </summary>
    private async Task<Reply?> AskAsync(string path, string key, string body, Random chance, WantedOrder order)
    {
        Reply? reply = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                reply = await SendAsync(path, key, body, order);
                return reply is null
                    ? chance.Next(8) == 0
                    : reply.Status < 500 && reply.Code is not ("idempotency_key_in_use" or "payment_pending");
            },
            () => $"{path} of {key} is answered; last: {reply?.Status} {reply?.Code}");
        return reply;
    }

    private async Task<Reply?> SendAsync(string path, string key, string body, WantedOrder order)
    {
        order.Sent++;
        moments.Happen();
        try
        {
            var reply = await api.PostAsync(path, key, body);
            if (reply.IsAccepted)
            {
                order.Told.Enqueue(reply.Id);
            }
            else if (reply.Status >= 500 && (reply.Status != 503 || reply.RetryAfter is null))
            {
                complaints.Enqueue($"{path} of {key}: {reply.Status} {reply.Code}");
            }

            return reply;
        }
        catch (Exception lost) when (lost is HttpRequestException or IOException or JsonException)
        {
            return null;
        }
        finally
        {
            moments.Happen();
        }
    }
}
