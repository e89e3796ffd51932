namespace Floodgate.Payment.Charges;

/// <summary>The words of states, as stored and shown: a closed table in both directions, without reflection.</summary>
internal static class Words
{
    private static readonly (PaymentState Value, string Word)[] States =
    [
        (PaymentState.Requested, "REQUESTED"),
        (PaymentState.Unknown, "UNKNOWN"),
        (PaymentState.Authorized, "AUTHORIZED"),
        (PaymentState.Captured, "CAPTURED"),
        (PaymentState.PartiallyRefunded, "PARTIALLY_REFUNDED"),
        (PaymentState.Refunded, "REFUNDED"),
        (PaymentState.Voided, "VOIDED"),
        (PaymentState.Failed, "FAILED"),
    ];

    public static string Of(PaymentState state) => States[(int)state].Word;

    public static string Of(PaymentMethod method) => method == PaymentMethod.Gateway ? "GATEWAY" : "WALLET";

    public static string Of(PaymentPurpose purpose) => purpose == PaymentPurpose.Sale ? "SALE" : "TOP_UP";

    public static string Of(OperationKind kind) => kind switch
    {
        OperationKind.Capture => "CAPTURE",
        OperationKind.Void => "VOID",
        _ => "REFUND",
    };

    public static string Of(OperationState state) => state switch
    {
        Charges.OperationState.Requested => "REQUESTED",
        Charges.OperationState.Unknown => "UNKNOWN",
        Charges.OperationState.Succeeded => "SUCCEEDED",
        _ => "FAILED",
    };

    public static PaymentState State(string word)
    {
        foreach (var (value, known) in States)
        {
            if (known == word)
            {
                return value;
            }
        }

        throw Unknown(word);
    }

    public static PaymentMethod Method(string word) => word switch
    {
        "GATEWAY" => PaymentMethod.Gateway,
        "WALLET" => PaymentMethod.Wallet,
        _ => throw Unknown(word),
    };

    public static PaymentPurpose Purpose(string word) => word switch
    {
        "SALE" => PaymentPurpose.Sale,
        "TOP_UP" => PaymentPurpose.TopUp,
        _ => throw Unknown(word),
    };

    public static OperationKind Kind(string word) => word switch
    {
        "CAPTURE" => OperationKind.Capture,
        "VOID" => OperationKind.Void,
        "REFUND" => OperationKind.Refund,
        _ => throw Unknown(word),
    };

    public static OperationState OperationState(string word) => word switch
    {
        "REQUESTED" => Charges.OperationState.Requested,
        "UNKNOWN" => Charges.OperationState.Unknown,
        "SUCCEEDED" => Charges.OperationState.Succeeded,
        "FAILED" => Charges.OperationState.Failed,
        _ => throw Unknown(word),
    };

    private static InvalidOperationException Unknown(string word) =>
        new($"'{word}' is stored by a newer version of this program; run that one.");
}
