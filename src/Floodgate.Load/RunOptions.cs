using System.CommandLine;
using Floodgate.Load.Target;

namespace Floodgate.Load;

/// <summary>Options that several commands share: yardsticks, the time-out, rows of seats.</summary>
internal sealed class RunOptions
{
    private const int NoOpSecondsDefault = 3;
    private const int TimeoutSecondsDefault = 30;
    private const int YardstickSecondsDefault = 5;

    private readonly Option<bool> noOp = new("--no-op-yardstick")
    {
        Description = "Run a loop against the no-op endpoint before and after, over 64 connections.",
        DefaultValueFactory = _ => true,
    };

    private readonly Option<int?> noOpSeconds = TargetOptions.Whole(
        "--no-op-seconds", "How long each of these runs lasts (default 3).", (1, 600));

    private readonly Option<int?> timeout = TargetOptions.Whole(
        "--timeout-seconds", "An answer that takes longer counts as an error (default 30).", (1, 600));

    private readonly Option<int?> yardstickSeconds = TargetOptions.Whole(
        "--yardstick-seconds", "How long each other design is measured (default 5).", (1, 600));

    /// <summary>Where other designs are measured.</summary>
    public Option<string?> Postgres { get; } = new("--yardstick-postgres")
    {
        Description = "Connection string of a PostgreSQL on which other designs do the same work, in their own schema.",
    };

    /// <summary>An option for rows of seats.</summary>
    public static Option<string?> Seats(string description)
    {
        var option = new Option<string?>("--seats") { Description = description };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && SeatBlock.Read(result.Tokens[0].Value) is null)
            {
                result.AddError($"--seats {result.Tokens[0].Value} must be ROWSxSEATS, up to 250x200, e.g. 100x80.");
            }
        });
        return option;
    }

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command, bool withDesigns)
    {
        command.Options.Add(noOp);
        command.Options.Add(noOpSeconds);
        command.Options.Add(timeout);
        if (withDesigns)
        {
            command.Options.Add(Postgres);
            command.Options.Add(yardstickSeconds);
        }
    }

    /// <summary>Seconds of the no-op loop; 0 = none.</summary>
    public int NoOpSeconds(ParseResult parsed) =>
        parsed.GetValue(noOp) ? parsed.GetValue(noOpSeconds) ?? NoOpSecondsDefault : 0;

    /// <summary>The longest wait for an answer.</summary>
    public int TimeoutSeconds(ParseResult parsed) => parsed.GetValue(timeout) ?? TimeoutSecondsDefault;

    /// <summary>Seconds of each other design.</summary>
    public int YardstickSeconds(ParseResult parsed) => parsed.GetValue(yardstickSeconds) ?? YardstickSecondsDefault;
}
