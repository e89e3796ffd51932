using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Catalog;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Holds;

/// <summary>The routes that show what is left; at most half a second old.</summary>
internal sealed class HoldsHttp(CatalogBook catalog, StockBoard stock, TimeProvider time)
{
    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/sales/{id}/availability", Who.Public, ShowAvailabilityAsync, Limit.Catalogue);
        routes.Map("GET", "/v1/sales/{id}/seats", Who.Public, ShowSeatsAsync, Limit.Catalogue);
    }

    private async Task ShowAvailabilityAsync(HttpContext context, Caller caller)
    {
        if (!Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id)
            || await catalog.FindSaleAsync(id, context.RequestAborted) is not { } sale)
        {
            await Problem.WriteAsync(context, Problems.NotFound, "There is no such sale. Check the id.");
            return;
        }

        await Answer.WriteAsync(
            context, 200, (id, sale.StateAt(UtcInstant.Now(time)), await stock.ProductsOfAsync(id)), HoldsJson.Write);
    }

    private async Task ShowSeatsAsync(HttpContext context, Caller caller)
    {
        if (!Guid.TryParseExact(context.Request.Query["productId"], "D", out var productId))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "Say ?productId= with the id of a product that has seats.");
            return;
        }

        if (await stock.SeatsOfAsync(productId) is not { } json)
        {
            await Problem.WriteAsync(
                context, Problems.NotFound,
                    "There is no product with seats under this id in this sale. Check the ids.");
            return;
        }

        await Answer.WriteAsync(context, json);
    }
}
