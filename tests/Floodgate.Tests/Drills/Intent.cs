namespace Floodgate.Tests.Drills;

/// <summary>What a buyer can want.</summary>
internal enum Want
{
    /// <summary>Pay through the gateway at once.</summary>
    Charge,

    /// <summary>Reserve through the gateway.</summary>
    Authorize,

    /// <summary>Pay from the wallet at once.</summary>
    WalletCharge,

    /// <summary>Reserve in the wallet.</summary>
    WalletAuthorize,

    /// <summary>Fill the wallet through the gateway.</summary>
    TopUp,

    /// <summary>Take what was reserved, or a part.</summary>
    Capture,

    /// <summary>Give a reservation up.</summary>
    Void,

    /// <summary>Give back what was taken, or a part.</summary>
    Refund,
}

/// <summary>
/// One wish under one key, and all that its buyer was told about it. Payments of a drill have different amounts, so
/// that a payment whose answer was lost is recognized by its amount.
/// </summary>
/// <param name="Want">What.</param>
/// <param name="Key">The idempotency key.</param>
/// <param name="User">Whose.</param>
/// <param name="Minor">How much, in minor units; 0 for a void.</param>
/// <param name="PaymentId">Of which payment; null for a payment itself.</param>
internal sealed record Intent(Want Want, string Key, string User, long Minor, Guid? PaymentId)
{
    /// <summary>The ids that answers named, one for each answer. All must be the same.</summary>
    public List<Guid> Told { get; } = [];

    /// <summary>Status and code of final refusals.</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Times that it was sent.</summary>
    public int Sent { get; set; }

    /// <summary>True when the buyer left without any answer.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>True for a payment, false for an operation on one.</summary>
    public bool IsPayment => PaymentId is null;

    /// <summary>Where it is sent.</summary>
    public string Path => Want switch
    {
        Want.TopUp => $"/v1/wallets/{User}/top-ups",
        Want.Capture => $"/v1/payments/{PaymentId}/capture",
        Want.Void => $"/v1/payments/{PaymentId}/void",
        Want.Refund => $"/v1/payments/{PaymentId}/refund",
        _ => "/v1/payments",
    };

    /// <summary>What is sent.</summary>
    public string Body => Want switch
    {
        Want.Void => "{}",
        Want.TopUp or Want.Capture or Want.Refund => $$"""{"amount":{{ServerApi.Money(Minor)}}}""",
        _ => ServerApi.PaymentBody(Minor, User, Method, Want is Want.Charge or Want.WalletCharge),
    };

    /// <summary>Who carries it out.</summary>
    public string Method => Want is Want.WalletCharge or Want.WalletAuthorize ? "WALLET" : "GATEWAY";
}
