using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>
/// The routes that merchants' systems of the older platform call: flat bodies, the idempotency key in the body, the
/// amount beside its currency. They do what the routes under <c>/v1</c> do.
/// </summary>
internal sealed class AliasesHttp(PaymentsHttp payments)
{
    private const string Example = """{"merchantId":"M","amount":15000,"currency":"KRW","idempotencyKey":"K"}""";

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/payments/authorize", Who.Merchant, AuthorizeAsync, Limit.Authorize);
        routes.Map(
            "POST",
            "/payments/capture/{id}",
            Who.Merchant,
            (c, w) => AskAsync(c, w, OperationKind.Capture),
            Limit.Capture);
        routes.Map(
            "POST",
            "/payments/refund/{id}",
            Who.Merchant,
            (c, w) => AskAsync(c, w, OperationKind.Refund),
            Limit.Refund);
    }

    private async Task AuthorizeAsync(HttpContext context, Caller caller)
    {
        if (await ReadAsync(context, caller) is not var (body, key))
        {
            return;
        }

        if (body.Amount is not { } amount || body.Currency is not { } currency)
        {
            await Problem.WriteAsync(
                context, Problems.InvalidBody, $"amount and currency are needed, as in {Example}.");
            return;
        }

        var payment = new PaymentBody(new MoneyBody(amount, currency), body.UserId, body.OrderId, Capture: false);
        if (PaymentRequests.Read(payment, caller.MerchantId!, key, out var request) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        await payments.AnswerAsync(context, request!);
    }

    private async Task AskAsync(HttpContext context, Caller caller, OperationKind kind)
    {
        if (await ReadAsync(context, caller) is not var (body, key))
        {
            return;
        }

        if (!Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id))
        {
            await Problem.WriteAsync(
                context, PaymentProblems.PaymentNotFound, "The id in the path is not one that was given out here.");
            return;
        }

        Money? amount = null;
        if (body.Amount is { } asked)
        {
            if (body.Currency is not { } currency)
            {
                await Problem.WriteAsync(context, Problems.InvalidBody, "An amount needs its currency beside it.");
                return;
            }

            if (PaymentRequests.Read(new MoneyBody(asked, currency), "amount", out var money) is { } fault)
            {
                await Problem.WriteAsync(context, fault.Kind, fault.Detail);
                return;
            }

            amount = money;
        }

        await payments.AnswerAsync(context, new OperationRequest(caller.MerchantId!, key, id, kind, amount));
    }

    /// <summary>The body and its key, or null after a refusal. A key in the header serves as well.</summary>
    private static async Task<(AliasBody Body, string Key)?> ReadAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, ChargesJson.Default.AliasBody) is not { } body)
        {
            return null;
        }

        if (body.MerchantId is { } merchant && merchant != caller.MerchantId)
        {
            await Problem.WriteAsync(
                context,
                PaymentProblems.MerchantMismatch,
                "merchantId must be the merchant that the key was made for, or left out.");
            return null;
        }

        if (body.IdempotencyKey is null || context.Request.Headers.ContainsKey(IdempotencyKey.Header))
        {
            return await IdempotencyKey.ReadAsync(context) is not { } header ? null
                : body.IdempotencyKey is null || body.IdempotencyKey == header ? (body, header)
                : await RefuseTwoKeysAsync(context);
        }

        return await IdempotencyKey.CheckAsync(context, body.IdempotencyKey) is { } key ? (body, key) : null;
    }

    private static async Task<(AliasBody Body, string Key)?> RefuseTwoKeysAsync(HttpContext context)
    {
        await Problem.WriteAsync(
            context,
            Problems.IdempotencyKeyInvalid,
            $"idempotencyKey and the header {IdempotencyKey.Header} differ; send one of them.");
        return null;
    }
}
