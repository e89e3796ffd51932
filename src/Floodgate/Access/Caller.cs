namespace Floodgate.Access;

/// <summary>What a key may do.</summary>
public enum Role
{
    /// <summary>No key was shown.</summary>
    Anonymous,

    /// <summary>Acts for one merchant.</summary>
    Merchant,

    /// <summary>Operates the whole installation; sees every merchant.</summary>
    Admin,
}

/// <summary>Who calls, as told by the key and never by the body.</summary>
public sealed record Caller(Role Role, string? MerchantId)
{
    /// <summary>A caller without a key, on a public route.</summary>
    public static Caller Anonymous { get; } = new(Role.Anonymous, null);

    /// <summary>An operator.</summary>
    public static Caller Admin { get; } = new(Role.Admin, null);

    /// <summary>A merchant's system.</summary>
    public static Caller OfMerchant(string merchantId) => new(Role.Merchant, merchantId);
}
