using System.Globalization;
using System.Security.Cryptography;
using Xunit;

namespace Floodgate.Tests.Drills;

/// <summary>What all drills share. They run one after another: each wants the machine for its own processes.</summary>
internal static class Drill
{
    /// <summary>The collection of all drills.</summary>
    public const string Collection = "Drills";

    /// <summary>
    /// The source of random moments: <c>FLOODGATE_DRILL_SEED</c>, or a new seed in each run; printed, so that a failing
    /// run can be tried again.
    /// </summary>
    public static Random Chance()
    {
        var seed = Number("FLOODGATE_DRILL_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        Tell($"FLOODGATE_DRILL_SEED={seed}");
        return new Random(seed);
    }

    /// <summary>How often to kill: <c>FLOODGATE_DRILL_KILLS</c> for a long run, or what the drill needs.</summary>
    public static int Kills(int usual) => Number("FLOODGATE_DRILL_KILLS") ?? usual;

    /// <summary>Lines to settle: <c>FLOODGATE_DRILL_LINES</c> for a long run, or what the drill needs.</summary>
    public static int Lines(int usual) => Number("FLOODGATE_DRILL_LINES") ?? usual;

    /// <summary>A line beside the test's verdict.</summary>
    public static void Tell(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    private static int? Number(string variable) => int.TryParse(
        Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number
        : null;
}
