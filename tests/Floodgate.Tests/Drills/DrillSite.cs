using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

/// <summary>
/// A server with everything around it: its provider (inside, or a process of its own, both with a journal), faults at
/// the provider, buyers, and the audit at the end.
/// </summary>
internal sealed class DrillSite : IAsyncDisposable
{
    private const string Trouble =
        """
        {"latencyMs":25,"latencySpreadMs":25,"declineRatio":0.05,"errorRatio":0.02,"timeoutAfterSuccessRatio":0.02}
        """;

    private const string Peace = """{"latencyMs":1}""";

    private readonly DirectoryInfo journals;
    private readonly FloodgateProcess? provider;
    private readonly Traffic traffic;
    private bool isAudited;

    private DrillSite(DirectoryInfo journals, FloodgateProcess? provider, FloodgateProcess server, Traffic traffic)
    {
        (this.journals, this.provider, this.traffic) = (journals, provider, traffic);
        Server = server;
        Api = new ServerApi(server.Http);
    }

    /// <summary>The server.</summary>
    public FloodgateProcess Server { get; }

    /// <summary>Its API.</summary>
    public ServerApi Api { get; }

    /// <summary>The buyers.</summary>
    public Traffic Traffic => traffic;

    /// <summary>Starts all.</summary>
    /// <param name="chance">What buyers draw from.</param>
    /// <param name="providerInside">True for the provider inside the server.</param>
    /// <param name="database">PostgreSQL's connection string; null for SQLite.</param>
    public static async Task<DrillSite> OpenAsync(Random chance, bool providerInside, string? database)
    {
        var journals = Directory.CreateTempSubdirectory("floodgate-journal-");
        var journal = Path.Combine(journals.FullName, "provider");
        var provider = providerInside ? null : await StartProviderAsync(journal);
        var environment = new Dictionary<string, string>
        {
            // Short, so that a drill of seconds sees what takes minutes in a shop.
            ["FLOODGATE__PROVIDERS__CALLTIMEOUTMS"] = "300",
            ["FLOODGATE__PROVIDERS__BREAKER__OPENMS"] = "200",
            ["FLOODGATE__CHARGES__RETRYDELAYMSFIRST"] = "20",
            ["FLOODGATE__CHARGES__RETRYDELAYMSMAX"] = "300",
            ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = database ?? "",
            ["FLOODGATE__PROVIDERS__GATEWAY"] = providerInside ? "simulated" : "http",
            ["FLOODGATE__PROVIDERS__HTTP__URL"] = provider?.Url.OriginalString ?? "",
        };
        DrillSite? site = null;
        try
        {
            var server = await FloodgateProcess.StartAsync(environment, "up", "--demo");
            site = new DrillSite(journals, provider, server, new Traffic(new ServerApi(server.Http), chance));
        }
        finally
        {
            if (site is null)
            {
                await CloseAsync(journals, provider);
            }
        }

        await site.SetFaultsAsync(Trouble);
        return site;
    }

    /// <summary>Starts the server again, on the same data; its provider makes trouble again.</summary>
    public async Task StartServerAgainAsync()
    {
        await Server.StartAgainAsync();
        await SetFaultsAsync(Trouble);
    }

    /// <summary>Starts the server again and kills it before it is ready, or just after.</summary>
    public async Task KillWhileStartingAsync(int moments)
    {
        var starting = Server.StartAgainAsync();
        await Eventually.HoldsAsync(
            () => Task.FromResult(starting.IsCompleted || --moments <= 0), () => "the moment comes.");
        Server.Kill();
        try
        {
            await starting;
        }
        catch (InvalidOperationException)
        {
            // It ended before it was ready: what was wanted.
        }
    }

    /// <summary>Kills the stand-alone provider, if there is one; until <see cref="StartProviderAgainAsync"/>.</summary>
    public void KillProvider() => provider?.Kill();

    /// <summary>Starts it again with what its journal holds, and with trouble.</summary>
    public async Task StartProviderAgainAsync()
    {
        if (provider is not null)
        {
            await provider.StartAgainAsync();
            await SetFaultsAsync(Trouble);
        }
    }

    /// <summary>Lets buyers finish and the server work all off, and asserts that every promise was kept.</summary>
    public async Task AuditAsync()
    {
        await traffic.FinishAsync();
        await SetFaultsAsync(Peace);
        await Eventually.HoldsAsync(
            async () => await Api.BacklogAsync() == 0, () => $"no backlog.\n{Server.Output}");
        var other = provider is null ? null : new ServerApi(provider.Http);
        var evidence = await Evidence.GatherAsync(traffic.Intents, Api, other);
        var answered = traffic.Intents.Count(intent => intent.Told.Count > 0);
        Drill.Tell($"{traffic.Intents.Count} intents, {answered} answered, "
            + $"{traffic.Intents.Count(intent => intent.IsGivenUp)} given up, "
            + $"{traffic.Intents.Count(intent => intent.Sent > 1)} sent again, {evidence.Statement.Count} lines");

        Assert.True(answered > 0, "buyers were served");
        Assert.Empty(Audit.Findings(evidence));
        Assert.Empty(traffic.Complaints);
        isAudited = true;
    }

    /// <summary>
    /// Ends all processes and removes their files. Without a good audit the server's log comes first.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (!isAudited)
        {
            Drill.Tell(Server.Output);
        }

        await Server.DisposeAsync();
        await CloseAsync(journals, provider);
    }

    private static async Task CloseAsync(DirectoryInfo journals, FloodgateProcess? provider)
    {
        if (provider is not null)
        {
            await provider.DisposeAsync();
        }

        journals.Delete(recursive: true);
    }

    // It listens on the port behind its own too, which somebody else may have.
    private static async Task<FloodgateProcess> StartProviderAsync(string journal)
    {
        FloodgateProcess? provider = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                try
                {
                    provider = await FloodgateProcess.StartAsync("provider", "--journal", journal);
                    return true;
                }
                catch (InvalidOperationException taken) when (taken.Message.Contains("address already in use"))
                {
                    return false;
                }
            },
            () => "two ports are free.");
        return provider!;
    }

    private async Task SetFaultsAsync(string faults)
    {
        var (api, path) = provider is null
            ? (Api, "/v1/ops/provider/faults")
            : (new ServerApi(provider.Http), "/faults");
        try
        {
            Assert.Equal(200, (await api.PutFaultsAsync(path, faults)).Status);
        }
        catch (HttpRequestException) when (provider is not null)
        {
            // The provider is down now; when it comes back, its faults are set again.
        }
    }
}
