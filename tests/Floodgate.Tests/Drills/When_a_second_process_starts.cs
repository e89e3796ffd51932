using System.Collections.Frozen;
using Floodgate.Tests.Fixtures;
using Npgsql;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a process too many does no harm: it is refused before it touches anything, and told what to do. Method: real
// processes beside each other on one folder or one database.
[Collection(Drill.Collection)]
public sealed class When_a_second_process_starts(PostgreSqlServer postgres)
{
    private const long LogOwnerLock = 0x466C6F6F65;

    // Goal: the embedded profile has one process for each folder. Method: start a second one on the same folder.
    [Fact]
    public async Task On_the_same_folder_it_is_refused_and_the_first_goes_on()
    {
        await using var first = await FloodgateProcess.StartAsync("up", "--demo");
        var (code, output) = await FloodgateProcess.RunAsync(
            FrozenDictionary<string, string>.Empty, "up", "--demo", "--data", first.DataFolder, "--urls", FreeUrl());

        Assert.Equal(69, code);
        Assert.Contains($"Database:Directory is {first.DataFolder}, where another Floodgate process is", output);
        await PaysAsync(first, "second-1");

        // An operator's command beside the running server is no second server.
        var (created, _) = await FloodgateProcess.RunAsync(
            FrozenDictionary<string, string>.Empty, "merchant", "create", "Acme", "--data", first.DataFolder);
        Assert.Equal(0, created);
    }

    // Goal: one worker for each database, which another may follow at once. Method: a second all and a second worker
    // are refused; after a kill of the first the next one starts.
    [Theory]
    [InlineData("all")]
    [InlineData("worker")]
    public async Task As_a_second_worker_on_one_database_it_is_refused_until_the_first_is_gone(string role)
    {
        var environment = await DatabaseAsync();
        await using var first = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "all");
        var (code, output) = await FloodgateProcess.RunAsync(
            environment, "serve", "--role", role, "--urls", FreeUrl());

        Assert.Equal(69, code);
        Assert.Contains("Database:ConnectionString names a database whose payments another Floodgate process", output);
        Assert.Contains("--role api", output);
        await PaysAsync(first, "second-2");

        first.Kill();
        await using var next = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", role);
        Assert.Equal(0, await next.StopAsync());
    }

    // Goal: intake scales beside one worker. Method: two of role api; the same key sent to both makes one payment,
    // which the worker carries out.
    [Fact]
    public async Task As_intake_beside_a_worker_it_is_welcome()
    {
        var environment = await DatabaseAsync();
        await using var worker = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "worker");
        await using var left = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "api");
        await using var right = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "api");

        for (var i = 0; i < 5; i++)
        {
            var paid = await Task.WhenAll(PaysAsync(left, $"both-{i}"), PaysAsync(right, $"both-{i}"));
            Assert.Equal(paid[0], paid[1]);
        }

        foreach (var process in new[] { worker, left, right })
        {
            await Eventually.HoldsAsync(
                async () => await new ServerApi(process.Http).BacklogAsync() == 0, () => "no backlog.");
        }
    }

    // Goal: an intake process tells the truth about processing. Method: no worker runs, so a payment stays in the log.
    [Fact]
    public async Task As_intake_without_a_worker_it_shows_the_backlog()
    {
        var environment = await DatabaseAsync();
        await using var worker = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "worker");
        worker.Kill();
        await using var intake = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "api");
        var api = new ServerApi(intake.Http);
        Assert.Equal(202, (await api.PostAsync("/v1/payments", "wait", ServerApi.PaymentBody(100, "u-1"))).Status);
        Assert.Equal(1, await api.BacklogAsync());

        await worker.StartAgainAsync();
        await Eventually.HoldsAsync(async () => await api.BacklogAsync() == 0, () => "no backlog.");
    }

    // Goal: a worker whose right was taken over while it was cut off does not work beside the new owner. Method: cut
    // its lock's connection and take the lock first.
    [Fact]
    public async Task When_it_took_over_the_cut_off_worker_stops_and_says_so()
    {
        var environment = await DatabaseAsync();
        await using var server = await FloodgateProcess.StartAsync(environment, "serve", "--demo", "--role", "all");
        await using var thief = new NpgsqlConnection(environment["FLOODGATE__DATABASE__CONNECTIONSTRING"]);
        await thief.OpenAsync();
        await Eventually.HoldsAsync(
            () => IsStolenAsync(thief), () => "the lock is taken before its owner has it again.");

        Assert.Equal(69, await server.EndAsync());
        Assert.Contains("whose payments another Floodgate process carries out", server.Output);
    }

    private static async Task<bool> IsStolenAsync(NpgsqlConnection thief)
    {
        await using var batch = new NpgsqlBatch(thief)
        {
            BatchCommands =
            {
                new("""
                    select pg_terminate_backend(l.pid, 1000) from pg_locks l
                    where l.locktype = 'advisory' and l.pid <> pg_backend_pid()
                        and l.database = (select oid from pg_database where datname = current_database())
                    """),
                new($"select pg_try_advisory_lock({LogOwnerLock})"),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync();
        await reader.NextResultAsync();
        return await reader.ReadAsync() && reader.GetBoolean(0);
    }

    private static async Task<Guid> PaysAsync(FloodgateProcess server, string key)
    {
        var api = new ServerApi(server.Http);
        Reply? paid = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                paid = await api.PostAsync("/v1/payments", key, ServerApi.PaymentBody(100, "u-1"), waitSeconds: 20);
                return paid.Code != "idempotency_key_in_use";
            },
            () => "the key is free.");
        Assert.Equal("CAPTURED", paid!.Text("status"));
        return paid.Id;
    }

    private static string FreeUrl() => $"http://127.0.0.1:{FreePort.Next()}";

    private async Task<Dictionary<string, string>> DatabaseAsync() => new()
    {
        ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = await postgres.CreateDatabaseAsync(),
    };
}
