using System.Runtime.InteropServices;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>What the book says about a call, and which line says so; no line when nothing was recorded.</summary>
internal readonly record struct Recorded(ProviderAnswer Answer, int? Line);

/// <summary>
/// What a provider remembers: every call that had an effect or was declined, once per id, in order. Holds about 100
/// bytes a line and no objects per line. All members are thread-safe; the lock is held for well under a microsecond,
/// a page of the statement excepted.
/// </summary>
internal sealed class ProviderBook : IDisposable
{
    /// <summary>Lines the book takes; calls beyond it are refused at the door (about 2 GB).</summary>
    public const int LineCountMax = 20_000_000;

    private const int ChunkBits = 12;

    private readonly TimeProvider time;
    private ProviderJournal? journal;

    // Under the gate: the lines in chunks that never move, and the ways to find them.
    private readonly Lock gate = new();
    private readonly List<Entry[]> chunks = [];
    private readonly BookIndex byId;
    private readonly BookIndex byPayment;
    private int count;

    /// <summary>An empty book, or the one that the journal holds. Disposing the book closes the journal.</summary>
    public ProviderBook(TimeProvider time, ProviderJournal? journal = null)
    {
        this.time = time;
        byId = new BookIndex(line => At(line).Line.Id);
        byPayment = new BookIndex(line => At(line).Line.PaymentId);
        if (journal is not null)
        {
            Keep(journal);
        }
    }

    /// <summary>Takes in what the journal holds and from now on writes to it: once, before the first call.</summary>
    public void Keep(ProviderJournal journal)
    {
        this.journal = journal;
        journal.ReadAll(Add);
    }

    /// <summary>Lines in the book.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>
    /// Carries out the call once and answers; the same id gets its first answer for ever. In this order:
    /// Unknown <c>id_reused</c> when the id belongs to other content (asking by id tells what happened to that);
    /// NotReached <c>book_full</c>; Declined with a <see cref="DeclineReason"/>'s code; Approved. The answer may leave
    /// only after <see cref="Settle"/>.
    /// </summary>
    public Recorded Record(ProviderCall call, bool issuerDeclines)
    {
        lock (gate)
        {
            // Before every rule: a retry gets its first answer, whatever has changed since.
            var known = byId.Find(call.Id);
            if (known >= 0)
            {
                return At(known).Line.IsOf(call)
                    ? new Recorded(At(known).Line.Unpack().Answer, known)
                    : new Recorded(new ProviderAnswer(ProviderVerdict.Unknown, ProviderAnswer.IdReused), null);
            }

            if (count >= LineCountMax)
            {
                return new Recorded(new ProviderAnswer(ProviderVerdict.NotReached, "book_full"), null);
            }

            var line = new BookLine(call, Decide(call, issuerDeclines), UtcInstant.Now(time));
            // From here it must succeed.
            Add(line);
            journal?.Append(line);
            return new Recorded(line.Unpack().Answer, count - 1);
        }
    }

    /// <summary>The line with this id; null when the id was never seen. Settle it before answering.</summary>
    public (ProviderLine Line, int Number)? Find(Guid id)
    {
        lock (gate)
        {
            var line = byId.Find(id);
            return line < 0 ? null : (At(line).Line.Unpack(), line);
        }
    }

    /// <summary>
    /// Returns when this line, and so every line before it, would survive a kill of the process. Throws IOException
    /// when the journal cannot be written; asking again tries again.
    /// </summary>
    public void Settle(int line) => journal?.WriteThrough(line, gate);

    /// <summary>
    /// Up to <paramref name="limit"/> lines in the order of recording, from the first or from behind the line with the
    /// id <paramref name="startingAfter"/>; null when there is no such line.
    /// </summary>
    public (List<ProviderLine> Lines, bool HasMore)? Statement(Guid? startingAfter, int limit)
    {
        List<ProviderLine> lines;
        int end;
        bool hasMore;
        lock (gate)
        {
            var first = 0;
            if (startingAfter is { } id && (first = byId.Find(id) + 1) == 0)
            {
                return null;
            }

            end = Math.Min(count, first + limit);
            hasMore = end < count;
            lines = new List<ProviderLine>(end - first);
            for (var line = first; line < end; line++)
            {
                lines.Add(At(line).Line.Unpack());
            }
        }

        Settle(end - 1);
        return (lines, hasMore);
    }

    /// <inheritdoc/>
    public void Dispose() => journal?.Dispose();

    // A payment's first approved line carries its totals. A second approved authorization or charge of one payment is
    // taken, as a real provider would: only the statement can then show the double charge.
    private DeclineReason Decide(ProviderCall call, bool issuerDeclines)
    {
        var amount = call.Amount.AmountMinor;
        var amountMin = call.Action == ProviderAction.Void ? 0 : 1;
        if (amount < amountMin || amount > Money.AmountMinorMax)
        {
            return DeclineReason.InvalidAmount;
        }

        var first = byPayment.Find(call.PaymentId);
        var starts = call.Action is ProviderAction.Authorize or ProviderAction.Charge;
        if (first < 0)
        {
            return starts
                ? issuerDeclines ? DeclineReason.CardDeclined : DeclineReason.None
                : DeclineReason.NotAuthorized;
        }

        ref var payment = ref At(first);
        if (!payment.Line.InCurrencyOf(call.Amount))
        {
            return DeclineReason.CurrencyMismatch;
        }

        return call.Action switch
        {
            _ when starts && issuerDeclines => DeclineReason.CardDeclined,
            _ when starts && amount > long.MaxValue / 2 - payment.Authorized => DeclineReason.InvalidAmount,
            ProviderAction.Capture or ProviderAction.Void when payment.Voided => DeclineReason.AlreadyVoided,
            ProviderAction.Capture or ProviderAction.Void when payment.Captured > 0 => DeclineReason.AlreadyCaptured,
            ProviderAction.Capture when amount > payment.Authorized => DeclineReason.AboveAuthorized,
            ProviderAction.Refund when payment.Captured == 0 => DeclineReason.NotCaptured,
            ProviderAction.Refund when amount > payment.Captured - payment.Refunded => DeclineReason.AboveCaptured,
            _ => DeclineReason.None,
        };
    }

    private void Add(BookLine line)
    {
        if (count >> ChunkBits == chunks.Count)
        {
            chunks.Add(new Entry[1 << ChunkBits]);
        }

        At(count).Line = line;
        Volatile.Write(ref count, count + 1);
        byId.Add(count - 1);
        if (line.Declined != DeclineReason.None)
        {
            return;
        }

        var first = byPayment.Find(line.PaymentId);
        if (first < 0)
        {
            first = count - 1;
            byPayment.Add(first);
        }

        Apply(line, ref At(first));
    }

    private static void Apply(BookLine line, ref Entry payment)
    {
        switch (line.Action)
        {
            case ProviderAction.Authorize:
                payment.Authorized += line.AmountMinor;
                break;
            case ProviderAction.Charge:
                payment.Authorized += line.AmountMinor;
                payment.Captured += line.AmountMinor;
                break;
            case ProviderAction.Capture:
                payment.Captured += line.AmountMinor;
                break;
            case ProviderAction.Void:
                payment.Voided = true;
                break;
            case ProviderAction.Refund:
                payment.Refunded += line.AmountMinor;
                break;
        }

        Invariant.Check(
            payment.Refunded <= payment.Captured && payment.Captured <= payment.Authorized,
            "a provider never gives back more than it took nor takes more than was authorized");
    }

    private ref Entry At(int line) => ref chunks[line >> ChunkBits][line & ((1 << ChunkBits) - 1)];

    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct Entry
    {
        public BookLine Line;
        public long Authorized;
        public long Captured;
        public long Refunded;
        public bool Voided;
    }
}
