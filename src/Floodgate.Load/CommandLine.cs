using System.CommandLine;
using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Drain;

namespace Floodgate.Load;

/// <summary>The commands of the load tool; <c>./floodgate load</c> passes its arguments here.</summary>
internal static class CommandLine
{
    private const string Help = """
        Load tool of Floodgate, run as ./floodgate load. It sends real traffic to a running server, measures it beside a
        yardstick, and audits every payment it sent. Start a server with ./floodgate up --demo.
        """;

    /// <summary>Parses and runs; returns the exit code (see <see cref="ExitCode"/>).</summary>
    public static Task<int> RunAsync(string[] args, Surroundings around)
    {
        var root = new RootCommand(Help)
        {
            AcceptCommand.Build(around),
            DrainCommand.Build(around),
            AuditCommand.Build(around),
        };
        return root.Parse(args).InvokeAsync(new InvocationConfiguration
        {
            Output = around.Output,
            Error = around.Progress,
        });
    }
}
