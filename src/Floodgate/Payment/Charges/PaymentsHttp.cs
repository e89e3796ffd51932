using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>The routes of payments.</summary>
internal sealed class PaymentsHttp(PaymentBook book, ChangeWatch watch, ChargesSettings settings, TimeProvider time)
{
    private const int PageMax = 1_000;
    private readonly EventStreams streams = new(settings.StreamsMax, time);

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/payments", Who.Merchant, AcceptAsync, Limit.Authorize);
        routes.Map("GET", "/v1/payments", Who.MerchantOrAdmin, ListAsync);
        routes.Map("GET", "/v1/payments/{id}", Who.MerchantOrAdmin | Who.Buyer, GetAsync);
        routes.Map("GET", "/v1/payments/{id}/events", Who.MerchantOrAdmin | Who.Buyer, StreamAsync);
        routes.Map(
            "POST",
            "/v1/payments/{id}/capture",
            Who.Merchant,
            (c, w) => AskAsync(c, w, OperationKind.Capture),
            Limit.Capture);
        routes.Map(
            "POST", "/v1/payments/{id}/void", Who.Merchant, (c, w) => AskAsync(c, w, OperationKind.Void), Limit.Refund);
        routes.Map(
            "POST",
            "/v1/payments/{id}/refund",
            Who.Merchant,
            (c, w) => AskAsync(c, w, OperationKind.Refund),
            Limit.Refund);
    }

    /// <summary>Accepts a payment and answers: 202, or 200 once it is final when the caller prefers to wait.</summary>
    public async Task AnswerAsync(HttpContext context, PaymentRequest request)
    {
        var (outcome, payment) = await book.AcceptAsync(request);
        if (outcome is not (AcceptOutcome.Accepted or AcceptOutcome.Replayed))
        {
            await RefuseAsync(context, outcome);
            return;
        }

        if (outcome == AcceptOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }
        else
        {
            ChargesLog.CountAccepted();
        }

        context.Response.Headers.Location = $"/v1/payments/{payment!.Id}";
        var waitSeconds = Preference.ReadWait(context, settings.WaitSecondsMax);
        if (waitSeconds > 0 && await WaitAsync(payment.Id, null, waitSeconds, context) is { } final)
        {
            await Answer.WriteAsync(context, 200, final.Payment, PaymentJson.Write);
            return;
        }

        // The first answer, whenever it is given: the payment as it was accepted.
        await Answer.WriteAsync(context, 202, new Payment(payment.Id, payment.Request, payment.RequestedAtMs),
            PaymentJson.Write);
    }

    /// <summary>Accepts an operation and answers like <see cref="AnswerAsync(HttpContext, PaymentRequest)"/>.</summary>
    public async Task AnswerAsync(HttpContext context, OperationRequest request)
    {
        var asked = await book.AskAsync(request);
        if (asked.Outcome is OperationOutcome.KeyInUse or OperationOutcome.Busy)
        {
            await RefuseAsync(
                context,
                asked.Outcome == OperationOutcome.Busy ? AcceptOutcome.Busy : AcceptOutcome.KeyInUse);
            return;
        }

        if (asked.Outcome is not (OperationOutcome.Accepted or OperationOutcome.Replayed))
        {
            var fault = PaymentRequests.FaultOf(asked.Outcome, request, asked.Payment);
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        if (asked.Outcome == OperationOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        var operation = asked.Operation!;
        var currency = asked.Payment!.Request.Amount.Currency;
        context.Response.Headers.Location = $"/v1/payments/{operation.PaymentId}";
        var waitSeconds = Preference.ReadWait(context, settings.WaitSecondsMax);
        if (waitSeconds > 0
            && await WaitAsync(operation.PaymentId, operation.Id, waitSeconds, context) is { Operation: { } final })
        {
            await Answer.WriteAsync(context, 200, (final, currency), PaymentJson.Write);
            return;
        }

        var first = new Operation(operation.Id, operation.PaymentId, operation.Request, operation.Amount,
            operation.RequestedAtMs);
        await Answer.WriteAsync(context, 202, (first, currency), PaymentJson.Write);
    }

    private async Task AcceptAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, ChargesJson.Default.PaymentBody) is not { } body)
        {
            return;
        }

        if (PaymentRequests.Read(body, caller.MerchantId!, key, out var request) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        await AnswerAsync(context, request!);
    }

    private async Task AskAsync(HttpContext context, Caller caller, OperationKind kind)
    {
        if (await ReadIdAsync(context) is not { } id
            || await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, ChargesJson.Default.OperationBody, new OperationBody()) is not { } body)
        {
            return;
        }

        var amount = default(Money);
        if (body.Amount is { } asked && PaymentRequests.Read(asked, "amount", out amount) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        if (body.Amount is not null && kind == OperationKind.Void)
        {
            await Problem.WriteAsync(
                context, Problems.InvalidField, "A void takes no amount: it gives up the whole authorization.");
            return;
        }

        await AnswerAsync(
            context, new OperationRequest(caller.MerchantId!, key, id, kind, body.Amount is null ? null : amount));
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context, caller) is not { } payment)
        {
            return;
        }

        var operations = await book.OperationsOfAsync(payment.Id, context.RequestAborted);
        await Answer.WriteAsync(context, 200, (payment, (IReadOnlyList<Operation>)operations), PaymentJson.Write);
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is not { } paging)
        {
            return;
        }

        // One more than the page tells whether there is another.
        var found = await book.ListAsync(caller.MerchantId, paging.After, paging.Limit + 1, context.RequestAborted);
        var page = found.GetRange(0, Math.Min(found.Count, paging.Limit));
        await Answer.WritePageAsync(context, page, found.Count > paging.Limit, PaymentJson.Write);
    }

    /// <summary>
    /// Server-sent events: the payment now and after each change, until nothing can change it any more.
    /// </summary>
    private async Task StreamAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context, caller) is not { } found)
        {
            return;
        }

        using var listener = watch.Listen(found.Id);
        await streams.RunAsync(context, "payment", listener, async cancel =>
        {
            var payment = await book.FindAsync(found.Id, null, cancel);
            return (Render(payment!, await book.OperationsOfAsync(found.Id, cancel)), payment!.IsClosed);
        });
    }

    private static string Render(Payment payment, IReadOnlyList<Operation> operations) =>
        System.Text.Encoding.UTF8.GetString(Answer.Render((payment, operations), PaymentJson.Write));

    /// <summary>
    /// The payment once it (or its operation) is answered; null when the time is over first, or the database away.
    /// </summary>
    private async Task<(Payment Payment, Operation? Operation)?> WaitAsync(
        Guid paymentId, Guid? operationId, int seconds, HttpContext context)
    {
        var cancel = context.RequestAborted;
        using var listener = watch.Listen(paymentId);
        var startedAt = time.GetTimestamp();
        try
        {
            while (time.GetElapsedTime(startedAt).TotalSeconds < seconds)
            {
                var payment = await book.FindAsync(paymentId, null, cancel);
                var operation = operationId is { } id ? await book.FindOperationAsync(id, cancel) : null;
                if (!payment!.IsPending && operation is not { IsPending: true })
                {
                    return (payment, operation);
                }

                await listener.WaitAsync(cancel);
            }
        }
        catch (DatabaseUnavailableException)
        {
            // What was accepted is accepted: answered as it was before the wait.
        }

        return null;
    }

    private async Task<Payment?> FindAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id)
        {
            return null;
        }

        var isBuyer = caller.Role == Role.Buyer;
        var payment = await book.FindAsync(id, isBuyer ? Buyer.Platform : caller.MerchantId, context.RequestAborted);
        if (payment is null || (isBuyer && payment.Request.UserId != caller.UserId.ToString()))
        {
            await Problem.WriteAsync(
                context, PaymentProblems.PaymentNotFound, $"There is no payment {id} of yours. Check the id.");
            return null;
        }

        return payment;
    }

    private static ValueTask<Guid?> ReadIdAsync(HttpContext context) =>
        RouteId.ReadAsync(context, PaymentProblems.PaymentNotFound);

    private static Task RefuseAsync(HttpContext context, AcceptOutcome outcome) => outcome switch
    {
        AcceptOutcome.KeyInUse => Problem.WriteAsync(
            context, PaymentProblems.KeyInUse, "Send the same request again for its answer.", 1),
        AcceptOutcome.Busy => Problem.WriteAsync(
            context, Problems.Unavailable, "The queue is full (Charges:QueueMax). Send the same request again.", 1),
        _ => Problem.WriteAsync(
            context,
            Problems.IdempotencyKeyReused,
            $"This {IdempotencyKey.Header} was used for another payment. Send a new key for a new intent."),
    };
}
