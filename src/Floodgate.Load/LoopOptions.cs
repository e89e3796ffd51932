using System.CommandLine;

namespace Floodgate.Load;

/// <summary>A load that is an open or a closed loop, as far as all such loads are alike.</summary>
internal abstract record LoopPlan
{
    /// <summary>True = closed loop, false = open loop.</summary>
    public bool Closed { get; init; }

    /// <summary>Open loop: arrivals per second.</summary>
    public int RatePerSecond { get; init; }

    /// <summary>How long the load lasts, in seconds.</summary>
    public int Seconds { get; init; } = 10;

    /// <summary>Closed loop: ends after this many; null = after <see cref="Seconds"/>.</summary>
    public int? Count { get; init; }

    /// <summary>Connections; null = 64 in a closed loop, 256 in an open one.</summary>
    public int? Connections { get; init; }

    /// <summary>Sent before the measured load.</summary>
    public int WarmUp { get; init; }

    /// <summary>The longest wait for the final states, in seconds.</summary>
    public int DrainSeconds { get; init; } = 300;

    /// <summary>An arrival that waits longer for a free connection is dropped; open loop only.</summary>
    public int LateMsMax { get; init; } = 1000;

    /// <summary>Seconds of the no-op loop before and after; 0 = none.</summary>
    public int NoOpSeconds { get; init; } = 3;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;
}

/// <summary>The options of such a load. The command adds them where they belong in its help.</summary>
/// <param name="common">What every run has.</param>
/// <param name="rateLeast">The least rate.</param>
/// <param name="rateDefault">The rate when none is given, for the help.</param>
internal sealed class LoopOptions(RunOptions common, int rateLeast, int rateDefault)
{
    /// <summary>How fast an open loop is.</summary>
    public Option<int?> Rate { get; } = TargetOptions.Whole(
        "--rate", $"Open loop: arrivals per second, evenly spaced (default {rateDefault}).", (rateLeast, 100_000));

    /// <summary>How long it lasts.</summary>
    public Option<int?> Seconds { get; } = TargetOptions.Whole(
        "--seconds", "How long the load lasts (default 10).", (1, 86_400));

    /// <summary>Which loop it is.</summary>
    public Option<bool> Closed { get; } = new("--closed")
    {
        Description = "Closed loop: each connection sends its next request when the last one is answered.",
    };

    /// <summary>After how many it ends.</summary>
    public Option<int?> Count { get; } = TargetOptions.Whole(
        "--count", "Closed loop: end after so many instead of --seconds.", (1, 100_000_000));

    /// <summary>Over how many connections it goes.</summary>
    public Option<int?> Connections { get; } = TargetOptions.Whole(
        "--connections", "Connections: all of them in a closed loop (default 64), at most in an open one (256).",
        (1, 4096));

    /// <summary>What comes before.</summary>
    public Option<int?> WarmUp { get; } = TargetOptions.Whole(
        "--warm-up", "So many before the measured load; audited, not measured (default 0).", (0, 1_000_000));

    /// <summary>How long its end may take.</summary>
    public Option<int?> DrainSeconds { get; } = TargetOptions.Whole(
        "--drain-seconds", "The longest wait for the final states (default 300).", (1, 86_400));

    /// <summary>How long an arrival waits.</summary>
    public Option<int?> LateMs { get; } = TargetOptions.Whole(
        "--late-ms", "Open loop: an arrival that waits longer for a free connection is dropped (default 1000).",
        (1, 60_000));

    /// <summary>Refuses a rate for a closed loop.</summary>
    public void Validate(Command command) => command.Validators.Add(result =>
    {
        if (result.GetValue(Closed) && result.GetValue(Rate) is not null)
        {
            result.AddError("--rate is for the open loop; leave it out or leave out --closed.");
        }
    });

    /// <summary>The plan with what was given; what was not stays as it is in <paramref name="blank"/>.</summary>
    public TPlan Read<TPlan>(ParseResult parsed, TPlan blank)
        where TPlan : LoopPlan
    {
        LoopPlan plan = blank;
        return (TPlan)(plan with
        {
            Closed = parsed.GetValue(Closed),
            RatePerSecond = parsed.GetValue(Rate) ?? plan.RatePerSecond,
            Seconds = parsed.GetValue(Seconds) ?? plan.Seconds,
            Count = parsed.GetValue(Count),
            Connections = parsed.GetValue(Connections),
            WarmUp = parsed.GetValue(WarmUp) ?? plan.WarmUp,
            DrainSeconds = parsed.GetValue(DrainSeconds) ?? plan.DrainSeconds,
            LateMsMax = parsed.GetValue(LateMs) ?? plan.LateMsMax,
            NoOpSeconds = common.NoOpSeconds(parsed),
            TimeoutSeconds = common.TimeoutSeconds(parsed),
        });
    }
}
