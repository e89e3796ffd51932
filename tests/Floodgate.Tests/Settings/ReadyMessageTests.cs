using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests;

// Goal: who starts the program is told what it serves, and is never left to believe that a simulated gateway moves
// money. Method: the message for each kind of process.
public sealed class ReadyMessageTests
{
    private const string Url = "http://127.0.0.1:8080";

    private const string Warning =
        "WARNING: the gateway is simulated and moves no money; set Providers:Gateway to http for a real one.";

    [Fact]
    public void A_simulated_gateway_is_told_in_a_line_of_its_own()
    {
        var lines = Message().Split(Environment.NewLine);
        Assert.Equal(2, lines.Length);
        Assert.StartsWith($"Floodgate is ready at {Url} (embedded: SQLite in ", lines[0]);
        Assert.Equal(Warning, lines[1]);
    }

    [Theory]
    [InlineData("Server:Demo=true")]
    [InlineData("Server:Role=api")]
    [InlineData("Providers:Gateway=http", "Providers:Http:Url=http://127.0.0.1:8090")]
    public void It_is_not_told_where_it_is_known_or_asks_nobody(params string[] settings) =>
        Assert.DoesNotContain("WARNING", Message(settings));

    [Theory]
    [InlineData("all")]
    [InlineData("api")]
    public void Demo_mode_gives_a_payment_to_paste(string role)
    {
        var text = Message("Server:Demo=true", $"Server:Role={role}");
        Assert.Contains($"curl -i {Url}/v1/payments -H 'Authorization: Bearer fg_demo_merchant'", text);
        Assert.DoesNotContain("takes no payments", text);
    }

    [Fact]
    public void A_worker_tells_what_it_serves_and_suggests_nothing_else()
    {
        var text = Message("Server:Role=worker");
        Assert.Contains("It serves /health, /metrics and /v1/ops, and takes no payments.", text);
        Assert.Contains(Warning, text);
        Assert.DoesNotContain("curl", text);

        var demo = Message("Server:Role=worker", "Server:Demo=true");
        Assert.Contains($"curl {Url}/v1/ops/lag -H 'Authorization: Bearer fg_demo_admin'", demo);
        Assert.DoesNotContain("/v1/payments", demo);
    }

    private static string Message(params string[] given)
    {
        var values = given.Select(setting => setting.Split('=', 2)).ToDictionary(part => part[0], part => part[1]);
        if (values.GetValueOrDefault("Server:Role", "all") != "all")
        {
            values["Database:ConnectionString"] = "Host=db";
        }

        return Server.ReadyMessage(Settings.Read(new([SettingsLayer.Of("test", values)])), [Url]);
    }
}
