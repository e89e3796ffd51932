namespace Floodgate.Tests.Docs;

/// <summary>What each route is for, in one line; the page of routes takes everything else from the program.</summary>
internal static class RouteNotes
{
    private const string Key = " Needs `Idempotency-Key`.";
    private const string Page = " Pages by `limit` and `starting_after`.";

    /// <summary>By method and pattern. A route without a line, and a line without its route, fail the test.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } = new Dictionary<string, string>
    {
        ["POST /v1/merchants"] = "Create a merchant; the answer has its key, once." + Key,
        ["GET /v1/merchants/{id}"] = "A merchant; its keys are a list of their own.",
        ["GET /v1/merchants"] = "Merchants by id, with their tier." + Page,
        ["PUT /v1/merchants/{id}/tier"] =
            "Set how much it may ask for: `standard`, `large` or `unlimited`. Other nodes follow within " +
            "`RateLimits:TierRefreshSeconds`.",
        ["POST /v1/merchants/{id}/keys"] = "Create a further key; the answer has it, once." + Key,
        ["GET /v1/merchants/{id}/keys"] = "Its keys, live and revoked, without their secret." + Page,
        ["DELETE /v1/merchants/{id}/keys/{keyId}"] =
            "End a key: here at once, on other nodes within `Access:KeyCachedSeconds`. A repeat changes nothing.",
        ["GET /v1/sales"] = "Sales with their state." + Page,
        ["GET /v1/sales/{id}"] = "A sale.",
        ["POST /v1/sales"] = "Make a sale: a merchant its own, an operator one for many merchants." + Key,
        ["PUT /v1/sales/{id}"] = "Change a sale at the `version` it was read.",
        ["DELETE /v1/sales/{id}"] = "Remove a sale without products, at `?version=`.",
        ["POST /v1/catalogue/imports"] =
            "Make and change sales and products as a file says, all or nothing; JSON, or `text/csv`. With "
            + "`dryRun=true` only tell. The same file again changes nothing.",
        ["GET /v1/products"] = "Products, of one sale with `saleId`." + Page,
        ["GET /v1/products/{id}"] = "A product with its prices.",
        ["POST /v1/products"] = "Make a product: `stock` and `price`, or `tiers` and rows of `seats`." + Key,
        ["PUT /v1/products/{id}"] = "Change name, prices or limit at the `version` it was read.",
        ["DELETE /v1/products/{id}"] = "Take a product out of the sale, at `?version=`.",
        ["POST /v1/sales/{id}/queue"] =
            "Join the waiting room: 201 with a new ticket, 200 with the live one there is. Keys name a `userId`.",
        ["GET /v1/queue/{ticket}"] = 
            "A ticket: position, wait, pass. Whoever knows its id may ask; `pollAfterMs` says when.",
        ["GET /v1/queue/{ticket}/events"] =
            "Server-sent events: the ticket now, after each change and every 5 s, until its last state.",
        ["DELETE /v1/queue/{ticket}"] = "Leave; the place is free at once. A repeat changes nothing.",
        ["GET /v1/sales/{id}/waiting-room"] = "The sale's waiting room with its figures.",
        ["PUT /v1/sales/{id}/waiting-room"] =
            "Set it, and make it when there is none; what is left out takes its default. With `version`, at that one.",
        ["POST /v1/sales/{id}/waiting-room/pause"] = "Admit nobody; joins go on, passes stay good.",
        ["POST /v1/sales/{id}/waiting-room/resume"] = "Admit again.",
        ["GET /v1/sales/{id}/availability"] = "What is left of each product; at most half a second old.",
        ["GET /v1/sales/{id}/seats"] = "The rows of a product's seats (`productId`), each with its free seats as 1.",
        ["POST /v1/orders"] =
            "Hold a basket, and ask for its payment with `pay`; `Admission-Pass` where there is a waiting room." + Key,
        ["GET /v1/orders"] =
            "A buyer's own; a merchant's of a `saleId` or of one customer (`userId`); an operator's all." + Page,
        ["GET /v1/orders/{id}"] = "An order with its lines.",
        ["GET /v1/orders/{id}/events"] = "Server-sent events: the order now and after each change.",
        ["POST /v1/orders/{id}/pay"] = "Ask for the payment of what is held, once." + Key,
        ["POST /v1/orders/{id}/cancel"] =
            "Give up what is held, or give back what was sold: all, or a merchant's part (`merchantId`).",
        ["POST /v1/users"] = "Sign up as a buyer with `email` and `password`.",
        ["GET /v1/users/me"] = "The user of the access token.",
        ["POST /v1/sessions"] = "Log in with `email` and `password`: an access token and a refresh token.",
        ["POST /v1/sessions/refresh"] = "Use up a `refreshToken` for a new pair; an old one ends the session.",
        ["DELETE /v1/sessions"] = "Log out: the session of the access token ends.",
        ["POST /v1/payments"] = "Accept a payment: 202, or 200 with its first outcome with `Prefer: wait=N`." + Key,
        ["GET /v1/payments"] = "Payments by id; an operator sees every merchant's." + Page,
        ["GET /v1/payments/{id}"] = "A payment with its operations.",
        ["GET /v1/payments/{id}/events"] = "Server-sent events: the payment now and after each change.",
        ["POST /v1/payments/{id}/capture"] = "Take the authorized amount, or the part in `amount`." + Key,
        ["POST /v1/payments/{id}/void"] = "Give the authorization up." + Key,
        ["POST /v1/payments/{id}/refund"] = "Give back all that is left, or `amount`." + Key,
        ["POST /payments/authorize"] = "Older form of an authorization: flat body, `idempotencyKey` in it.",
        ["POST /payments/capture/{id}"] = "Older form of a capture.",
        ["POST /payments/refund/{id}"] = "Older form of a refund.",
        ["GET /v1/wallets/me"] = "The balances of the user of the access token.",
        ["POST /v1/wallets/me/top-ups"] = "A payment through the gateway that fills that wallet." + Key,
        ["GET /v1/wallets/{userId}"] = "A customer's balances, available and held.",
        ["POST /v1/wallets/{userId}/top-ups"] = "A payment through the gateway that fills the wallet." + Key,
        ["GET /v1/ledger/accounts"] = "The merchant's own accounts; an operator names an `owner`.",
        ["GET /v1/ledger/accounts/{id}"] = "One account with its totals.",
        ["GET /v1/ledger/entries"] = "Entries of a `paymentId`, or of an `accountId` in pages (`starting_after`).",
        ["POST /v1/webhooks"] = "Name an endpoint; the answer has its secret. See [webhooks](../webhooks.md)." + Key,
        ["GET /v1/webhooks"] = "Endpoints without their secrets; an operator sees every merchant's." + Page,
        ["GET /v1/webhooks/{id}"] = "An endpoint.",
        ["DELETE /v1/webhooks/{id}"] = "Take an endpoint away; what waits for it is given up.",
        ["POST /v1/webhooks/{id}/enable"] = "Send again to an endpoint that answered 410.",
        ["POST /v1/webhooks/{id}/rotate-secret"] = "A new secret; the one of before signs too for a while." + Key,
        ["POST /v1/webhooks/{id}/test"] = "Send `webhook.test` at once.",
        ["GET /v1/webhooks/{id}/deliveries"] =
            "Deliveries with `state` `FAILED` (default), `PENDING` or `DELIVERED`." + Page,
        ["POST /v1/webhooks/deliveries/{id}/replay"] = "Send a delivery again, from the start of its schedule.",
        ["POST /v1/settlements"] =
            "Close a `date` and every earlier one, and settle them: 202, or 200 when that is done. " +
            "A repeat changes nothing.",
        ["GET /v1/settlements"] = "Runs, the latest date first. Pages by `limit` and `starting_after`, a date.",
        ["GET /v1/settlements/{date}"] = "A run: how far it is, and the sums of its payouts by currency.",
        ["GET /v1/payouts"] = "A merchant's own payouts; an operator sees every merchant's." + Page,
        ["GET /v1/payouts/{id}/statement"] =
            "A payout with its lines, in pages (`starting_after` is a cursor); all of it with `Accept: text/csv`.",
        ["GET /v1/commission-policies"] = "Commission policies by id." + Page,
        ["POST /v1/commission-policies"] =
            "Make a policy for days to come, of a merchant, a product class, a currency or all. " +
            "A repeat is the same one.",
        ["PUT /v1/commission-policies/{id}"] = "End a policy on `validUntil`, or let it go on with null.",
        ["POST /v1/reconciliations"] =
            "Compare the books `from` one moment `until` another; `deep` (default) with every check over all rows." +
            Key,
        ["POST /v1/reconciliations/statements"] =
            "Load a provider's statement as `text/csv`; columns by `?reference=`, `kind`, `amount`, `currency`, `at`." +
            Key,
        ["GET /v1/reconciliations"] = "Reconciliations, newest first." + Page,
        ["GET /v1/reconciliations/{id}"] = "A reconciliation with its report.",
        ["GET /v1/reconciliations/{id}/findings"] = "What it found." + Page,
        ["GET /v1/findings"] = "Findings with `state` `OPEN` (default), `EXPLAINED` or `RESOLVED`." + Page,
        ["POST /v1/findings/{id}/explain"] = "Say in a `note` why it is right as it is.",
        ["POST /v1/findings/{id}/resolve"] = "Say in a `note` how the cause was removed.",
        ["GET /v1/rankings/fast-selling"] = "What sells fastest now, of a sale with `saleId`; `limit` up to 100.",
        ["GET /v1/rankings/top"] = "What sold most in `days`; `limit` up to 100.",
        ["GET /v1/ops/feed"] = "Facts of a `topic` and `partition` from an `offset` on, up to `limit`.",
        ["GET /v1/ops/lag"] = "How far processing is. See [operating payments](../operating/payments.md).",
        ["GET /v1/ops/orders/{id}/story"] = "All that happened to an order, in the order of time.",
        ["GET /v1/ops/jobs"] = "The jobs: timetable, next due, last run.",
        ["GET /v1/ops/jobs/{name}/runs"] = "Runs of a job, newest first: outcome, duration, detail." + Page,
        ["POST /v1/ops/jobs/{name}/runs"] = "Start a job now; while such a run waits, a repeat answers that one.",
        ["GET /v1/ops/invariants"] = "Checks what must hold over all rows.",
        ["GET /v1/ops/breakers"] = "The circuit breaker of each provider.",
        ["GET /v1/ops/dead-letters"] = "Dead letters with `state` `OPEN` (default), `REPLAYED` or `DISCARDED`." + Page,
        ["POST /v1/ops/dead-letters/{id}/replay"] = "Append the event again and close the letter.",
        ["POST /v1/ops/dead-letters/{id}/discard"] = "Close the letter; its payment is still carried to an outcome.",
        ["GET /v1/ops/provider/faults"] = "How the simulated provider misbehaves.",
        ["PUT /v1/ops/provider/faults"] = "Set that; what is left out is zero.",
        ["GET /v1/ops/provider/statement"] = "The simulated provider's own record." + Page,
        ["POST /v1/ops/processing/pause"] = "Take up no more work; what is in work is finished.",
        ["POST /v1/ops/processing/resume"] = "Take up work again.",
        ["POST /v1/ops/no-op"] = "Reads a payment's body and does nothing: the yardstick of the load tool.",
        ["GET /v1/ops/no-op"] =
            "Answers as much as a page of 40 products from nowhere: the yardstick of catalogue reads.",
        ["GET /health/live"] = "200 while the process answers.",
        ["GET /health/ready"] = "200 when it should get traffic, else 503 with all that is missing.",
        ["GET /metrics"] = "[Metrics](metrics.md) as Prometheus text.",
    };
}
