using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Floodgate.Access;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>What a pass turns out to be, in the order in which it is checked.</summary>
public enum PassVerdict
{
    /// <summary>None was shown.</summary>
    Required,

    /// <summary>Not one of ours, changed, or for another sale.</summary>
    Invalid,

    /// <summary>Ours, and somebody else's.</summary>
    OfAnotherBuyer,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>Good, as far as it can be told without the database: whether it was used is told there.</summary>
    Good,
}

/// <summary>A verdict, with the ticket when the pass is good or expired.</summary>
public readonly record struct CheckedPass(PassVerdict Verdict, Guid Ticket);

/// <summary>
/// Makes and checks passes: ticket, sale, expiry and a hash of the buyer, sealed with HMAC-SHA256 (RFC 2104) under a
/// key that all nodes of the database share. Nothing is read or stored.
/// </summary>
internal sealed class Passes(byte[] key, TimeProvider time)
{
    /// <summary>The size of the key, in bytes.</summary>
    public const int KeyBytes = 32;

    private const int TicketAt = 0;
    private const int SaleAt = 16;
    private const int ExpiryAt = 32;
    private const int BuyerAt = 40;
    private const int BuyerBytes = 16;
    private const int SealAt = BuyerAt + BuyerBytes;
    private const int Length = SealAt + HMACSHA256.HashSizeInBytes;
    private const int TextLength = ((Length * 4) + 2) / 3;
    private const int BuyerTextBytesMax = 1_024;

    /// <summary>The pass of an active ticket. The same ticket has the same pass.</summary>
    public string Of(Guid ticket, Guid saleId, string buyer, long expiresMs)
    {
        Span<byte> pass = stackalloc byte[Length];
        Invariant.Check(
            ticket.TryWriteBytes(pass[TicketAt..], bigEndian: true, out _)
                && saleId.TryWriteBytes(pass[SaleAt..], bigEndian: true, out _),
            "a UUID has 16 bytes");
        BinaryPrimitives.WriteInt64BigEndian(pass[ExpiryAt..], expiresMs);
        HashBuyer(buyer, pass.Slice(BuyerAt, BuyerBytes));
        HMACSHA256.HashData(key, pass[..SealAt], pass[SealAt..]);
        return Base64Url.EncodeToString(pass);
    }

    /// <summary>What a pass is worth to this buyer in this sale.</summary>
    public CheckedPass Check(string? pass, Guid saleId, Buyer buyer)
    {
        if (string.IsNullOrEmpty(pass))
        {
            return new(PassVerdict.Required, default);
        }

        Span<byte> bytes = stackalloc byte[Length];
        Span<byte> seal = stackalloc byte[HMACSHA256.HashSizeInBytes];
        if (pass.Length != TextLength
            || !Base64Url.IsValid(pass)
            || !Base64Url.TryDecodeFromChars(pass, bytes, out var length)
            || length != Length)
        {
            return new(PassVerdict.Invalid, default);
        }

        HMACSHA256.HashData(key, bytes[..SealAt], seal);
        if (!CryptographicOperations.FixedTimeEquals(seal, bytes[SealAt..])
            || new Guid(bytes.Slice(SaleAt, 16), bigEndian: true) != saleId)
        {
            return new(PassVerdict.Invalid, default);
        }

        Span<byte> hash = stackalloc byte[BuyerBytes];
        HashBuyer(buyer.ToString(), hash);
        if (!CryptographicOperations.FixedTimeEquals(hash, bytes.Slice(BuyerAt, BuyerBytes)))
        {
            return new(PassVerdict.OfAnotherBuyer, default);
        }

        var isInTime = UtcInstant.Now(time).Ms < BinaryPrimitives.ReadInt64BigEndian(bytes[ExpiryAt..]);
        return new(
            isInTime ? PassVerdict.Good : PassVerdict.Expired, new Guid(bytes.Slice(TicketAt, 16), bigEndian: true));
    }

    private static void HashBuyer(string buyer, Span<byte> hash)
    {
        Span<byte> text = stackalloc byte[BuyerTextBytesMax];
        Span<byte> whole = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(buyer, text)], whole);
        whole[..hash.Length].CopyTo(hash);
    }
}

/// <summary>The header of orders, and what is answered when there is something wrong with it.</summary>
public static class PassProblems
{
    /// <summary>The header that carries the pass.</summary>
    public const string Header = "Admission-Pass";

    /// <summary>The sale has a waiting room, and no pass was sent.</summary>
    public static readonly ProblemKind Required = new(403, "pass_required", "This sale needs an admission pass.");

    /// <summary>The pass was not made here, was changed, or is for another sale.</summary>
    public static readonly ProblemKind Invalid = new(403, "pass_invalid", "The admission pass is not valid here.");

    /// <summary>The pass was given to somebody else.</summary>
    public static readonly ProblemKind OfAnotherUser = new(
        403, "pass_of_another_user", "The admission pass is another user's.");

    /// <summary>The pass is too old.</summary>
    public static readonly ProblemKind Expired = new(403, "queue_token_expired", "The admission pass has expired.");

    /// <summary>The ticket of the pass was used or given up.</summary>
    public static readonly ProblemKind NotActive = new(
        403, "queue_token_not_active", "The admission pass is used up.");

    /// <summary>The refusal for a pass that is not good.</summary>
    public static (ProblemKind Kind, string Detail) Of(PassVerdict verdict) => verdict switch
    {
        PassVerdict.Required => (Required,
            $"Join with POST /v1/sales/{{id}}/queue, wait until the ticket is ACTIVE, and send its pass as {Header}."),
        PassVerdict.Invalid => (Invalid, "Send the pass of your ticket for this sale as it was given to you."),
        PassVerdict.OfAnotherBuyer => (OfAnotherUser, "A pass is good for the user who waited for it. Join yourself."),
        PassVerdict.Expired => (Expired, "Join again with POST /v1/sales/{id}/queue."),
        _ => (NotActive, "Each pass is good for one order. Join again with POST /v1/sales/{id}/queue."),
    };
}
