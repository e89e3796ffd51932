namespace Floodgate.Load.Settle;

/// <summary>What <c>settle</c> was asked to do; see the options of <see cref="SettleCommand"/>.</summary>
internal sealed record SettlePlan
{
    /// <summary>The database of the server under test: a connection string or a path.</summary>
    public string Database { get; init; } = "";

    /// <summary>Lines of each day that is settled, one day after the other; the last one is what is measured.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [1_000_000];

    /// <summary>Merchants over whom they are spread.</summary>
    public int Merchants { get; init; } = 1_000;

    /// <summary>Without what the ledger would hold for the lines.</summary>
    public bool IsLinesOnly { get; init; }

    /// <summary>Lines on which other designs do the work; 0 = no yardsticks but the raw one.</summary>
    public int LadderLines { get; init; } = 100_000;

    /// <summary>Between the lines and the request to settle them, so that another load can begin.</summary>
    public int PauseSeconds { get; init; }

    /// <summary>The longest that a day may take.</summary>
    public int TimeoutSeconds { get; init; } = 1_800;
}
