using System.Collections.Frozen;
using System.Net;
using Xunit;

namespace Floodgate.Tests.Fixtures;

/// <summary>Goal: what crash drills stand on is the real program. Method: start, kill and stop it.</summary>
public sealed class FloodgateProcessTests
{
    // Goal: a drill can kill the server at any moment and go on with the same data and address. Method: do so.
    [Fact]
    public async Task Serves_again_on_the_same_address_after_a_kill_and_ends_cleanly_when_asked()
    {
        await using var server = await FloodgateProcess.StartAsync("up", "--demo");

        server.Kill();
        await Assert.ThrowsAsync<HttpRequestException>(() => server.Http.GetAsync("/health/ready"));

        await server.StartAgainAsync();
        using var ready = await server.Http.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.NotEmpty(Directory.GetFiles(server.DataFolder));

        Assert.Equal(0, await server.StopAsync());
    }

    // Goal: a program that refuses to start fails the test at once and says why. Method: a command that it has not.
    [Fact]
    public async Task Reports_the_output_of_a_program_that_ends_instead_of_getting_ready()
    {
        var (exitCode, output) = await FloodgateProcess.RunAsync(
            FrozenDictionary<string, string>.Empty, "no-such-command");
        Assert.NotEqual(0, exitCode);
        Assert.Contains("no-such-command", output);

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => FloodgateProcess.StartAsync("no-such-command"));
        Assert.Contains($"exit code {exitCode}", failure.Message);
        Assert.Contains("no-such-command", failure.Message);
    }
}
