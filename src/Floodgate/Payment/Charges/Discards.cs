using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>
/// Settles what a discarded dead letter asked for, in the transaction that closes it. What is stored is put off, so
/// that the provider is asked what became of it. A payment of an order that is not stored becomes an unknown one which
/// fails as <c>discarded</c> when the provider has never seen it: an earlier try may have called. What no try can have
/// called for fails at once, with its result.
/// </summary>
internal sealed class Discards(IEventLog log, TimeProvider time)
{
    private const string Reason = "discarded";

    /// <summary>Settles the request of this type; nothing can be told from one that names no payment.</summary>
    public async ValueTask SettleAsync(Tx tx, string type, string payload)
    {
        if (PaymentEvents.IdsOf(payload) is not { } ids)
        {
            return;
        }

        var payment = (await ChargesSql.SelectAsync(tx, [ids.PaymentId])).FirstOrDefault();
        if (type == OrderEvents.RefundRequested && ids.OperationId is { } id)
        {
            await SettleRefundAsync(tx, payment, id, payload);
        }
        else if (payment is not null)
        {
            PutOff(tx, payment, ids.OperationId ?? ids.PaymentId);
        }
        else if (type == OrderEvents.PaymentRequested)
        {
            await SettlePaymentAsync(tx, payload);
        }
    }

    private async ValueTask SettlePaymentAsync(Tx tx, string payload)
    {
        if (OrderRequests.ReadPayment(payload).Payment is not { } asked)
        {
            await FailAsync(tx, payload);
            return;
        }

        var lost = asked with
        {
            State = PaymentState.Unknown,
            FailReason = Reason,
            NotAfterMs = Math.Min(asked.NotAfterMs, NowMs - 1),
        };
        var stored = await ChargesSql.InsertAnsweredAsync(tx, [lost]);
        if (stored.Count == 0)
        {
            stored = await ChargesSql.InsertAnsweredAsync(tx, [lost.WithOwnKey()]);
        }

        Invariant.Check(stored.Count == 1, "a discarded payment of an order is stored");
        PutOff(tx, lost, lost.Id);
    }

    /// <summary>
    /// The request broke a rule, so no provider was called: the order is told, as far as it is named.
    /// </summary>
    private async ValueTask FailAsync(Tx tx, string payload)
    {
        OrderPayment asked;
        try
        {
            asked = OrderEvents.ReadPayment(payload);
        }
        catch (JsonException)
        {
            return;
        }

        if (asked.OrderId != Guid.Empty && asked.MerchantId is not null)
        {
            var failed = Unstored(asked.PaymentId, asked.OrderId, asked.MerchantId, asked.UserId);
            await log.AppendAsync(tx, [PaymentEvents.ResultOf(failed, null)]);
        }
    }

    private async ValueTask SettleRefundAsync(Tx tx, Payment? payment, Guid operationId, string payload)
    {
        if ((await ChargesSql.SelectOperationsAsync(tx, [operationId])).Count > 0)
        {
            if (payment is not null)
            {
                PutOff(tx, payment, operationId);
            }

            return;
        }

        // It is stored before the provider is called, so nothing was given back.
        if (OrderRequests.ReadRefund(payload).Refund is { } refund)
        {
            var operation = OrderRequests.OperationOf(refund) with
            {
                Amount = refund.Amount,
                State = OperationState.Failed,
                FailReason = Reason,
                ProcessedAtMs = NowMs,
            };
            var of = payment ?? Unstored(refund.PaymentId, refund.OrderId, refund.MerchantId, refund.UserId);
            await log.AppendAsync(tx, [PaymentEvents.ResultOf(of, operation)]);
        }
    }

    private void PutOff(Tx tx, Payment payment, Guid id) => ChargesSql.Upsert(
        tx, [new DueCharge(id, payment.Id, Words.Of(payment.Request.Method), NowMs, 0)]);

    private Payment Unstored(Guid id, Guid orderId, string merchantId, string? userId) => new(
        id,
        new PaymentRequest(
            merchantId, "", userId, orderId.ToString(), default, PaymentMethod.Gateway, PaymentPurpose.Sale, true),
        NowMs)
    {
        State = PaymentState.Failed,
        FailReason = Reason,
        ProcessedAtMs = NowMs,
    };

    private long NowMs => UtcInstant.Now(time).Ms;
}
