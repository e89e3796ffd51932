using System.Text.Json;
using Floodgate.Access;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;

namespace Floodgate.Payment.Charges;

/// <summary>What operators see and, in demo mode, set of providers; and the yardstick of the load tool.</summary>
internal sealed class ProvidersHttp(ProviderGates gates, ChargeWorker worker)
{
    private const int PageMax = 1_000;

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/ops/breakers", Who.Admin, ShowBreakersAsync);
        routes.MapDemoOnly("GET", "/v1/ops/provider/faults", Who.Admin, ShowFaultsAsync);
        routes.MapDemoOnly("PUT", "/v1/ops/provider/faults", Who.Admin, SetFaultsAsync);
        routes.MapDemoOnly("GET", "/v1/ops/provider/statement", Who.Admin, ShowStatementAsync);
        routes.MapDemoOnly("POST", "/v1/ops/processing/pause", Who.Admin, (c, _) => SetPausedAsync(c, true));
        routes.MapDemoOnly("POST", "/v1/ops/processing/resume", Who.Admin, (c, _) => SetPausedAsync(c, false));
        routes.MapDemoOnly("POST", "/v1/ops/no-op", Who.Public, NoOpAsync);
    }

    private Task ShowBreakersAsync(HttpContext context, Caller caller) =>
        Answer.WriteAsync(context, 200, gates.All, static (json, gates) =>
        {
            json.WriteStartObject();
            json.WriteStartArray("breakers");
            foreach (var (provider, breaker) in gates)
            {
                Write(json, provider.Name, breaker);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });

    private static void Write(Utf8JsonWriter json, string provider, CircuitBreaker breaker)
    {
        var (calls, failed, slow) = breaker.Window;
        json.WriteStartObject();
        json.WriteString("provider", provider);
        json.WriteString("state", breaker.State switch
        {
            BreakerState.Closed => "CLOSED",
            BreakerState.Open => "OPEN",
            _ => "HALF_OPEN",
        });
        json.WriteNumber("openedCount", breaker.OpenedCount);
        json.WriteNumber("nextAttemptAtMs", breaker.NextAttemptAtMs);
        json.WriteNumber("windowCalls", calls);
        json.WriteNumber("windowFailed", failed);
        json.WriteNumber("windowSlow", slow);
        json.WriteEndObject();
    }

    private async Task ShowFaultsAsync(HttpContext context, Caller caller)
    {
        if (gates.Simulated is not { } provider)
        {
            await RefuseAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.BodyWriter.WriteAsync(provider.Faults.ToJson(), context.RequestAborted);
    }

    private async Task SetFaultsAsync(HttpContext context, Caller caller)
    {
        if (gates.Simulated is not { } provider)
        {
            await RefuseAsync(context);
            return;
        }

        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        if (!ProviderFaults.TryParse(body.ToArray(), out var faults, out var problem))
        {
            await Problem.WriteAsync(context, Problems.InvalidBody, problem);
            return;
        }

        provider.Faults = faults;
        await ShowFaultsAsync(context, caller);
    }

    private async Task ShowStatementAsync(HttpContext context, Caller caller)
    {
        if (gates.Simulated is not { } provider)
        {
            await RefuseAsync(context);
            return;
        }

        if (await Paging.ReadAsync(context, PageMax) is not { } paging)
        {
            return;
        }

        Guid? after = paging.After == Guid.Empty ? null : paging.After;
        if (provider.Book.Statement(after, paging.Limit) is not { } page)
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "starting_after must be the id of a line of the statement.");
            return;
        }

        await Answer.WriteAsync(
            context, 200, page, static (json, page) => ProviderJson.WriteStatement(json, page.Lines, page.HasMore));
    }

    private async Task SetPausedAsync(HttpContext context, bool isPaused)
    {
        if (isPaused)
        {
            worker.Pause();
        }
        else
        {
            worker.Resume();
        }

        context.Response.StatusCode = 204;
        await context.Response.CompleteAsync();
    }

    /// <summary>
    /// Reads a payment's body and answers like its acceptance, doing nothing: what HTTP and JSON cost here.
    /// </summary>
    private static async Task NoOpAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, ChargesJson.Default.PaymentBody) is { } body)
        {
            await Answer.WriteAsync(context, 202, body, static (json, body) =>
            {
                json.WriteStartObject();
                json.WriteString("status", "NO_OP");
                json.WriteNumber("amount", body.Amount.Amount);
                json.WriteEndObject();
            });
        }
    }

    private static Task RefuseAsync(HttpContext context) => Problem.WriteAsync(
        context,
        Problems.NotFound,
        "The gateway is not simulated in this process (Providers:Gateway); ask the provider itself: GET /statement, "
            + "GET and PUT /faults.");
}
