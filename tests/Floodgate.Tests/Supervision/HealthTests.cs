using System.Net;
using Floodgate.Access;
using Floodgate.Supervision;
using Floodgate.Tests.Access;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Supervision;

// Goal: a process that lacks something gets no traffic, says what it lacks, and is still alive.
// Method: the real server beside health routes whose checks the test controls.
public sealed class HealthTests
{
    [Fact]
    public async Task A_started_server_is_alive_and_ready()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal("""{"status":"alive"}""", await server.Client.GetStringAsync("/health/live"));
        Assert.Equal(
            """
            {"status":"ready","checks":["database","processing","results","expiry","jobs","settlement","waiting-rooms"]}
            """,
            await server.Client.GetStringAsync("/health/ready"));
    }

    [Fact]
    public async Task Readiness_names_everything_that_is_missing()
    {
        var never = new TaskCompletionSource<string?>();
        ReadyCheck[] checks =
        [
            new("fine", _ => new((string?)null)),
            new("broker", _ => new("cannot be reached.")),
            new("slow", _ => new(never.Task)),
            new("broken", _ => throw new InvalidOperationException("secret")),
        ];
        var settings = new SupervisionSettings(Microsoft.Extensions.Logging.LogLevel.None, true, ReadyTimeoutMs: 20);
        var health = new Health(checks, settings, NullLogger<Health>.Instance);
        await using var server = await TestServer.StartAsync(routes =>
            routes.Map("GET", "/t/ready", Who.Public, (context, _) => health.ReadyAsync(context)));

        using var response = await server.SendAsync("GET", "/t/ready", null);
        var detail = await TestServer.RefusedAsync(response, 503, "not_ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(
            "broker: cannot be reached. slow: no answer within 20 ms. broken: the check failed; see the log.", detail);
        never.SetResult(null);
    }
}
