using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Floodgate.Vocabulary;

/// <summary>A rule about money or stock that no input can break; breaking it is a bug in this program.</summary>
public sealed class InvariantViolatedException(string message) : Exception(message);

/// <summary>
/// Checks that stay on in Release builds. The worker that breaks one stops; it never logs and continues.
/// </summary>
public static class Invariant
{
    /// <summary>Throws <see cref="InvariantViolatedException"/> naming the broken rule unless it holds.</summary>
    public static void Check(
        [DoesNotReturnIf(false)] bool holds,
        string rule,
        [CallerArgumentExpression(nameof(holds))] string? expression = null)
    {
        if (!holds)
        {
            throw new InvariantViolatedException($"Invariant violated: {rule} ({expression}).");
        }
    }
}
