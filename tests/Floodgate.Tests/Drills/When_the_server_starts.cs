using System.Net;
using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Supervision;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a service manager and a monitoring system find what they need as soon as the program runs. Method: the real
// process, started on empty and on existing data.
[Collection(Drill.Collection)]
public sealed class When_the_server_starts
{
    // Goal: a restart on existing data needs no hand. Method: take a payment, kill, start again, ask for it.
    [Fact]
    public async Task It_is_ready_again_and_still_knows_its_payments()
    {
        await using var server = await FloodgateProcess.StartAsync("up", "--demo");
        var api = new ServerApi(server.Http);
        var paid = await api.PostAsync("/v1/payments", "start-1", ServerApi.PaymentBody(500, "u-1"), waitSeconds: 30);
        server.Kill();

        await server.StartAgainAsync();
        Assert.Contains("Floodgate is ready at", server.Output);

        var found = await api.GetAsync($"/v1/payments/{paid.Id}");
        Assert.Equal("CAPTURED", found.Text("status"));
    }

    // Goal: probes and scrapers can read the answers. Method: the strict reader of the exposition format.
    [Fact]
    public async Task Health_and_metrics_can_be_read_by_their_users()
    {
        await using var server = await FloodgateProcess.StartAsync("up", "--demo");

        using var live = await server.Http.GetAsync("/health/live");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        using var ready = JsonDocument.Parse(await server.Http.GetStringAsync("/health/ready"));
        Assert.Equal("ready", ready.RootElement.GetProperty("status").GetString());
        Assert.Equal(
            ["database", "processing", "results", "expiry", "jobs", "settlement", "waiting-rooms"],
            ready.RootElement.GetProperty("checks").EnumerateArray().Select(check => check.GetString()));

        var api = new ServerApi(server.Http);
        await api.PostAsync("/v1/payments", "metrics-1", ServerApi.PaymentBody(500, "u-1"), waitSeconds: 30);
        var metrics = Exposition.Parse(await server.Http.GetStringAsync("/metrics"));
        Assert.True(metrics.Values["process_resident_memory_bytes"] > 0);
        Assert.True(metrics.Values["process_cpu_seconds_total"] > 0);
        Assert.Equal(1, metrics.Values["floodgate_payments_accepted_total"]);
    }
}
