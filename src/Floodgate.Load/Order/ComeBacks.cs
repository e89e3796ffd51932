using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Floodgate.Load.Audit;
using Floodgate.Load.Hold;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>
/// Buyers who come back to their orders a little later: to pay twice at once, or to give everything or a part back.
/// </summary>
internal sealed class ComeBacks(Session session, OrderDesk desk)
{
    private const int Workers = 16;
    private const int TriesMax = 60;
    private static readonly TimeSpan After = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CancelAfter = TimeSpan.FromSeconds(2);
    private readonly Channel<ComeBack> due = Channel.CreateUnbounded<ComeBack>();
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
    public void Add(int number, OrderKind kind, Guid id) => due.Writer.TryWrite(new ComeBack(
        number, kind, id, session.Time.GetTimestamp() + Ticks(kind == OrderKind.PaidTwice ? After : CancelAfter)));

    /// <summary>Serves them until <paramref name="load"/> is done and nobody is left.</summary>
    public async Task RunAsync(Task load)
    {
        var workers = Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)).ToList();
        await load;
        due.Writer.TryComplete();
        await Task.WhenAll(workers);
    }

    private async Task WorkAsync()
    {
        using var first = new HttpConnection(session.EndPoint, session.Time);
        using var second = new HttpConnection(session.EndPoint, session.Time);
        await foreach (var back in due.Reader.ReadAllAsync())
        {
            await UntilAsync(back.DueAt);
            if (back.Kind == OrderKind.PaidTwice)
            {
                await PayTwiceAsync(first, second, back);
            }
            else
            {
                await CancelAsync(first, back);
            }
        }
    }

    private async Task UntilAsync(long timestamp)
    {
        var wait = session.Time.GetElapsedTime(session.Time.GetTimestamp(), timestamp);
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, session.Time);
        }
    }

    private async Task PayTwiceAsync(HttpConnection first, HttpConnection second, ComeBack back)
    {
        var method = desk.Plan.ByWallet ? "WALLET" : "GATEWAY";
        var body = $"{{\"method\":\"{method}\"}}";
        var both = await Task.WhenAll(
            SendAsync(first, $"/v1/orders/{back.Id}/pay", Bearer(back), $"{session.RunId}-p-{back.Number}-1", body),
            SendAsync(second, $"/v1/orders/{back.Id}/pay", Bearer(back), $"{session.RunId}-p-{back.Number}-2", body));
        lock (gate)
        {
            // An answer that never came may have been the one that was taken.
            var taken = both.Count(answer => answer.Status is 200 or 202);
            paidTwice.Look(
                taken == 1 || (taken == 0 && both.Any(answer => answer.Status == 0)) ? null : $"answers {both[0].Status} and {both[1].Status}",
                $"order {back.Id}");
        }
    }

    private async Task CancelAsync(HttpConnection connection, ComeBack back)
    {
        var part = back.Kind == OrderKind.PartlyCancelled;
        var body = part ? $"{{\"merchantId\":\"{desk.Stage.SecondMerchantId}\"}}" : "{}";
        for (var tries = 0; tries < TriesMax; tries++)
        {
            var (status, code) = await SendAsync(
                connection, $"/v1/orders/{back.Id}/cancel", Bearer(back), $"{session.RunId}-c-{back.Number}", body);
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
        ? desk.Stage.Users[back.Number % desk.Stage.Users.Count].Token
        : desk.Stage.MerchantKey;

    /// <summary>The status of the answer and the code of a refusal; 0 when none came.</summary>
    private async Task<(int Status, string Code)> SendAsync(
        HttpConnection connection, string path, string bearer, string key, string body)
    {
        var template = new RequestTemplate($"POST {path}", OrderHeads.Of(session, bearer, key), body);
        var buffer = new byte[template.BytesMax];
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
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * session.Time.TimestampFrequency);

    private readonly record struct ComeBack(int Number, OrderKind Kind, Guid Id, long DueAt);
}
