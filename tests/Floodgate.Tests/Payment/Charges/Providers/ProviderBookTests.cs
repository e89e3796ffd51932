// Goal: the book enforces what a real provider would, gives each id one answer, and comes back after a kill.
// Method: rows of calls with their answers; random histories beside a naive model; real files cut and broken by hand.
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Vocabulary;
using Xunit;
using static Floodgate.Payment.Charges.Providers.ProviderAction;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class ProviderBookTests
{
    public static TheoryData<string> Histories =>
    [
        "Authorize 100 approved; Capture 100 approved; Capture 1 already_captured; Void 100 already_captured",
        "Authorize 100 approved; Capture 101 above_authorized; Capture 60 approved; Capture 40 already_captured",
        "Authorize 100 approved; Refund 1 not_captured; Void 100 approved; Void 100 already_voided",
        "Authorize 100 approved; Void 0 approved; Capture 100 already_voided; Refund 1 not_captured",
        "Charge 100 approved; Capture 1 already_captured; Refund 60 approved; Refund 41 above_captured",
        "Charge 100 approved; Refund 60 approved; Refund 40 approved; Refund 1 above_captured",
        "Authorize 100 approved; Capture 60 approved; Refund 61 above_captured; Refund 60 approved",
        "Capture 1 not_authorized; Void 1 not_authorized; Refund 1 not_authorized; Charge 1 approved",
        "Charge 0 invalid_amount; Authorize -1 invalid_amount; Charge 9007199254740992 invalid_amount",
        "Charge 9007199254740991 approved; Refund 0 invalid_amount; Refund 9007199254740991 approved",
        "Charge 100 approved; Charge 100 approved; Refund 200 approved; Refund 1 above_captured",
    ];

    [Theory]
    [MemberData(nameof(Histories))]
    public void A_payment_follows_the_rules(string history)
    {
        using var book = new ProviderBook(new ManualTime());
        var id = 0;
        foreach (var step in history.Split("; "))
        {
            var words = step.Split(' ');
            var call = Calls.Of(++id, 1, Enum.Parse<ProviderAction>(words[0]), long.Parse(words[1]));
            var answer = book.Record(call, issuerDeclines: false).Answer;
            Assert.Equal(words[2], answer.Reason ?? "approved");
            Assert.Equal(answer, book.Record(call, issuerDeclines: true).Answer);
        }

        Assert.Equal(id, book.Count);
    }

    [Fact]
    public void Another_currency_than_the_payments_is_declined()
    {
        using var book = new ProviderBook(new ManualTime());
        book.Record(Calls.Of(1, 1, Authorize, 100), issuerDeclines: false);
        var answer = book.Record(Calls.Of(2, 1, Capture, 100, "USD"), issuerDeclines: false).Answer;
        Assert.Equal("currency_mismatch", answer.Reason);
    }

    [Fact]
    public void A_declined_id_stays_declined_and_authorizes_nothing()
    {
        using var book = new ProviderBook(new ManualTime());
        Assert.Equal("card_declined", book.Record(Calls.Charge(1), issuerDeclines: true).Answer.Reason);
        Assert.Equal("card_declined", book.Record(Calls.Charge(1), issuerDeclines: false).Answer.Reason);
        var refund = book.Record(Calls.Of(2, 1, Refund, 1), issuerDeclines: false);
        Assert.Equal("not_authorized", refund.Answer.Reason);
    }

    [Theory]
    [InlineData(1, Charge, 101, "KRW")]
    [InlineData(1, Authorize, 100, "KRW")]
    [InlineData(2, Charge, 100, "KRW")]
    [InlineData(1, Charge, 100, "USD")]
    internal void An_id_with_other_content_is_its_own_outcome(
        int payment,
        ProviderAction action,
        long minor,
        string code)
    {
        using var book = new ProviderBook(new ManualTime());
        book.Record(Calls.Charge(1, 100), issuerDeclines: false);
        var second = book.Record(Calls.Of(1, payment, action, minor, code), issuerDeclines: false);
        Assert.Equal(new ProviderAnswer(ProviderVerdict.Unknown, ProviderAnswer.IdReused), second.Answer);
        Assert.Equal(1, book.Count);
    }

    [Fact]
    public async Task Many_threads_with_the_same_ids_leave_one_line_each()
    {
        using var book = new ProviderBook(new ManualTime());
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var id = 0; id < 20_000; id++)
            {
                Assert.Equal(ProviderVerdict.Approved, book.Record(Calls.Charge(id), false).Answer.Verdict);
            }
        })));

        Assert.Equal(20_000, book.Count);
        Assert.Equal(20_000, Everything(book, 1_000).Select(line => line.Call.Id).Distinct().Count());
    }

    [Fact]
    public void Refunds_never_exceed_the_capture_in_any_history()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            using var book = new ProviderBook(new ManualTime());
            for (var id = 0; id < 200; id++)
            {
                book.Record(
                    Calls.Of(random.Next(150), random.Next(3), (ProviderAction)random.Next(5), random.Next(1, 5)),
                    issuerDeclines: random.Next(4) == 0);
            }

            // The model: sums over the statement alone.
            foreach (var payment in Everything(book, 7).Where(line => line.Declined == DeclineReason.None)
                .GroupBy(line => line.Call.PaymentId))
            {
                long Sum(params ProviderAction[] kinds) =>
                    payment.Where(line => kinds.Contains(line.Call.Action)).Sum(line => line.Call.Amount.AmountMinor);
                Assert.True(Sum(Refund) <= Sum(Capture, Charge), $"seed {seed}: more refunded than captured");
                Assert.True(Sum(Capture) <= Sum(Authorize), $"seed {seed}: more captured than authorized");
                var voided = Sum(ProviderAction.Void) > 0;
                Assert.True(!voided || Sum(Capture) == 0, $"seed {seed}: captured and voided");
                Assert.True(payment.Count(line => line.Call.Action == Capture) <= 1, $"seed {seed}: two captures");
            }
        }
    }

    [Fact]
    public void The_statement_is_paged_in_order()
    {
        using var book = new ProviderBook(new ManualTime());
        Assert.Empty(Everything(book, 3));
        for (var id = 0; id < 10; id++)
        {
            book.Record(Calls.Charge(id), issuerDeclines: id == 4);
        }

        Assert.Equal(Enumerable.Range(0, 10).Select(Calls.Id), Everything(book, 3).Select(line => line.Call.Id));
        var (whole, hasMore) = book.Statement(null, 10)!.Value;
        Assert.Equal((10, false), (whole.Count, hasMore));
        Assert.Null(book.Statement(Calls.Id(99), 3));
        Assert.Null(book.Find(Calls.Id(99)));
        Assert.Equal(DeclineReason.CardDeclined, book.Find(Calls.Id(4))!.Value.Line.Declined);
    }

    [Fact]
    public void A_killed_book_comes_back_up_to_the_last_settled_line()
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("book");
        using (var book = new ProviderBook(new ManualTime(), new ProviderJournal(file)))
        {
            for (var id = 0; id < 10_000; id++)
            {
                var line = book.Record(Calls.Charge(id, id + 1), issuerDeclines: id % 10 == 0).Line!.Value;
                if (id % 1_000 == 500)
                {
                    book.Settle(line);
                }
            }
        }

        // Disposing does not write what nobody settled, just as a kill.
        using var again = new ProviderBook(new ManualTime(), new ProviderJournal(file));
        Assert.Equal(9_501, again.Count);
        var answer = again.Record(Calls.Charge(9_500, 9_501), issuerDeclines: false).Answer;
        Assert.Equal("card_declined", answer.Reason);
        Assert.Equal("above_captured", again.Record(Calls.Of(20_000, 7, Refund, 9), false).Answer.Reason);
        Assert.Equal(9_502, again.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(BookLine.Bytes - 1)]
    public void A_torn_last_line_is_replaced_and_later_lines_stand(int tornBytes)
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("book");
        WriteLines(file, 0, 3);
        using (var stream = File.OpenWrite(file))
        {
            stream.SetLength(stream.Length - BookLine.Bytes + tornBytes);
        }

        WriteLines(file, 2, 5);
        using var again = new ProviderBook(new ManualTime(), new ProviderJournal(file));
        Assert.Equal(Enumerable.Range(0, 5).Select(Calls.Id), Everything(again, 100).Select(line => line.Call.Id));
    }

    [Fact]
    public void A_file_that_is_no_journal_is_refused_and_left_alone()
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("letters");
        File.WriteAllText(file, "Dear customer, this is not a journal.");
        Assert.Throws<InvalidDataException>(() => new ProviderJournal(file));
        Assert.Equal("Dear customer, this is not a journal.", File.ReadAllText(file));
    }

    [Fact]
    public void A_journal_with_foreign_bytes_is_refused()
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("book");
        WriteLines(file, 0, 3);
        var bytes = File.ReadAllBytes(file);
        bytes.AsSpan(8 + BookLine.Bytes, BookLine.Bytes).Fill(0xFF);
        File.WriteAllBytes(file, bytes);
        using var journal = new ProviderJournal(file);
        Assert.Throws<InvalidDataException>(() => new ProviderBook(new ManualTime(), journal));
    }

    [Fact]
    public void Two_books_never_share_a_journal()
    {
        using var scratch = new ScratchDirectory();
        using var first = new ProviderJournal(scratch.File("book"));
        Assert.Throws<IOException>(() => new ProviderJournal(scratch.File("book")));
    }

    private static void WriteLines(string file, int from, int to)
    {
        using var book = new ProviderBook(new ManualTime(), new ProviderJournal(file));
        for (var id = from; id < to; id++)
        {
            book.Settle(book.Record(Calls.Charge(id), issuerDeclines: false).Line!.Value);
        }
    }

    private static List<ProviderLine> Everything(ProviderBook book, int limit)
    {
        List<ProviderLine> all = [];
        while (true)
        {
            var page = book.Statement(all.Count == 0 ? null : all[^1].Call.Id, limit)!.Value;
            all.AddRange(page.Lines);
            if (!page.HasMore)
            {
                return all;
            }
        }
    }
}
