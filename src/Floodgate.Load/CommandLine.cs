using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Browse;
using Floodgate.Load.Drain;
using Floodgate.Load.Hold;
using Floodgate.Load.Order;
using Floodgate.Load.Queue;
using Floodgate.Load.Rush;
using Floodgate.Load.Settle;

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
        var help = new HelpOption();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);

        // Not a RootCommand: that one is named for the file of the program, which nobody types.
        var load = new Command("load", Help)
        {
            new VersionOption(),
            AcceptCommand.Build(around),
            DrainCommand.Build(around),
            HoldCommand.Build(around),
            OrderCommand.Build(around),
            BrowseCommand.Build(around),
            QueueCommand.Build(around),
            RushCommand.Build(around),
            SettleCommand.Build(around),
            AuditCommand.Build(around),
        };
        var root = new Command("./floodgate") { help, load };
        return root.Parse(["load", .. args]).InvokeAsync(new InvocationConfiguration
        {
            // After Ctrl+C a run puts back the knobs that it turned; two seconds, the default, may be too few.
            ProcessTerminationTimeout = TimeSpan.FromSeconds(20),
            Output = around.Output,
            Error = around.Progress,
        });
    }
}

/// <summary>A command that shows how it is used.</summary>
internal sealed class ExampleCommand(string name, string description, string examples) : Command(name, description)
{
    /// <summary>Command lines that work as they stand, then the exit codes.</summary>
    public string Examples => examples;
}

/// <summary>The usual help, and below it the examples of the command.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var code = usual.Invoke(parseResult);
        if (parseResult.CommandResult.Command is ExampleCommand command)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"Examples:\n{command.Examples}\n");
        }

        return code;
    }
}
