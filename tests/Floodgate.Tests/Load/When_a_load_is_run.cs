using System.Text.Json;
using Floodgate.Load;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: each command measures what it says, puts back every knob, and answers with the right exit code. Method: the
/// whole command line against a small real HTTP server.
/// </summary>
public sealed class When_a_load_is_run
{
    [Fact]
    public async Task An_open_loop_sends_every_arrival_at_its_rate()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(
            server, "accept", "--rate", "400", "--seconds", "1", "--late-ms", "60000", "--no-op-yardstick", "false");

        Assert.Equal(0, run.ExitCode);
        var load = run.Report.GetProperty("load");
        Assert.Equal("open", load.GetProperty("loop").GetString());
        Assert.Equal(400, load.GetProperty("arrivals").GetInt64());
        Assert.Equal(400, load.GetProperty("accepted").GetInt64());
        Assert.Equal(400, load.GetProperty("pacingError").GetProperty("count").GetInt64());
        Assert.True(load.GetProperty("seconds").GetDouble() > 0.99, "a constant rate needs its time");
    }

    [Fact]
    public async Task The_yardstick_runs_before_and_after_and_gives_a_ratio()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(
            server, "accept", "--closed", "--count", "300", "--no-op-seconds", "1", "--expect-ratio", "1000");

        Assert.Equal(3, run.ExitCode);
        var commandLine = run.Report.GetProperty("commandLine").GetString();
        Assert.StartsWith("./floodgate load accept --closed", commandLine, StringComparison.Ordinal);
        var when = run.Report.GetProperty("yardsticks").EnumerateArray().Select(y => y.GetProperty("when").GetString());
        Assert.Equal(["before", "after"], when);
        Assert.True(run.Report.GetProperty("noOpRatio").GetDouble() > 0);
        Assert.False(run.Report.GetProperty("goals")[0].GetProperty("met").GetBoolean());
        Assert.Equal(300, run.Report.GetProperty("audit").GetProperty("paymentsListed").GetInt64());
    }

    [Fact]
    public async Task Payments_are_spread_over_the_merchants_created()
    {
        await using var server = await FakeServer.StartAsync();

        await LoadRun.OfAsync(
            server, "accept", "--closed", "--count", "40", "--merchants", "4", "--no-op-yardstick", "false");

        var perKey = server.PayingKeys.CountBy(key => key).ToList();
        Assert.Equal(4, perKey.Count);
        Assert.All(perKey, key => Assert.Equal(10, key.Value));
    }

    [Fact]
    public async Task Warm_up_payments_are_audited_but_not_measured()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(
            server, "accept", "--closed", "--count", "30", "--warm-up", "20", "--no-op-yardstick", "false");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(30, run.Report.GetProperty("load").GetProperty("accepted").GetInt64());
        Assert.Equal(50, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
    }

    [Fact]
    public async Task A_lost_answer_is_an_error_and_its_payment_is_audited_all_the_same()
    {
        await using var server = await FakeServer.StartAsync(FakeFault.HangsUpAfterwards);

        var run = await LoadRun.OfAsync(server, "accept", "--closed", "--count", "40", "--no-op-yardstick", "false");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(1, run.Report.GetProperty("load").GetProperty("errors").GetInt64());
        Assert.Equal(39, run.Report.GetProperty("load").GetProperty("accepted").GetInt64());
        Assert.Equal(40, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
    }

    [Fact]
    public async Task An_outage_is_put_on_and_off_and_the_breaker_is_watched()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(
            server, "accept", "--rate", "100", "--seconds", "1", "--outage-at", "0", "--outage-seconds", "1",
            "--late-ms", "60000", "--no-op-yardstick", "false");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal([true, false], server.Outages);
        Assert.Equal(7, server.Faults["knobOfTomorrow"]!.GetValue<int>());
        var states = run.Report.GetProperty("outage").GetProperty("changes").EnumerateArray()
            .Select(change => change.GetProperty("state").GetString());
        Assert.Equal(["CLOSED", "OPEN", "CLOSED"], states);
    }

    [Fact]
    public async Task A_curve_measures_at_each_size()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(server, "accept", "--curve", "100,300", "--no-op-yardstick", "false");

        Assert.Equal(0, run.ExitCode);
        var points = run.Report.GetProperty("curve").EnumerateArray()
            .Select(point => (point.GetProperty("stored").GetInt64(), point.GetProperty("measured").GetInt64()));
        Assert.Equal([(100, 50), (300, 100)], points);
        Assert.Equal(300, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
    }

    [Fact]
    public async Task A_drain_piles_up_then_carries_all_and_puts_the_knobs_back()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(
            server, "drain", "--count", "500", "--latency-ms", "750", "--expect-seconds", "60");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(500, server.BacklogMost);
        Assert.False(server.Paused);
        Assert.Equal(200, server.Faults["latencyMs"]!.GetValue<int>());
        var drain = run.Report.GetProperty("drain");
        Assert.Equal(500, drain.GetProperty("payments").GetInt64());
        Assert.Equal(0.375, drain.GetProperty("limitSeconds").GetDouble(), 6);
        Assert.Equal(500, drain.GetProperty("samples")[0].GetProperty("backlog").GetInt64());
        Assert.Equal(500, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
    }

    [Fact]
    public async Task The_html_report_is_one_file_with_pictures_and_without_keys()
    {
        await using var server = await FakeServer.StartAsync();
        var file = Path.Combine(Directory.CreateTempSubdirectory("floodgate-load").FullName, "report.html");

        await LoadRun.OfAsync(
            server, "accept", "--closed", "--count", "200", "--key", "fg_secret_key", "--html", file,
            "--no-op-yardstick", "false");

        var html = await File.ReadAllTextAsync(file);
        Directory.Delete(Path.GetDirectoryName(file)!, true);
        Assert.StartsWith("<!doctype html>", html);
        Assert.Contains("<svg", html);
        Assert.Contains("Latency by percentile", html);
        Assert.Contains("every accepted payment exists exactly once", html);
        Assert.Contains("prefers-color-scheme: dark", html);
        Assert.DoesNotContain("fg_secret_key", html);
        Assert.DoesNotContain("NaN", html);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("src=", html);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_said_so_with_exit_code_1()
    {
        string url;
        await using (var gone = await FakeServer.StartAsync())
        {
            url = gone.Url;
        }

        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, progress, "testrun1");

        var code = await CommandLine.RunAsync(["audit", "--url", url], around);

        Assert.Equal(1, code);
        Assert.Contains("Is the server up?", progress.ToString());
        Assert.Empty(output.ToString());
    }

    [Theory]
    [InlineData("accept", "--closed", "--rate", "5")]
    [InlineData("accept", "--rate", "0")]
    [InlineData("accept", "--curve", "10,5")]
    [InlineData("audit", "--url", "ftp://here")]
    [InlineData("audit", "--url", "https://127.0.0.1:1")]
    [InlineData("rush-b")]
    public async Task Wrong_options_are_refused_with_exit_code_1(params string[] args)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, progress, "testrun1");

        Assert.Equal(1, await CommandLine.RunAsync(args, around));
        Assert.NotEmpty(progress.ToString());
    }

    [Fact]
    public async Task Help_shows_examples()
    {
        using var output = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Null, "testrun1");

        Assert.Equal(0, await CommandLine.RunAsync(["accept", "--help"], around));
        Assert.Contains("./floodgate load accept --rate 2000 --seconds 60", output.ToString());
        Assert.Contains("  ./floodgate load accept [options]", output.ToString());
    }

    [Fact]
    public async Task The_text_report_keeps_offered_accepted_and_final_apart()
    {
        await using var server = await FakeServer.StartAsync(FakeFault.NeverFinishesIt);
        using var output = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Null, "testrun1");

        var code = await CommandLine.RunAsync(
            ["accept", "--url", server.Url, "--closed", "--count", "40", "--no-op-yardstick", "false"], around);

        Assert.Equal(2, code);
        Assert.Matches("offered +40 ", output.ToString());
        Assert.Matches("accepted +40 ", output.ToString());
        Assert.Matches("final +39\n", output.ToString());
        Assert.Contains("FAIL  every accepted payment is final: 40 checked, 1 BROKEN", output.ToString());
    }
}
