using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Ledger;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;
using Paid = Floodgate.Payment.Charges.Payment;

namespace Floodgate.Tests.Payment;

// Goal: no sequence of refunds of parts, approved or declined in any order, gives back more of a part than there is,
// touches another part, or leaves the books unbalanced.
// Method: random sequences against a model of two numbers for each part; FsCheck prints the seed.
public sealed class PartsModelTests
{
    private static readonly Currency Krw = Currency.FromStored("KRW");

    private sealed record Step(int Part, int Amount, bool IsApproved, bool IsNewest);

    private sealed record Story(int[] Parts, bool IsWallet, Step[] Steps);

    [Fact]
    public void Any_refunds_of_parts_keep_each_part_and_the_books() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3_000),
        Prop.ForAll(Stories().ToArbitrary(), story =>
        {
            new Model(story).Play();
            return true;
        }));

    // Goal: requests are compared by value, and stored parts come back equal.
    [Fact]
    public void Parts_are_equal_by_value_and_survive_their_text()
    {
        var parts = PaymentParts.Of("p", [new("a", 1), new("b\"é", 2)])!;
        Assert.Equal(parts, PaymentParts.FromStored(parts.Text));
        Assert.Equal(parts.GetHashCode(), PaymentParts.FromStored(parts.Text)!.GetHashCode());
        Assert.NotEqual(parts, parts.With("a", p => p with { Refunded = 1 }));
        Assert.Null(PaymentParts.Of("a", [new("a", 1)]));
        Assert.NotNull(PaymentParts.Of("platform", [new("a", 1)]));
    }

    private static Gen<Story> Stories()
    {
        var steps =
            from part in Gen.Choose(0, 3)
            from amount in Gen.Choose(1, 70)
            from isApproved in Gen.Elements(true, true, false)
            from isNewest in Gen.Elements(true, false)
            select new Step(part, amount, isApproved, isNewest);
        return
            from parts in Gen.Choose(1, 100).NonEmptyListOf()
            from isWallet in Gen.Elements(true, false)
            from story in steps.ArrayOf()
            select new Story([.. parts.Take(3)], isWallet, story);
    }

    private sealed class Model
    {
        private readonly Story story;
        private readonly Dictionary<AccountName, long> balances = [];
        private readonly List<Operation> waiting = [];
        private readonly long[] refunded;
        private Paid payment;
        private int ids;

        public Model(Story story)
        {
            this.story = story;
            refunded = new long[story.Parts.Length];
            var parts = PaymentParts.Of(
                "platform", [.. story.Parts.Select((amount, i) => new OrderPart($"m{i}", amount))]);
            var request = new PaymentRequest(
                "platform", "k", "u", "o", new Money(story.Parts.Sum(), Krw),
                story.IsWallet ? PaymentMethod.Wallet : PaymentMethod.Gateway, PaymentPurpose.Sale, true);
            payment = (new Paid(Id(), request, 1) { NotAfterMs = 9, Parts = parts }).Approve(2)!;
        }

        public void Play()
        {
            Post(Postings.OfCharge(payment));
            CheckAll();
            Assert.Equal(OperationOutcome.RefundByOrder, Ask(null, 1));
            Assert.Equal(OperationOutcome.NoSuchPart, Ask("m9", 1));
            foreach (var step in story.Steps)
            {
                Take(step);
                CheckAll();
            }
        }

        private void Take(Step step)
        {
            var index = step.Part % refunded.Length;
            if (step.Part == 3)
            {
                Answer(step);
                return;
            }

            var free = story.Parts[index] - refunded[index]
                - waiting.Where(o => o.Request.PartMerchantId == $"m{index}").Sum(o => o.Amount);
            Assert.Equal(
                step.Amount > free ? OperationOutcome.AboveRefundable : OperationOutcome.Accepted,
                Ask($"m{index}", step.Amount));
        }

        private OperationOutcome Ask(string? merchant, long amount)
        {
            var request = new OperationRequest(
                "platform", $"k{ids}", payment.Id, OperationKind.Refund, new Money(amount, Krw), merchant);
            var (outcome, asked, after) = OperationRules.Decide(payment, request);
            if (outcome == OperationOutcome.Accepted)
            {
                waiting.Add(new Operation(Id(), payment.Id, request, asked, 1));
            }

            payment = after;
            return outcome;
        }

        private void Answer(Step step)
        {
            if (waiting.Count == 0)
            {
                return;
            }

            var operation = waiting[step.IsNewest ? ^1 : 0];
            waiting.Remove(operation);
            if (!step.IsApproved)
            {
                payment = OperationRules.Fail(payment, operation);
                return;
            }

            payment = OperationRules.Succeed(payment, operation);
            refunded[operation.Request.PartMerchantId![1] - '0'] += operation.Amount;
            Post(Postings.OfOperation(payment, operation));
        }

        private void Post(IEnumerable<Posting> postings)
        {
            foreach (var posting in postings)
            {
                balances[posting.Debit] = balances.GetValueOrDefault(posting.Debit) - posting.Amount.AmountMinor;
                balances[posting.Credit] = balances.GetValueOrDefault(posting.Credit) + posting.Amount.AmountMinor;
            }
        }

        private void CheckAll()
        {
            payment.Checked();
            Assert.Equal(0, balances.Values.Sum());
            Assert.Equal(refunded.Sum(), payment.Refunded);
            for (var i = 0; i < refunded.Length; i++)
            {
                var (merchant, part) = ($"m{i}", payment.Parts![i]);
                Assert.Equal((story.Parts[i], refunded[i]), (part.Amount, part.Refunded));
                Assert.Equal(-refunded[i], balances.GetValueOrDefault(AccountName.Refunds(merchant, Krw)));
                Assert.Equal(part.Amount, balances.GetValueOrDefault(AccountName.Payable(merchant, Krw)));
            }
        }

        private Guid Id() => new(++ids, 0, 0, new byte[8]);
    }
}
