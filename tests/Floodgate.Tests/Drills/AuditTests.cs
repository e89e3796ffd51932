using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: the drills' audit sees every kind of broken promise. Method: evidence of a good run, and the same with one
// thing wrong each.
public sealed class AuditTests
{
    private static readonly Guid Charged = new(1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    private static readonly Guid Reserved = new(2, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    private static readonly Guid Filled = new(3, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    private static readonly Guid Capture = new(4, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);

    private static readonly Dictionary<string, Func<Evidence, Evidence>> Plants = new()
    {
        ["an answered payment is gone"] = e => e with { Payments = [e.Payments[0], e.Payments[1]] },
        ["a payment exists twice"] = e => e with { Payments = [.. e.Payments, e.Payments[0]] },
        ["a payment nobody wanted"] = e => With(e, 0, p => p with { Minor = 77, Authorized = 77, Captured = 77 }),
        ["two ids for one key"] = e => Tell(e, 0, Filled),
        ["a payment is refused"] = e => Refuse(e, 0, "422 idempotency_key_reused"),
        ["a payment is not final"] = e => With(e, 0, p => p with { Status = "UNKNOWN" }),
        ["a payment is half written"] = e => With(e, 1, p => p with { Captured = 0 }),
        ["an operation is not final"] = e => With(
            e, 1, p => p with { Operations = [p.Operations[0] with { Status = "UNKNOWN" }] }),
        ["an answered operation is gone"] = e => With(e, 1, p => p with { Operations = [] }),
        ["an operation nobody wanted"] = e => With(
            e, 1, p => p with { Operations = [.. p.Operations, p.Operations[0]] }),
        ["a double charge"] = e => Line(e, l => l with { Id = new Guid(5, 0, 0, new byte[8]) }),
        ["a charge that is not recorded"] = e => With(
            e, 0, p => p with { Status = "FAILED", Authorized = 0, Captured = 0 }),
        ["a refund that is not recorded"] = e => Line(e, l => l with { Id = Reserved, Kind = "REFUND" }),
        ["a charge without a payment"] = e => Line(e, l => l with { PaymentId = Capture, Id = Filled }),
        ["a line twice"] = e => Line(e, l => l with { IsApproved = false }),
        ["money lost from a wallet"] = e => e with { Wallets = [e.Wallets[0] with { Available = 1_002 }] },
        ["a broken invariant"] = e => e with { OwnComplaints = ["debits differ from credits"] },
    };

    /// <summary>The names of what is planted.</summary>
    public static TheoryData<string> Names => [.. Plants.Keys];

    [Fact]
    public void Finds_nothing_when_all_promises_were_kept() => Assert.Empty(Audit.Findings(Good()));

    [Theory]
    [MemberData(nameof(Names))]
    public void Finds(string planted) => Assert.NotEmpty(Audit.Findings(Plants[planted](Good())));

    private static Evidence Good()
    {
        Intent[] intents =
        [
            new(Want.Charge, "k-1", "u", 1_001, null) { Told = { Charged } },
            new(Want.Authorize, "k-2", "u", 1_002, null) { Told = { Reserved, Reserved } },
            new(Want.TopUp, "k-3", "u", 1_003, null) { Told = { Filled } },
            new(Want.Charge, "k-4", "u", 1_004, null) { IsGivenUp = true },
            new(Want.Capture, "k-5", "u", 900, Reserved) { Told = { Capture } },
            new(Want.Refund, "k-6", "u", 950, Reserved) { Refusals = { "422 amount_above_refundable" } },
        ];
        return new Evidence(intents)
        {
            Payments =
            [
                new(Charged, "CAPTURED", "GATEWAY", "SALE", "u", 1_001) { Authorized = 1_001, Captured = 1_001 },
                new(Reserved, "CAPTURED", "GATEWAY", "SALE", "u", 1_002)
                {
                    Authorized = 1_002, Captured = 900, Operations = [new(Capture, "CAPTURE", 900, "SUCCEEDED")],
                },
                new(Filled, "CAPTURED", "GATEWAY", "TOP_UP", "u", 1_003) { Authorized = 1_003, Captured = 1_003 },
            ],
            Statement =
            [
                new(Charged, Charged, "CHARGE", 1_001, true),
                new(Reserved, Reserved, "AUTHORIZE", 1_002, true),
                new(Filled, Filled, "CHARGE", 1_003, true),
                new(Capture, Reserved, "CAPTURE", 900, true),
            ],
            Wallets = [new("u", 1_003, 0)],
        };
    }

    private static Evidence With(Evidence evidence, int number, Func<ShownPayment, ShownPayment> change)
    {
        var changed = evidence.Payments.Select((payment, i) => i == number ? change(payment) : payment);
        return evidence with { Payments = [.. changed] };
    }

    private static Evidence Line(Evidence evidence, Func<StatementLine, StatementLine> change) =>
        evidence with { Statement = [.. evidence.Statement, change(evidence.Statement[0])] };

    private static Evidence Tell(Evidence evidence, int number, Guid id)
    {
        evidence.Intents.ElementAt(number).Told.Add(id);
        return evidence;
    }

    private static Evidence Refuse(Evidence evidence, int number, string refusal)
    {
        evidence.Intents.ElementAt(number).Refusals.Add(refusal);
        return evidence;
    }
}
