namespace Floodgate.Tests.Architecture;

/// <summary>
/// The modules in the order in which they may know each other: each uses itself and those above it, nothing below.
/// The next stage of a purchase is reached through the log, never by a call.
/// </summary>
public static class Modules
{
    /// <summary>What the composition root is called in messages: the types right in the root namespace.</summary>
    public const string Root = "(root)";

    /// <summary>
    /// Namespaces below the root namespace, lowest first; sub-namespaces belong to their module. Storage.Database
    /// comes first in Storage because leases and the log are tables in it; the Ledger comes before the stages
    /// because they post to it and it knows none of them: of other modules only Access, for its own routes.
    /// </summary>
    public static readonly string[] LowestFirst =
    [
        "Vocabulary",
        "Storage.Database",
        "Storage.Coordination",
        "Storage.Log",
        "Access",
        "Payment.Ledger",
        "Checkout.Catalog",
        "Checkout.Holds",
        "Checkout.Admission",
        "Checkout.Orders",
        "Payment.Charges",
        "Payment.Results",
        "Settlement",
        "Signals",
        "Supervision",
    ];

    /// <summary>
    /// The module that a namespace below <paramref name="root"/> belongs to: <see cref="Root"/> for the root itself,
    /// null for one that the table does not have.
    /// </summary>
    public static string? Of(string @namespace, string root) => @namespace == root
        ? Root
        : Array.Find(LowestFirst, module => $"{@namespace}.".StartsWith($"{root}.{module}.", StringComparison.Ordinal));

    /// <summary>The place in the order; the root is above all.</summary>
    public static int Rank(string module) => module == Root ? LowestFirst.Length : Array.IndexOf(LowestFirst, module);
}
