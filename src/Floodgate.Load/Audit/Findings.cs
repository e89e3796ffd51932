namespace Floodgate.Load.Audit;

/// <summary>One check: how many cases it looked at, how many broke it, and the first of them.</summary>
internal sealed record AuditCheck(string Name, bool Holds, long Checked, long Broken, string Detail);

/// <summary>Counts the cases of one check and keeps the first that broke it.</summary>
internal sealed class Findings
{
    private const int ExamplesMax = 3;
    private readonly List<string> examples = [];
    private long looked;
    private long broken;

    /// <summary>Looks at one case; <paramref name="fault"/> is null when all is well.</summary>
    public void Look(string? fault, string what)
    {
        looked++;
        if (fault is null)
        {
            return;
        }

        broken++;
        if (examples.Count < ExamplesMax)
        {
            examples.Add($"{what}: {fault}");
        }
    }

    /// <summary>The verdict so far.</summary>
    public AuditCheck Check(string name) => new(name, broken == 0, looked, broken, string.Join("; ", examples));
}
