using System.CommandLine;

namespace Floodgate.Load.Audit;

/// <summary>The command line of <c>audit</c>.</summary>
internal static class AuditCommand
{
    private const string Help =
        "Compare every payment, order and seat on the server with each other and the statement. Run it at rest.";

    private const string Examples = """
          ./floodgate load audit
          ./floodgate load audit --provider-url http://127.0.0.1:8090 --json

          Exit codes: 0 every check holds, 1 could not run, 2 a check failed.
        """;

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var command = new ExampleCommand("audit", Help, Examples);
        var target = new TargetOptions().AddTo(command, []);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            async (session, blank) => blank with
            {
                Audit = await Auditor.RunAsync(session, AuditScope.WholeServer, cancel),
            },
            cancel));
        return command;
    }
}
