using System.Text.Json;
using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Payment.Ledger;

namespace Floodgate.Payment.Charges;

/// <summary>The wallets of a merchant's customers: money in, and what there is. Money out is a payment.</summary>
internal sealed class WalletsHttp(PaymentsHttp payments, Journal journal)
{
    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/wallets/{userId}", Who.Merchant, GetAsync);
        routes.Map("POST", "/v1/wallets/{userId}/top-ups", Who.Merchant, TopUpAsync, Limit.Authorize);
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        if (await ReadUserAsync(context) is not { } user)
        {
            return;
        }

        var owner = $"{caller.MerchantId}/{user}";
        var accounts = await journal.AccountsOfAsync(owner, context.RequestAborted);
        await Answer.WriteAsync(context, 200, (user, accounts), Write);
    }

    /// <summary>A top-up is a payment through the gateway whose money goes to the wallet when it is captured.</summary>
    private async Task TopUpAsync(HttpContext context, Caller caller)
    {
        if (await ReadUserAsync(context) is not { } user
            || await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, ChargesJson.Default.TopUpBody) is not { } body)
        {
            return;
        }

        if (PaymentRequests.Read(body.Amount, "amount", out var amount) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        await payments.AnswerAsync(context, new PaymentRequest(
            caller.MerchantId!, key, user, null, amount, PaymentMethod.Gateway, PaymentPurpose.TopUp, Capture: true));
    }

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
