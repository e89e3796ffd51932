using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace Floodgate.Access.Identity;

/// <summary>What the comparison of a password with a hash showed.</summary>
public enum PasswordMatch
{
    /// <summary>Too many wait; nothing was compared.</summary>
    Busy,

    /// <summary>Another password, or there is no hash.</summary>
    Wrong,

    /// <summary>The same.</summary>
    Right,

    /// <summary>The same, by a hash with fewer rounds than are made now.</summary>
    RightWithOldHash,
}

/// <summary>
/// Hashes passwords with the framework's version 3: PBKDF2 with HMAC-SHA512, a salt for each. Only so many are computed
/// at once, away from the threads that answer payments, and only so many wait.
/// </summary>
public sealed class Passwords(IdentitySettings settings) : IDisposable
{
    private readonly PasswordHasher<User> hasher = new(
        Options.Create(new PasswordHasherOptions { IterationCount = settings.PasswordRounds }));

    private readonly SemaphoreSlim turns = new(settings.PasswordHashesAtOnce);
    private int underWay;

    /// <summary>
    /// Costs as much as a real one and fits no password, so an unknown e-mail takes the time of a known one.
    /// </summary>
    internal string NobodysHash { get; } = MakeNobodysHash(settings.PasswordRounds);

    /// <summary>The hash to store; null when too many wait.</summary>
    public Task<string?> HashAsync(string password, CancellationToken cancel) =>
        RunAsync<string?>(() => hasher.HashPassword(null!, password), null, cancel);

    /// <summary>Compares in constant time; a null hash takes as long as a real one and is never right.</summary>
    public Task<PasswordMatch> CompareAsync(string? hash, string password, CancellationToken cancel) => RunAsync(
        () => (hasher.VerifyHashedPassword(null!, hash ?? NobodysHash, password), hash) switch
        {
            (PasswordVerificationResult.Failed, _) or (_, null) => PasswordMatch.Wrong,
            (PasswordVerificationResult.SuccessRehashNeeded, _) => PasswordMatch.RightWithOldHash,
            _ => PasswordMatch.Right,
        },
        PasswordMatch.Busy,
        cancel);

    /// <inheritdoc/>
    public void Dispose() => turns.Dispose();

    private async Task<T> RunAsync<T>(Func<T> work, T whenBusy, CancellationToken cancel)
    {
        try
        {
            if (Interlocked.Increment(ref underWay) > settings.PasswordQueueMax)
            {
                return whenBusy;
            }

            await turns.WaitAsync(cancel);
            try
            {
                return await Task.Run(work, CancellationToken.None);
            }
            finally
            {
                turns.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref underWay);
        }
    }

    // The format of version 3: a marker, then function, rounds and salt length in network order, salt, 32 bytes.
    private static string MakeNobodysHash(int rounds)
    {
        const int header = 13, salt = 16, key = 32;
        var hash = RandomNumberGenerator.GetBytes(header + salt + key);
        hash[0] = 1;
        BinaryPrimitives.WriteInt32BigEndian(hash.AsSpan(1), 2); // HMAC-SHA512
        BinaryPrimitives.WriteInt32BigEndian(hash.AsSpan(5), rounds);
        BinaryPrimitives.WriteInt32BigEndian(hash.AsSpan(9), salt);
        return Convert.ToBase64String(hash);
    }
}
