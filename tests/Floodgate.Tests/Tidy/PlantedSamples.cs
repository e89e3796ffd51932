namespace Floodgate.Tests.Tidy;

/// <summary>For each rule what it must catch, beside the nearest thing that it must let pass.</summary>
public static class PlantedSamples
{
    private const string Server = "src/Floodgate/Some.cs";
    private const string Test = "tests/Floodgate.Tests/Some.cs";
    private const string Document = "docs/SOME.md";

    /// <summary>Rule, path of the file, text that breaks the rule, text that keeps it.</summary>
    public static IReadOnlyList<(string Rule, string Path, string Broken, string Kept)> All { get; } =
    [
        ("clock", Server, Body("var at = DateTime.UtcNow;"), Body("var at = time.GetUtcNow();")),
        (
            "clock", Server,
            Body("var at = System.DateTimeOffset.Now;"),
            Body("var at = \"DateTime.Now\"; // DateTime.Now")),
        ("ids", Server, Body("var id = Guid.NewGuid();"), Body("var id = ids.Next();")),
        ("ids", Server, Body("var id = Guid.CreateVersion7();"), Body("var id = Guid.Empty;")),
        ("ids", "src/Floodgate/Vocabulary/Ids.cs", Body("Guid.NewGuid();"), Body("Guid.CreateVersion7();")),
        ("sleep", Server, Body("Thread.Sleep(1);"), Body("await Task.Delay(wait, time, cancel);")),
        ("sleep", Test, Body("await Task.Delay(1);"), Body("await Eventually.HoldsAsync(done, deadline, what);")),
        ("blocking", Server, Body("return task.Result;"), Body("return await job.Result;")),
        ("blocking", Server, Body("task.Wait();"), Body("await task.WaitAsync(deadline);")),
        ("blocking", Server, Body("task.GetAwaiter().GetResult();"), Body("task.GetAwaiter().OnCompleted(next);")),
        ("blocking", Server, Body("a.Wait();"), Body("a.Wait(); // tidy: blocking: own thread, never the pool's")),
        ("blocking", Server, Body("a.Wait(); // tidy: blocking:"), Body("// tidy: blocking: own thread\na.Wait();")),
        ("catch", Server, Body("try { } catch { }"), Body("try { } catch (IOException) { }")),
        ("catch", Server, Body("try { } catch { Undo(); }"), Body("try { } catch { Undo(); throw; }")),
        (
            "catch", Server,
            Body("try { } catch (Exception e) { }"),
            Body("try { } catch (Exception e)\n{\n// The edge.\n}")),
        (
            "catch", Server,
            Body("try { } catch (Exception e) when (late) { }"),
            Body("try { } catch (Exception e) when (e is IOException) { }")),
        ("money", Server, Body("double amount = 1;"), Body("long amountMinor = 1; double seconds = 1;")),
        ("money", Server, "record Line(decimal? UnitPrice);", "record Line(Money UnitPrice, double FeeRatio);"),
        ("money", Server, Body("var x = (decimal)line.AmountMinor;"), Body("var x = (long)line.AmountMinor;")),
        ("money", Server, "class A { float Balance { get; } }", "class A { double Spread { get; } }"),
        ("chance", Server, Body("var n = Random.Shared.Next();"), Body("var n = random.Next();")),
        ("chance", Server, Body("var random = new Random();"), Body("var random = new Random(seed);")),
        ("chance", Server, Body("Random random = new();"), Body("Random random = new(seed);")),
        ("region", Server, "#region Fields\n#endregion\nsealed class A;", "#if DEBUG\n#endif\nsealed class A;"),
        ("sealed", Server, "public class A;", "public sealed class A;"),
        ("sealed", Server, "public record A(int B);", "public abstract record A; record struct C; static class D;"),
        ("method-length", Server, Body(Lines(67)), Body(Lines(66))),
        (
            "method-length", Server,
            Body($"void Inner() {{ {Lines(71)} }}"),
            $"class A {{ // tidy: method-length: one table\nA() {{ {Lines(71)} }} }}"),
        ("name", Server, "sealed class OrderManager;", "sealed class ManagerOfOrders;"),
        ("name", Server, "record struct PaymentDto;", "record struct Payment;"),
        (
            "select-star", Server,
            Body("q(\"SELECT " + "* from holds\");"),
            Body("q(\"select count(*), 2 * 3 from holds\");")),
        (
            "select-star", Server,
            Body("q($\"select " + "h.* from {h} h\");"),
            Body("q($\"select h.id from {h} h\");")),
        (
            "select-star", Server,
            Body("q(\"\"\"\nselect\n" + "*\nfrom holds\n\"\"\");"),
            Body("q(1); // select " + "* from holds")),
        (
            "unfinished-code", Server,
            Body("throw new NotImplementedException();"),
            Body("throw new TimeoutException();")),
        (
            "unfinished-code", Test,
            "class A { [Fact(Skip = \"later\")] void B() { } }",
            "class A { [Fact] void B() { } }"),
        ("unfinished", Server, "// TO" + "DO: more", "// Todos are what buyers keep."),
        ("unfinished", Document, "FIX" + "ME later", "Fixed."),
        ("width", Server, Wide(121), Wide(120)),
        ("document-width", Document, Wide(101), Wide(100)),
        ("document-width", Document, "```\na\n```\n" + Wide(101), "```\n" + Wide(101) + "\n```"),
        ("document-width", Document, "x | " + Wide(101), "| " + Wide(101) + " |"),
        ("file-length", Server, Lines(501), Lines(500)),
        (
            "file-length", "src/Floodgate/Access/AccessHttp.cs",
            Lines(501),
            "// tidy: file-length: a table\n" + Lines(501)),
        ("readme-length", "src/Floodgate/Access/README.md", Lines(61), Lines(60)),
        ("machine-path", "test", "cp report /tm" + "p/report", "cp report build/tmp/report"),
        ("machine-path", Server, "q(\"/wo" + "rk/main\");", "q(\"/v1/tmp/main\");"),
        ("link", Document, "[gone](GONE.md)", "[here](HERE.md#part) [out](https://example.org/a.md) [up](#top)"),
        ("link", Document, "`code` [gone](GONE.md)", "`[gone](GONE.md)`"),
        ("link", "src/Floodgate/Access/README.md", "[x](../docs/HERE.md)", "[x](../../../docs/HERE.md)"),
    ];

    /// <summary>The sample as a file of a repository that has only <c>docs/HERE.md</c>.</summary>
    public static SourceFile File(string path, string text) => new(path, text, found => found == "docs/HERE.md");

    private static string Body(string statements) =>
        $"sealed class A\n{{\nasync Task B()\n{{\n{statements}\n}}\n}}\n";

    private static string Wide(int columns) => new('x', columns);

    private static string Lines(int count) => string.Concat(Enumerable.Repeat(";\n", count));
}
