using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Floodgate.Load.Audit;
using Floodgate.Load.Hold;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>
/// Buyers who come back to their orders a little later: to pay twice at once, or to give everything or a part back.
/// </summary>
internal sealed class ComeBacks(Session session, OrderDesk desk) : IDisposable
{
    private const int ConnectionsMax = 16;
    private const int TriesMax = 60;
    private static readonly TimeSpan After = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CancelAfter = TimeSpan.FromSeconds(2);
    private readonly ConcurrentBag<Task> all = [];
    private readonly ConcurrentBag<HttpConnection> free = [];
    private readonly SemaphoreSlim places = new(ConnectionsMax);
    private readonly Lock gate = new();

    // Guarded by the gate.
    private readonly Findings paidTwice = new();
    private long cancelled;
    private long partlyCancelled;
    private long notCancelled;

    /// <summary>Answers that refused to cancel or to pay, by code.</summary>
    public RefusalCodes Codes { get; } = new();

    /// <summary>Orders given back whole, given back in part, and refused.</summary>
    public (long Whole, long Part, long Refused) Cancelled => (cancelled, partlyCancelled, notCancelled);

    /// <summary>Whether each order that was to be paid twice at once was paid once.</summary>
    public AuditCheck PaidTwice => paidTwice.Check("of two payments of one order at once, one is taken");

    /// <summary>An order was accepted whose buyer comes back to it.</summary>
    public void Add(int number, OrderKind kind, Guid id) => all.Add(ServeAsync(new ComeBack(number, kind, id)));

    /// <summary>Completes when <paramref name="load"/> is done and nobody is left who comes back.</summary>
    public async Task RunAsync(Task load)
    {
        await load;
        await Task.WhenAll(all);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var connection in free)
        {
            connection.Dispose();
        }

        places.Dispose();
    }

    private async Task ServeAsync(ComeBack back)
    {
        await Task.Delay(back.Kind == OrderKind.PaidTwice ? After : CancelAfter, session.Time);
        if (back.Kind == OrderKind.PaidTwice)
        {
            await PayTwiceAsync(back);
        }
        else
        {
            await CancelAsync(back);
        }
    }

    private async Task PayTwiceAsync(ComeBack back)
    {
        var method = desk.Plan.ByWallet ? "WALLET" : "GATEWAY";
        var body = $"{{\"method\":\"{method}\"}}";
        var both = await Task.WhenAll(
            SendAsync($"/v1/orders/{back.Id}/pay", Bearer(back), $"{session.RunId}-p-{back.Number}-1", body),
            SendAsync($"/v1/orders/{back.Id}/pay", Bearer(back), $"{session.RunId}-p-{back.Number}-2", body));
        lock (gate)
        {
            // An answer that never came may have been the one that was taken.
            var taken = both.Count(answer => answer.Status is 200 or 202);
            paidTwice.Look(
                taken == 1 || (taken == 0 && both.Any(answer => answer.Status == 0))
                    ? null
                    : $"answers {both[0].Status} and {both[1].Status}",
                $"order {back.Id}");
        }
    }

    private async Task CancelAsync(ComeBack back)
    {
        var part = back.Kind == OrderKind.PartlyCancelled;
        var body = part ? $"{{\"merchantId\":\"{desk.Stage.SecondMerchantId}\"}}" : "{}";
        for (var tries = 0; tries < TriesMax; tries++)
        {
            var (status, code) = await SendAsync(
                $"/v1/orders/{back.Id}/cancel", Bearer(back), $"{session.RunId}-c-{back.Number}", body);
            if (status == 200)
            {
                Interlocked.Increment(ref part ? ref partlyCancelled : ref cancelled);
                return;
            }

            if (status is not (0 or 409 or 503) || code == "order_not_cancellable")
            {
                break;
            }

            await Task.Delay(After, session.Time);
        }

        Interlocked.Increment(ref notCancelled);
    }

    private string Bearer(ComeBack back) => back.Kind == OrderKind.PartlyCancelled
        ? desk.Stage.Users[desk.Stage.UserOf(back.Number)].Token
        : desk.Stage.MerchantKey;

    /// <summary>The status of the answer and the code of a refusal; 0 when none came.</summary>
    private async Task<(int Status, string Code)> SendAsync(
        string path, string bearer, string key, string body)
    {
        var template = new RequestTemplate($"POST {path}", OrderHeads.Of(session, bearer, key), body);
        var buffer = new byte[template.BytesMax];
        await places.WaitAsync();
        var connection = free.TryTake(out var idle) ? idle : new HttpConnection(session.EndPoint, session.Time);
        try
        {
            var reply = await connection.ExchangeAsync(buffer.AsMemory(0, template.Write(buffer, default)));
            if (reply.Status < 400)
            {
                return (reply.Status, "");
            }

            Codes.Count(reply.Status, connection.Body(reply));
            return (reply.Status, Encoding.ASCII.GetString(JsonPeek.Text(connection.Body(reply), "\"code\":\""u8)));
        }
        catch (Exception broken) when (broken is SocketException or IOException or HttpReplyException)
        {
            return (0, "");
        }
        finally
        {
            free.Add(connection);
            places.Release();
        }
    }

    private readonly record struct ComeBack(int Number, OrderKind Kind, Guid Id);
}
