using Floodgate.Payment.Charges;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;
using Account = Floodgate.Payment.Ledger.AccountKind;
using Posting = Floodgate.Payment.Ledger.Posting;
using Paid = Floodgate.Payment.Charges.Payment;

namespace Floodgate.Tests.Payment;

// Goal: no sequence of requests and answers takes or gives back more than there is, forgets a reservation or
// unbalances the books. Method: random sequences against a model of four numbers; FsCheck prints the seed.
public sealed class PaymentModelTests
{
    private static readonly Currency Krw = Currency.FromStored("KRW");

    /// <summary>One step: ask for an operation, or answer the oldest or newest one that waits.</summary>
    private enum Act
    {
        Capture,
        Void,
        Refund,
        RefundAll,
        Approve,
        Decline,
    }

    private sealed record Step(Act Act, int Amount, bool IsNewest);

    private sealed record Story(int Amount, bool IsWallet, bool IsCapture, Step[] Steps)
    {
        public override string ToString() =>
            $"{Amount} wallet:{IsWallet} capture:{IsCapture}: {string.Join(", ", Steps.ToList())}";
    }

    [Fact]
    public void Any_sequence_of_requests_and_answers_keeps_amounts_reservations_and_books() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(3_000),
            Prop.ForAll(Stories().ToArbitrary(), story =>
            {
                new Model(story).Play();
                return true;
            }));

    private static Gen<Story> Stories()
    {
        var steps =
            from act in Gen.Elements(Enum.GetValues<Act>())
            from amount in Gen.Choose(1, 120)
            from isNewest in Gen.Elements(true, false)
            select new Step(act, amount, isNewest);
        return
            from amount in Gen.Choose(1, 100)
            from isWallet in Gen.Elements(true, false)
            from isCapture in Gen.Elements(true, false)
            from story in steps.ArrayOf()
            select new Story(amount, isWallet, isCapture, story);
    }

    private static PaymentRequest Request(long amount, bool isWallet, bool isCapture) => new(
        "m", "k", "u", null, new Money(amount, Krw), isWallet ? PaymentMethod.Wallet : PaymentMethod.Gateway,
        PaymentPurpose.Sale, isCapture);

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);

    /// <summary>What must be true, kept by hand beside the code under test.</summary>
    private sealed class Model(Story story)
    {
        private readonly Dictionary<Account, long> balances = [];
        private readonly List<Operation> waiting = [];
        private Paid payment = new(Id(1), Request(story.Amount, story.IsWallet, story.IsCapture), 1);
        private long captured;
        private long refunded;
        private bool isVoided;
        private int ids = 1;

        public void Play()
        {
            Assert.Equal(OperationOutcome.PaymentPending, Ask(OperationKind.Refund, 1));
            payment = payment.Approve(2)!;
            Assert.Null(payment.Approve(3));
            Assert.Null(payment.Decline("late", 3));
            captured = story.IsCapture ? story.Amount : 0;
            Post(Postings.OfCharge(payment));
            CheckAll();
            foreach (var step in story.Steps)
            {
                Take(step);
                CheckAll();
            }

            while (waiting.Count > 0)
            {
                Answer(new(Act.Decline, 0, false));
                CheckAll();
            }

            Assert.Equal((0, 0, false), (payment.Capturing, payment.Refunding, payment.IsVoiding));
        }

        private void Take(Step step)
        {
            switch (step.Act)
            {
                case Act.Approve or Act.Decline when waiting.Count == 0:
                    break;
                case Act.Approve or Act.Decline:
                    Answer(step);
                    break;
                default:
                    var expected = Expected(step);
                    var kind = step.Act switch
                    {
                        Act.Capture => OperationKind.Capture,
                        Act.Void => OperationKind.Void,
                        _ => OperationKind.Refund,
                    };
                    long? amount = step.Act is Act.RefundAll or Act.Void ? null : step.Amount;
                    Assert.Equal(expected, Ask(kind, amount));
                    break;
            }
        }

        /// <summary>The rules once more, in other words.</summary>
        private OperationOutcome Expected(Step step)
        {
            var open = !isVoided && captured == 0;
            var isBusy = waiting.Exists(o => o.Request.Kind != OperationKind.Refund);
            var free = captured - refunded
                - waiting.Where(o => o.Request.Kind == OperationKind.Refund).Sum(o => o.Amount);
            return step.Act switch
            {
                Act.Capture or Act.Void when !open => OperationOutcome.NotAuthorized,
                Act.Capture or Act.Void when isBusy => OperationOutcome.OperationPending,
                Act.Capture when step.Amount > story.Amount => OperationOutcome.AboveAuthorized,
                Act.Refund or Act.RefundAll when captured == 0 => OperationOutcome.NotCaptured,
                Act.Refund when step.Amount > free => OperationOutcome.AboveRefundable,
                Act.RefundAll when free == 0 => OperationOutcome.AboveRefundable,
                _ => OperationOutcome.Accepted,
            };
        }

        private OperationOutcome Ask(OperationKind kind, long? amount)
        {
            var request = new OperationRequest(
                "m", $"k{ids}", payment.Id, kind, amount is { } some ? new Money(some, Krw) : null);
            var (outcome, asked, after) = OperationRules.Decide(payment, request);
            if (outcome == OperationOutcome.Accepted)
            {
                waiting.Add(new Operation(Id(++ids), payment.Id, request, asked, 1));
            }
            else
            {
                Assert.Equal(payment, after);
            }

            payment = after;
            return outcome;
        }

        private void Answer(Step step)
        {
            var operation = waiting[step.IsNewest ? ^1 : 0];
            waiting.Remove(operation);
            if (step.Act == Act.Decline)
            {
                payment = OperationRules.Fail(payment, operation);
                return;
            }

            payment = OperationRules.Succeed(payment, operation);
            captured += operation.Request.Kind == OperationKind.Capture ? operation.Amount : 0;
            refunded += operation.Request.Kind == OperationKind.Refund ? operation.Amount : 0;
            isVoided |= operation.Request.Kind == OperationKind.Void;
            Post(Postings.OfOperation(payment, operation));
        }

        private void Post(IEnumerable<Posting> postings)
        {
            foreach (var posting in postings)
            {
                Assert.True(posting.Amount.AmountMinor > 0 && posting.Debit != posting.Credit);
                balances[posting.Debit.Kind] = Balance(posting.Debit.Kind) - posting.Amount.AmountMinor;
                balances[posting.Credit.Kind] = Balance(posting.Credit.Kind) + posting.Amount.AmountMinor;
            }
        }

        private void CheckAll()
        {
            payment.Checked();
            Assert.Equal((captured, refunded), (payment.Captured, payment.Refunded));
            Assert.Equal(
                waiting.Where(o => o.Request.Kind == OperationKind.Refund).Sum(o => o.Amount), payment.Refunding);
            Assert.Equal(
                waiting.Where(o => o.Request.Kind == OperationKind.Capture).Sum(o => o.Amount), payment.Capturing);
            Assert.Equal(
                isVoided ? PaymentState.Voided
                    : captured == 0 ? PaymentState.Authorized
                    : refunded == 0 ? PaymentState.Captured
                    : refunded == captured ? PaymentState.Refunded
                    : PaymentState.PartiallyRefunded,
                payment.State);

            var isHeld = story.IsWallet && payment.State == PaymentState.Authorized;
            Assert.Equal(isHeld ? story.Amount : 0, Balance(Account.CustomerHeld));
            Assert.Equal(
                refunded - captured - (isHeld ? story.Amount : 0),
                Balance(story.IsWallet ? Account.CustomerWallet : Account.ProviderClearing));
            Assert.Equal(-refunded, Balance(Account.MerchantRefunds));
            Assert.Equal(captured, Balance(Account.MerchantPayable));
            Assert.Equal(0, balances.Values.Sum());
        }

        private long Balance(Account account) => balances.GetValueOrDefault(account);
    }
}
