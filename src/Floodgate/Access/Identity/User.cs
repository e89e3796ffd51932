namespace Floodgate.Access.Identity;

/// <summary>
/// A person who logs in. The e-mail is in its normal form; <paramref name="MerchantId"/> only for a merchant's user.
/// </summary>
public sealed record User(Guid Id, string Email, Role Role, string? MerchantId)
{
    private const int EmailLengthMax = 254; // RFC 5321 section 4.5.3.1.3, less the brackets.
    private const int LocalPartLengthMax = 64; // RFC 5321 section 4.5.3.1.1.
    private const int PasswordLengthMin = 12;
    private const int PasswordLengthMax = 128;

    /// <summary>
    /// What is wrong with an e-mail address, as the end of a sentence; null when nothing is. Printable ASCII only, so
    /// that no two addresses look alike.
    /// </summary>
    public static string? FaultOfEmail(string email)
    {
        var at = email.IndexOf('@');
        var isGood = email.Length <= EmailLengthMax
            && at is > 0 and <= LocalPartLengthMax
            && at == email.LastIndexOf('@')
            && at < email.Length - 1
            && !email.AsSpan().ContainsAnyExceptInRange('!', '~');
        return isGood ? null : $"must be one address such as ada@example.com, at most {EmailLengthMax} characters";
    }

    /// <summary>The form in which an e-mail is stored and compared: lower case throughout.</summary>
    public static string NormalEmail(string email) => email.ToLowerInvariant();

    /// <summary>What is wrong with a new password, as the end of a sentence; null when nothing is.</summary>
    public static string? FaultOfPassword(string password) =>
        password.Length is < PasswordLengthMin or > PasswordLengthMax
            ? $"must have {PasswordLengthMin} to {PasswordLengthMax} characters"
            : null;

    /// <summary>A role as it is stored, sent and written in tokens.</summary>
    public static string NameOf(Role role) => role switch
    {
        Role.Buyer => "buyer",
        Role.Merchant => "merchant",
        _ => "admin",
    };

    /// <summary>The role of a name; null for another text.</summary>
    public static Role? RoleOf(string? name) => name switch
    {
        "buyer" => Role.Buyer,
        "merchant" => Role.Merchant,
        "admin" => Role.Admin,
        _ => null,
    };
}
