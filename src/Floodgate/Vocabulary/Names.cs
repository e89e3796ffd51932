namespace Floodgate.Vocabulary;

/// <summary>The one rule for names that people give: to merchants, sales, products, prices and the like.</summary>
public static class Names
{
    /// <summary>
    /// What is wrong with a name, as the end of a sentence that begins with its field; null when nothing is.
    /// </summary>
    public static string? FaultOf(string name, int lengthMax) =>
        name.Length > lengthMax || string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl)
            ? $"must have 1 to {lengthMax} printable characters"
            : null;
}
