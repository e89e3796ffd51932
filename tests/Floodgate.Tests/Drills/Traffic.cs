using System.Collections.Concurrent;
using Floodgate.Tests.Fixtures;

namespace Floodgate.Tests.Drills;

/// <summary>
/// Buyers who pay, send again under the same key what got no answer (some leave instead), and then capture, void or
/// refund. They keep on whatever happens to the server, until they are asked to finish.
/// </summary>
internal sealed class Traffic
{
    private const int Buyers = 20;
    private const int WaitSeconds = 1;

    /// <summary>Refusals that only tell the buyer to ask again.</summary>
    private static readonly string[] AskAgain = ["idempotency_key_in_use", "payment_pending", "operation_pending"];

    private readonly ServerApi api;
    private readonly ConcurrentQueue<Intent> intents = [];
    private readonly ConcurrentQueue<string> complaints = [];
    private readonly List<Task> buyers;
    private readonly Moments moments = new();
    private volatile bool isClosing;
    private int numbers;

    /// <summary>Opens the doors.</summary>
    public Traffic(ServerApi api, Random chance)
    {
        this.api = api;
        buyers = [.. Enumerable.Range(0, Buyers).Select(_ => chance.Next()).Select(
            (seed, number) => Task.Run(() => ShopAsync(new Buyer($"u-{number}", new Random(seed)))))];
    }

    /// <summary>All that was wanted so far.</summary>
    public IReadOnlyCollection<Intent> Intents => intents;

    /// <summary>Answers that no client should ever get.</summary>
    public IReadOnlyCollection<string> Complaints => complaints;

    /// <summary>Completes with the n-th request or answer from now, or fails as the first buyer did.</summary>
    public Task HappenAsync(int times) => moments.HappenAsync(times, buyers);

    /// <summary>Lets every buyer finish what it wants now; then nothing is under way.</summary>
    public Task FinishAsync()
    {
        isClosing = true;
        return Task.WhenAll(buyers).WaitAsync(Eventually.Deadline);
    }

    private async Task ShopAsync(Buyer buyer)
    {
        while (!isClosing)
        {
            var want = buyer.Chance.Next(100) switch
            {
                < 40 => Want.Charge,
                < 60 => Want.Authorize,
                < 75 => Want.TopUp,
                < 90 => Want.WalletCharge,
                _ => Want.WalletAuthorize,
            };
            var payment = Wanted(want, buyer.User, 0, null);
            if (await AskAsync(payment, buyer, 0) is not null && buyer.Chance.Next(2) == 0
                && await AskAsync(payment, buyer, WaitSeconds) is { } final)
            {
                await GoOnAsync(final, buyer);
            }
        }
    }

    private async Task GoOnAsync(Reply final, Buyer buyer)
    {
        var minor = final.Json.GetProperty("amount").GetProperty("amount").GetInt64();
        if (final.Text("status") == "AUTHORIZED")
        {
            var isVoid = buyer.Chance.Next(4) == 0;
            var taken = buyer.Chance.Next(2) == 0 ? minor : buyer.Chance.NextInt64(1, minor);
            var order = Wanted(isVoid ? Want.Void : Want.Capture, buyer.User, isVoid ? 0 : taken, final.Id);
            if (await AskAsync(order, buyer, WaitSeconds) is null || isVoid)
            {
                return;
            }

            minor = taken;
        }

        if (final.Text("status") != "FAILED" && final.Text("purpose") == "SALE" && buyer.Chance.Next(2) == 0)
        {
            // Two at once that may ask for more than there is: then one of them must be refused.
            var refunds = Enumerable.Range(0, 2)
                .Select(_ => Wanted(Want.Refund, buyer.User, buyer.Chance.NextInt64(1, minor), final.Id)).ToList();
            await Task.WhenAll(refunds.Select(refund => AskAsync(refund, buyer, 0)));
        }
    }

    /// <summary>
    /// Asks until there is an answer: with a wait, until the answer is final. Null when it was refused or given up.
    /// </summary>
    private async Task<Reply?> AskAsync(Intent intent, Buyer buyer, int waitSeconds)
    {
        Reply? reply = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                reply = await SendAsync(intent, waitSeconds);
                if (reply is null)
                {
                    intent.IsGivenUp = intent.Sent == 1 && buyer.Draws(3);
                    return intent.IsGivenUp;
                }

                return reply.IsAccepted ? waitSeconds == 0 || reply.Status == 200 : !IsToBeAskedAgain(reply);
            },
            () => $"{intent.Path} of {intent.Key} is answered; last: {reply?.Status} {reply?.Code}");
        if (reply is { IsAccepted: false })
        {
            intent.Refusals.Add($"{reply.Status} {reply.Code}");
        }

        return reply is { IsAccepted: true } ? reply : null;
    }

    private async Task<Reply?> SendAsync(Intent intent, int waitSeconds)
    {
        intent.Sent++;
        moments.Happen();
        try
        {
            var reply = await api.PostAsync(intent.Path, intent.Key, intent.Body, waitSeconds);
            Check(intent, reply);
            return reply;
        }
        catch (Exception lost) when (lost is HttpRequestException or IOException)
        {
            return null;
        }
        finally
        {
            moments.Happen();
        }
    }

    private void Check(Intent intent, Reply reply)
    {
        if (reply.IsAccepted)
        {
            intent.Told.Add(reply.Id);
        }
        else if (reply.Status == 503 && reply.RetryAfter is null)
        {
            complaints.Enqueue($"{intent.Path} of {intent.Key}: 503 without Retry-After");
        }
        else if (reply.Status >= 500 && reply.Status != 503)
        {
            complaints.Enqueue($"{intent.Path} of {intent.Key}: {reply.Status} {reply.Code}");
        }
    }

    private static bool IsToBeAskedAgain(Reply reply) => reply.Status >= 500 || AskAgain.Contains(reply.Code);

    private Intent Wanted(Want want, string user, long minor, Guid? paymentId)
    {
        var number = Interlocked.Increment(ref numbers);
        var intent = new Intent(want, $"drill-{number}", user, paymentId is null ? 1_000 + number : minor, paymentId);
        intents.Enqueue(intent);
        return intent;
    }

    private sealed record Buyer(string User, Random Chance)
    {
        /// <summary>True once in so many times. Two orders of a buyer may draw at the same time.</summary>
        public bool Draws(int oneIn)
        {
            lock (Chance)
            {
                return Chance.Next(oneIn) == 0;
            }
        }
    }
}
