using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>The refusals of the catalogue; clients branch on the codes.</summary>
internal static class CatalogProblems
{
    public static readonly ProblemKind VersionConflict = new(
        409, "product_update_conflict", "Somebody changed it since it was read.");

    public static readonly ProblemKind InUse = new(409, "sale_in_use", "The sale has products.");

    public static readonly ProblemKind TierInUse = new(409, "tier_in_use", "Seats have a price that would go away.");
}

/// <summary>
/// The routes of the catalogue. What everybody reads comes from memory, at most as old as the settings say.
/// </summary>
internal sealed class CatalogHttp
{
    private const int PageMax = 1_000;
    private const int YardstickProducts = 40;

    private readonly CatalogBook book;
    private readonly AnswerCache cache;
    private readonly CatalogSettings settings;
    private readonly TimeProvider time;
    private readonly Func<AnswerKey, Task<byte[]?>> read; // Made once, not for each request.
    private readonly byte[] nothing = MakeNothing();

    public CatalogHttp(CatalogBook book, AnswerCache cache, CatalogSettings settings, TimeProvider time)
    {
        (this.book, this.cache, this.settings, this.time, read) = (book, cache, settings, time, ReadAsync);
        book.Changed += _ => cache.Evict();
    }

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/sales", Who.Public, ListSalesAsync, Limit.Catalogue);
        routes.Map("GET", "/v1/sales/{id}", Who.Public, GetSaleAsync, Limit.Catalogue);
        routes.Map("POST", "/v1/sales", Who.MerchantOrAdmin, CreateSaleAsync);
        routes.Map("PUT", "/v1/sales/{id}", Who.MerchantOrAdmin, ChangeSaleAsync);
        routes.Map("DELETE", "/v1/sales/{id}", Who.MerchantOrAdmin, DeleteSaleAsync);
        routes.Map("GET", "/v1/products", Who.Public, ListProductsAsync, Limit.Catalogue);
        routes.Map("GET", "/v1/products/{id}", Who.Public, GetProductAsync, Limit.Catalogue);
        routes.Map("POST", "/v1/products", Who.MerchantOrAdmin, CreateProductAsync);
        routes.Map("PUT", "/v1/products/{id}", Who.MerchantOrAdmin, ChangeProductAsync);
        routes.Map("DELETE", "/v1/products/{id}", Who.MerchantOrAdmin, WithdrawAsync);
        routes.MapDemoOnly("GET", "/v1/ops/no-op", Who.Public, DoNothingAsync);
    }

    private async Task ListSalesAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is { } page)
        {
            await WriteAsync(context, new(AnswerKind.Sales, Guid.Empty, page.Limit, page.After));
        }
    }

    private async Task GetSaleAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is { } id)
        {
            await WriteAsync(context, new(AnswerKind.Sale, id));
        }
    }

    private async Task ListProductsAsync(HttpContext context, Caller caller)
    {
        var (kind, sale) = (AnswerKind.Products, Guid.Empty);
        if (context.Request.Query.TryGetValue("saleId", out var text))
        {
            kind = AnswerKind.ProductsOfSale;
            if (!Guid.TryParseExact(text, "D", out sale))
            {
                await Problem.WriteAsync(context, Problems.InvalidParameter, "saleId must be the id of a sale.");
                return;
            }
        }

        if (await Paging.ReadAsync(context, PageMax) is { } page)
        {
            await WriteAsync(context, new(kind, sale, page.Limit, page.After));
        }
    }

    private async Task GetProductAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is { } id)
        {
            await WriteAsync(context, new(AnswerKind.Product, id));
        }
    }

    private async Task CreateSaleAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, CatalogBodies.Default.SaleBody) is not { } body
            || !await MayActForAsync(context, caller, body.MerchantId))
        {
            return;
        }

        if (CatalogRequests.Read(body, caller.MerchantId ?? body.MerchantId, out var fault) is not { } terms)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault!);
            return;
        }

        var made = await book.CreateAsync(
            terms, KeyOf(caller, key, body, CatalogBodies.Default.SaleBody), context.RequestAborted);
        await AnswerAsync(context, made, created: true);
    }

    private async Task ChangeSaleAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id
            || await Body.ReadAsync(context, CatalogBodies.Default.SaleBody) is not { } body)
        {
            return;
        }

        if (body.Version is not { } version)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, "version is needed: the one you read.");
            return;
        }

        if (CatalogRequests.Read(body, body.MerchantId, out var fault) is not { } terms)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault!);
            return;
        }

        var changed = await book.UpdateAsync(EditorOf(caller), id, version, terms, context.RequestAborted);
        await AnswerAsync(context, changed, created: false);
    }

    private async Task DeleteSaleAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id || await ReadVersionAsync(context) is not { } version)
        {
            return;
        }

        var outcome = await book.DeleteAsync(EditorOf(caller), id, version, context.RequestAborted);
        if (outcome == CatalogOutcome.Done)
        {
            context.Response.StatusCode = 204;
            return;
        }

        await RefuseAsync(context, outcome);
    }

    private async Task CreateProductAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, CatalogBodies.Default.ProductBody) is not { } body
            || !await MayActForAsync(context, caller, body.MerchantId))
        {
            return;
        }

        if ((caller.MerchantId ?? body.MerchantId) is not { } merchant)
        {
            await Problem.WriteAsync(
                context, Problems.InvalidField, "merchantId is needed from an operator: who is paid for the product.");
            return;
        }

        if (CatalogRequests.Read(body, merchant, out var fault) is not { } product)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault!);
            return;
        }

        var made = await book.CreateAsync(
            EditorOf(caller),
            product,
            KeyOf(caller, key, body, CatalogBodies.Default.ProductBody),
            context.RequestAborted);
        await AnswerAsync(context, made, created: true);
    }

    private async Task ChangeProductAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id
            || await Body.ReadAsync(context, CatalogBodies.Default.ProductChangeBody) is not { } body)
        {
            return;
        }

        if (CatalogRequests.Read(body, out var fault) is not { } terms)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault!);
            return;
        }

        var changed = await book.UpdateAsync(EditorOf(caller), id, body.Version, terms, context.RequestAborted);
        await AnswerAsync(context, changed, created: false);
    }

    private async Task WithdrawAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is { } id && await ReadVersionAsync(context) is { } version)
        {
            var withdrawn = await book.WithdrawAsync(EditorOf(caller), id, version, context.RequestAborted);
            await AnswerAsync(context, withdrawn, created: false);
        }
    }

    private Task AnswerAsync(HttpContext context, ChangedSale changed, bool created)
    {
        if (changed.Outcome is not (CatalogOutcome.Done or CatalogOutcome.Replayed))
        {
            return RefuseAsync(context, changed.Outcome);
        }

        MarkCreated(context, changed.Outcome, created, $"/v1/sales/{changed.Sale!.Id}");
        return Answer.WriteAsync(
            context, created ? 201 : 200, (changed.Sale, UtcInstant.Now(time)), CatalogJson.Write);
    }

    private static Task AnswerAsync(HttpContext context, ChangedProduct changed, bool created)
    {
        if (changed.Outcome is not (CatalogOutcome.Done or CatalogOutcome.Replayed))
        {
            return RefuseAsync(context, changed.Outcome);
        }

        MarkCreated(context, changed.Outcome, created, $"/v1/products/{changed.Product!.Id}");
        return Answer.WriteAsync(context, created ? 201 : 200, changed.Product, CatalogJson.Write);
    }

    private static void MarkCreated(HttpContext context, CatalogOutcome outcome, bool created, string location)
    {
        if (created)
        {
            context.Response.Headers.Location = location;
        }

        if (outcome == CatalogOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }
    }

    private static Task RefuseAsync(HttpContext context, CatalogOutcome outcome) => outcome switch
    {
        CatalogOutcome.KeyReused => Problem.WriteAsync(
            context, Problems.IdempotencyKeyReused,
            $"This {IdempotencyKey.Header} was used for something else. Send a new key for a new intent."),
        CatalogOutcome.VersionConflict => Problem.WriteAsync(
            context, CatalogProblems.VersionConflict,
            "Read it again, and send your change with the version it has now."),
        CatalogOutcome.InUse => Problem.WriteAsync(
            context, CatalogProblems.InUse,
            "A sale with products keeps its currency and is not removed. Let it end instead: set endsAt."),
        CatalogOutcome.TierInUse => Problem.WriteAsync(
            context, CatalogProblems.TierInUse, "Keep a tier for each name that the rows of seats refer to."),
        _ => Problem.WriteAsync(
            context, Problems.NotFound, "There is no such sale or product, or it is another merchant's."),
    };

    private async Task WriteAsync(HttpContext context, AnswerKey key)
    {
        var answer = settings.TakesNoCache && context.Request.Headers.CacheControl == "no-cache"
            ? await ReadAsync(key)
            : await cache.GetAsync(key, read);
        await (answer is null
            ? Problem.WriteAsync(context, Problems.NotFound, "There is no such sale or product. Check the id.")
            : Answer.WriteAsync(context, answer));
    }

    private async Task<byte[]?> ReadAsync(AnswerKey key)
    {
        switch (key.Kind)
        {
            case AnswerKind.Sales:
                var sales = await book.SalesAsync(key.After, key.Limit + 1, default);
                return Page(sales, key.Limit, (json, sale) => CatalogJson.Write(json, (sale, UtcInstant.Now(time))));
            case AnswerKind.Sale:
                return await book.FindSaleAsync(key.Id, default) is { } found
                    ? Answer.Render((found, UtcInstant.Now(time)), CatalogJson.Write).ToArray()
                    : null;
            case AnswerKind.Product:
                return await book.FindAsync(key.Id, default) is { } product
                    ? Answer.Render(product, CatalogJson.Write).ToArray()
                    : null;
            default:
                Guid? ofSale = key.Kind == AnswerKind.ProductsOfSale ? key.Id : null;
                var products = await book.ProductsAsync(ofSale, key.After, key.Limit + 1, default);
                return Page(products, key.Limit, CatalogJson.Write);
        }
    }

    private Task DoNothingAsync(HttpContext context, Caller caller) => Answer.WriteAsync(context, nothing);

    // As large as a page of 40 products.
    private static byte[] MakeNothing()
    {
        var terms = new ProductTerms("Product 0000", [new("standard", 15_000)], 4, "standard");
        var product = new Product(
            Guid.Empty, Guid.Empty, Guid.Empty.ToString(), ProductKind.Stock, 1_000, terms, IsWithdrawn: false, 1);
        return Page([.. Enumerable.Repeat(product, YardstickProducts)], YardstickProducts, CatalogJson.Write);
    }

    private static byte[] Page<T>(List<T> items, int limit, Action<Utf8JsonWriter, T> write) =>
        Answer.Render((items, limit, write), static (json, page) =>
        {
            var shown = page.items[..Math.Min(page.items.Count, page.limit)];
            Answer.WritePage(json, shown, page.items.Count > shown.Count, page.write);
        }).ToArray();

    private static Editor EditorOf(Caller caller) => new(caller.MerchantId);

    private static EditorKey KeyOf<T>(Caller caller, string key, T body, JsonTypeInfo<T> type) => new(
        caller.MerchantId ?? Buyer.Platform,
        key,
        Convert.ToHexString(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(body, type))));

    private static async ValueTask<bool> MayActForAsync(HttpContext context, Caller caller, string? merchantId)
    {
        if (caller.MerchantId is null || merchantId is null || merchantId == caller.MerchantId)
        {
            return true;
        }

        await Problem.WriteAsync(
            context, Problems.Forbidden, $"merchantId is {merchantId}, but your key is of {caller.MerchantId}.");
        return false;
    }

    private static ValueTask<Guid?> ReadIdAsync(HttpContext context) =>
        RouteId.ReadAsync(context, Problems.NotFound);

    private static async ValueTask<long?> ReadVersionAsync(HttpContext context)
    {
        if (long.TryParse(
            context.Request.Query["version"], NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            return version;
        }

        await Problem.WriteAsync(
            context, Problems.InvalidParameter, "Say ?version= with the version you read, so that no change is lost.");
        return null;
    }
}
