using System.Text.Json;

namespace Floodgate.Tests.Drills;

/// <summary>A payment as the API shows it, with its operations; amounts in minor units.</summary>
internal sealed record ShownPayment(Guid Id, string Status, string Method, string Purpose, string User, long Minor)
{
    public long Authorized { get; init; }

    public long Captured { get; init; }

    public long Refunded { get; init; }

    public IReadOnlyList<ShownOperation> Operations { get; init; } = [];
}

/// <summary>An operation as the API shows it.</summary>
internal sealed record ShownOperation(Guid Id, string Kind, long Minor, string Status);

/// <summary>A line of the provider's own statement.</summary>
internal sealed record StatementLine(Guid Id, Guid PaymentId, string Kind, long Minor, bool IsApproved);

/// <summary>A wallet as the API shows it.</summary>
internal sealed record ShownWallet(string User, long Available, long Held);

/// <summary>
/// All that can be known after a drill, from four sources that share nothing: what buyers wanted and were told, the
/// API, the provider's statement, and the server's own checks.
/// </summary>
internal sealed record Evidence(IReadOnlyCollection<Intent> Intents)
{
    private const int AtOnce = 8;

    public IReadOnlyList<ShownPayment> Payments { get; init; } = [];

    public IReadOnlyList<StatementLine> Statement { get; init; } = [];

    public IReadOnlyList<ShownWallet> Wallets { get; init; } = [];

    /// <summary>What the server itself complains about: broken invariants and open dead letters.</summary>
    public IReadOnlyList<string> OwnComplaints { get; init; } = [];

    /// <summary>Gathers it.</summary>
    /// <param name="intents">What buyers wanted.</param>
    /// <param name="api">The server.</param>
    /// <param name="provider">The stand-alone provider; null for the one inside the server.</param>
    public static async Task<Evidence> GatherAsync(
        IReadOnlyCollection<Intent> intents, ServerApi api, ServerApi? provider)
    {
        // The statement first: whatever it names must then be listed.
        var statement = provider is null
            ? await api.ListAsync("/v1/ops/provider/statement?limit=1000")
            : await provider.ListAsync("/statement?limit=1000");
        var payments = new List<ShownPayment>();
        foreach (var some in (await api.ListAsync("/v1/payments?limit=1000")).Chunk(AtOnce))
        {
            payments.AddRange(await Task.WhenAll(some.Select(async listed => PaymentOf(
                (await api.GetAsync($"/v1/payments/{listed.GetProperty("id").GetGuid()}")).Json))));
        }

        var users = intents.Select(intent => intent.User).Distinct();
        return new Evidence(intents)
        {
            Payments = payments,
            Statement = [.. statement.Select(LineOf)],
            Wallets = await Task.WhenAll(users.Select(async user => WalletOf(
                user, (await api.GetAsync($"/v1/wallets/{user}")).Json))),
            OwnComplaints = await OwnComplaintsAsync(api),
        };
    }

    private static async Task<List<string>> OwnComplaintsAsync(ServerApi api)
    {
        var checks = (await api.GetAsAdminAsync("/v1/ops/invariants")).Json.GetProperty("checks").EnumerateArray();
        var letters = await api.ListAsync("/v1/ops/dead-letters?limit=200");
        return
        [
            .. checks.Where(check => !check.GetProperty("holds").GetBoolean()).Select(check => $"invariant {check}"),
            .. letters.Select(letter => $"dead letter {letter}"),
        ];
    }

    private static ShownPayment PaymentOf(JsonElement json) => new(
        json.GetProperty("id").GetGuid(),
        Text(json, "status"),
        Text(json, "method"),
        Text(json, "purpose"),
        Text(json, "userId"),
        MinorOf(json))
    {
        Authorized = json.GetProperty("authorized").GetInt64(),
        Captured = json.GetProperty("captured").GetInt64(),
        Refunded = json.GetProperty("refunded").GetInt64(),
        Operations = [.. json.GetProperty("operations").EnumerateArray().Select(operation => new ShownOperation(
            operation.GetProperty("id").GetGuid(),
            Text(operation, "kind"),
            MinorOf(operation),
            Text(operation, "status")))],
    };

    private static StatementLine LineOf(JsonElement json) => new(
        json.GetProperty("id").GetGuid(),
        json.GetProperty("paymentId").GetGuid(),
        Text(json, "kind"),
        MinorOf(json),
        Text(json, "status") == "APPROVED");

    private static ShownWallet WalletOf(string user, JsonElement json)
    {
        var balances = json.GetProperty("balances").EnumerateArray().ToList();
        return new ShownWallet(
            user,
            balances.Sum(balance => balance.GetProperty("available").GetInt64()),
            balances.Sum(balance => balance.GetProperty("held").GetInt64()));
    }

    private static long MinorOf(JsonElement json) => json.GetProperty("amount").GetProperty("amount").GetInt64();

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
