using System.Text.Json;
using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Payment.Ledger;

namespace Floodgate.Payment.Charges;

/// <summary>
/// The wallets of a merchant's customers, and of the platform's own users: money in, and what there is. Money out is a
/// payment or an order.
/// </summary>
internal sealed class WalletsHttp(PaymentsHttp payments, Journal journal)
{
    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/wallets/me", Who.Buyer, (c, w) => ShowAsync(c, Own(w)));
        routes.Map("POST", "/v1/wallets/me/top-ups", Who.Buyer, TopUpOwnAsync, Limit.Order);
        routes.Map("GET", "/v1/wallets/{userId}", Who.Merchant, GetAsync);
        routes.Map("POST", "/v1/wallets/{userId}/top-ups", Who.Merchant, TopUpAsync, Limit.Authorize);
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        if (await ReadUserAsync(context) is { } user)
        {
            await ShowAsync(context, new Buyer(caller.MerchantId!, user));
        }
    }

    private async Task ShowAsync(HttpContext context, Buyer owner)
    {
        var accounts = await journal.AccountsOfAsync(owner.ToString(), context.RequestAborted);
        await Answer.WriteAsync(context, 200, (owner.UserId, accounts), Write);
    }

    /// <summary>A top-up is a payment through the gateway whose money goes to the wallet when it is captured.</summary>
    private async Task TopUpAsync(HttpContext context, Caller caller)
    {
        if (await ReadUserAsync(context) is { } user && await IdempotencyKey.ReadAsync(context) is { } key)
        {
            await TopUpAsync(context, new Buyer(caller.MerchantId!, user), key);
        }
    }

    // Users of the platform share its realm, and not their keys.
    private async Task TopUpOwnAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is { } key)
        {
            await TopUpAsync(context, Own(caller), $"{caller.UserId}/{key}");
        }
    }

    private async Task TopUpAsync(HttpContext context, Buyer owner, string key)
    {
        if (await Body.ReadAsync(context, ChargesJson.Default.TopUpBody) is not { } body)
        {
            return;
        }

        if (PaymentRequests.Read(body.Amount, "amount", out var amount) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        await payments.AnswerAsync(context, new PaymentRequest(
            owner.Realm, key, owner.UserId, null, amount, PaymentMethod.Gateway, PaymentPurpose.TopUp, Capture: true));
    }

    private static Buyer Own(Caller caller) => new(Buyer.Platform, caller.UserId.ToString()!);

    private static async Task<string?> ReadUserAsync(HttpContext context)
    {
        var user = (string?)context.Request.RouteValues["userId"];
        if (PaymentRequests.FaultOfWallet(user) is not { } fault)
        {
            return user;
        }

        await Problem.WriteAsync(context, fault.Kind, fault.Detail);
        return null;
    }

    private static void Write(Utf8JsonWriter json, (string User, List<Account> Accounts) value)
    {
        json.WriteStartObject();
        json.WriteString("userId", value.User);
        json.WriteStartArray("balances");
        foreach (var currency in value.Accounts.GroupBy(a => a.Name.Currency))
        {
            json.WriteStartObject();
            json.WriteString("currency", currency.Key.Code);
            json.WriteNumber("available", BalanceOf(currency, AccountKind.CustomerWallet));
            json.WriteNumber("held", BalanceOf(currency, AccountKind.CustomerHeld));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static long BalanceOf(IEnumerable<Account> accounts, AccountKind kind) =>
        accounts.Where(a => a.Name.Kind == kind).Sum(a => a.Balance);
}
