namespace Floodgate.Load;

/// <summary>What the process answers to its caller.</summary>
internal static class ExitCode
{
    /// <summary>The run was made, the audit holds and every goal given was met.</summary>
    public const int Good = 0;

    /// <summary>The run could not be made; stderr says why and what to do.</summary>
    public const int CouldNotRun = 1;

    /// <summary>The audit found that the server broke a promise. It outranks missed goals.</summary>
    public const int AuditFailed = 2;

    /// <summary>A goal given with <c>--expect-...</c> was missed.</summary>
    public const int GoalMissed = 3;
}
