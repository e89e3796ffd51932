using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Supervision;

// Goal: an operator sees every job and its runs, and starts one by hand. Method: the real server on both databases.
public sealed class When_jobs_are_looked_at(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_start_by_hand_ends_in_the_history(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Jobs:PollMs=50");
        var asked = (await server.Operator.SendAsync("POST", "/v1/ops/jobs/job-history/runs")).Expect(202);
        Assert.Equal(("WAITING", "True"), (asked.Of("state"), asked.Of("manual")));

        await PaymentServer.EventuallyAsync("the run is over", async () =>
            (await server.Operator.AllAsync("/v1/ops/jobs/job-history/runs", 200))[0] is var run
                && run.GetProperty("state").GetString() == "DONE"
                && run.GetProperty("durationMs").GetInt64() >= 0
                && run.GetProperty("detail").GetString() == "0 runs forgotten");

        var jobs = (await server.Operator.GetAsync("/v1/ops/jobs")).Expect(200).Json.GetProperty("data");
        var job = jobs.EnumerateArray().Single(one => one.GetProperty("name").GetString() == "job-history");
        Assert.Equal("23 3 * * *", job.GetProperty("schedule").GetString());
        Assert.Equal("UTC", job.GetProperty("timeZone").GetString());
        Assert.EndsWith("T03:23:00.000Z", job.GetProperty("nextDueAt").GetString());
        Assert.Equal(asked.Id, job.GetProperty("lastRun").GetProperty("id").GetString());

        var metrics = Exposition.Parse((await server.Operator.GetAsync("/metrics")).Text);
        Assert.True(metrics.Values["floodgate_job_runs_total{job=\"job-history\",outcome=\"done\"}"] >= 1);
    }

    [Fact]
    public async Task An_unknown_job_is_refused_with_the_names_that_there_are()
    {
        await using var server = await PaymentServer.StartAsync(Stored.InSqlite, postgreSql);
        foreach (var method in new[] { "GET", "POST" })
        {
            var refused = (await server.Operator.SendAsync(method, "/v1/ops/jobs/nothing/runs")).Expect(404);
            Assert.Equal("job_not_found", refused.Code);
            Assert.Contains("job-history, log-retention", refused.Of("detail"));
        }
    }
}
