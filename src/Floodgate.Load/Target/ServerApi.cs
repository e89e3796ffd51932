using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Floodgate.Load.Target;

/// <summary>The run cannot go on; the message says what to do.</summary>
internal sealed class CannotRunException(string message, bool isAway = false) : Exception(message)
{
    /// <summary>True when nobody could answer, so that the same request may be answered later.</summary>
    public bool IsAway => isAway;
}

/// <summary>Where the server is and who the tool is to it.</summary>
/// <param name="Url">The server's address, http only.</param>
/// <param name="MerchantKey">Pays, unless merchants are created for the run.</param>
/// <param name="AdminKey">Reads and steers everything else.</param>
/// <param name="ProviderUrl">A stand-alone provider; null = the one inside the server.</param>
internal sealed record TargetAddress(Uri Url, string MerchantKey, string AdminKey, Uri? ProviderUrl);

/// <summary>What the server's process has used: CPU seconds since its start, resident memory in bytes.</summary>
internal readonly record struct ServerUse(double CpuSeconds, long ResidentBytes);

/// <summary>
/// The part of the public API that is not under load: one method per call. Every method throws
/// <see cref="CannotRunException"/> with the server's own words when the answer is not a success.
/// </summary>
internal sealed class ServerApi : IDisposable
{
    private const int PageLimit = 1000;
    private readonly ApiClient client;
    private readonly TargetAddress address;

    /// <summary>Opens no connection yet.</summary>
    public ServerApi(TargetAddress address)
    {
        this.address = address;
        client = new ApiClient(address);
        Sales = new SaleApi(client);
        Settlements = new Settle.SettleApi(client);
    }

    /// <summary>The part about sales, orders and the waiting room.</summary>
    public SaleApi Sales { get; }

    /// <summary>The part about settlements, payouts and policies.</summary>
    public Settle.SettleApi Settlements { get; }

    private string StatementPath => address.ProviderUrl is { } provider
        ? new Uri(provider, "/statement").ToString()
        : "/v1/ops/provider/statement";

    private string FaultsPath => address.ProviderUrl is { } provider
        ? new Uri(provider, "/faults").ToString()
        : "/v1/ops/provider/faults";

    /// <summary>Succeeds when the server says that it is ready for traffic.</summary>
    public async Task CheckReadyAsync(CancellationToken cancel) =>
        (await client.SendAsync(HttpMethod.Get, "/health/ready", null, cancel)).Dispose();

    /// <summary>
    /// Creates a merchant and returns its key. <paramref name="idempotencyKey"/> makes a retry harmless.
    /// </summary>
    public async Task<string> CreateMerchantAsync(string name, string idempotencyKey, CancellationToken cancel) =>
        (await client.PostAsync(
            new ApiPost(
                "/v1/merchants",
                System.Text.Json.JsonSerializer.Serialize(
                    new WireMerchantRequest(name), ServerJson.Default.WireMerchantRequest))
            {
                IdempotencyKey = idempotencyKey,
            },
            ServerJson.Default.WireMerchant,
            cancel)).Key;

    /// <summary>One page of all merchants' payments, by id, after the one with this id.</summary>
    public Task<PaymentPage> PaymentsAsync(string? after, int limit, CancellationToken cancel) =>
        client.GetAsync($"/v1/payments?limit={limit}{After(after)}", ServerJson.Default.PaymentPage, cancel);

    /// <summary>One page of the provider's own record, after the line with this id.</summary>
    public Task<StatementPage> StatementAsync(string? after, int limit, CancellationToken cancel) =>
        client.GetAsync($"{StatementPath}?limit={limit}{After(after)}", ServerJson.Default.StatementPage, cancel);

    /// <summary>Every payment on the server, page by page.</summary>
    public async IAsyncEnumerable<WirePayment> AllPaymentsAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        PaymentPage page;
        string? after = null;
        do
        {
            page = await PaymentsAsync(after, PageLimit, cancel);
            foreach (var payment in page.Data)
            {
                yield return payment;
                after = payment.Id.ToString();
            }
        }
        while (page is { HasMore: true, Data.Count: > 0 });
    }

    /// <summary>Every line of the provider's statement, page by page.</summary>
    public async IAsyncEnumerable<WireStatementLine> WholeStatementAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        StatementPage page;
        string? after = null;
        do
        {
            page = await StatementAsync(after, PageLimit, cancel);
            foreach (var line in page.Data)
            {
                yield return line;
                after = line.Id;
            }
        }
        while (page is { HasMore: true, Data.Count: > 0 });
    }

    /// <summary>How far processing is behind.</summary>
    public Task<WireLag> LagAsync(CancellationToken cancel) =>
        client.GetAsync("/v1/ops/lag", ServerJson.Default.WireLag, cancel);

    /// <summary>The server's own invariants.</summary>
    public Task<WireInvariants> InvariantsAsync(CancellationToken cancel) =>
        client.GetAsync("/v1/ops/invariants", ServerJson.Default.WireInvariants, cancel);

    /// <summary>The state of each provider's circuit breaker.</summary>
    public async Task<IReadOnlyList<WireBreaker>> BreakersAsync(CancellationToken cancel) =>
        (await client.GetAsync("/v1/ops/breakers", ServerJson.Default.WireBreakers, cancel)).Breakers;

    /// <summary>Stops or starts processing of accepted payments (demo mode).</summary>
    public async Task SetPausedAsync(bool paused, CancellationToken cancel) => (await client.SendAsync(
        HttpMethod.Post, paused ? "/v1/ops/processing/pause" : "/v1/ops/processing/resume", null, cancel)).Dispose();

    /// <summary>The provider's fault knobs as they are, unknown ones included.</summary>
    public async Task<JsonObject> FaultsAsync(CancellationToken cancel)
    {
        using var response = await client.SendAsync(HttpMethod.Get, FaultsPath, null, cancel);
        var text = await response.Content.ReadAsStringAsync(cancel);
        return JsonNode.Parse(text) as JsonObject ?? throw new CannotRunException($"{FaultsPath} is no object: {text}");
    }

    /// <summary>Sets the provider's fault knobs.</summary>
    public async Task SetFaultsAsync(JsonObject faults, CancellationToken cancel)
    {
        using var content = new StringContent(faults.ToJsonString(), Encoding.UTF8, "application/json");
        (await client.SendAsync(HttpMethod.Put, FaultsPath, content, cancel)).Dispose();
    }

    /// <summary>What the server's process has used so far; null when it does not tell.</summary>
    public async Task<ServerUse?> UseAsync(CancellationToken cancel)
    {
        using var response = await client.SendAsync(HttpMethod.Get, "/metrics", null, cancel);
        var text = await response.Content.ReadAsStringAsync(cancel);
        return Sample(text, "process_cpu_seconds_total") is { } cpu
            && Sample(text, "process_resident_memory_bytes") is { } resident
                ? new ServerUse(cpu, (long)resident)
                : null;
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    /// <summary>The value of the first sample of this name in Prometheus text; null when there is none.</summary>
    internal static double? Sample(string metrics, string name)
    {
        foreach (var line in metrics.AsSpan().EnumerateLines())
        {
            if (!line.StartsWith(name) || line.Length <= name.Length || line[name.Length] is not (' ' or '{'))
            {
                continue;
            }

            var rest = line[name.Length..];
            rest = rest[(rest.LastIndexOf('}') + 1)..].Trim();
            var end = rest.IndexOf(' ');
            if (double.TryParse(end < 0 ? rest : rest[..end], CultureInfo.InvariantCulture, out var value))
            {
                return value;
            }
        }

        return null;
    }

    private static string After(string? id) => id is null ? "" : $"&starting_after={Uri.EscapeDataString(id)}";
}
