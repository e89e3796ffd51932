using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Floodgate.Load.Target;

/// <summary>The part of the API about sales, orders and the waiting room, one method per call.</summary>
internal sealed class SaleApi(ApiClient client)
{
    private const int PageLimit = 1000;

    /// <summary>Makes a sale: the merchant's own, or with <paramref name="ofMerchant"/> false the platform's.</summary>
    public Task<WireSale> CreateSaleAsync(
        NewSaleBody sale, bool ofMerchant, string idempotencyKey, CancellationToken cancel) => client.PostAsync(
            new ApiPost("/v1/sales", JsonSerializer.Serialize(sale, SaleJson.Default.NewSaleBody))
            {
                Key = ofMerchant ? client.Address.MerchantKey : null,
                IdempotencyKey = idempotencyKey,
            },
            SaleJson.Default.WireSale,
            cancel);

    /// <summary>Makes a product; the merchant's own unless its body names a merchant.</summary>
    public Task<WireProduct> CreateProductAsync(
        NewProductBody product, string idempotencyKey, CancellationToken cancel) => client.PostAsync(
            new ApiPost("/v1/products", JsonSerializer.Serialize(product, SaleJson.Default.NewProductBody))
            {
                Key = product.MerchantId is null ? client.Address.MerchantKey : null,
                IdempotencyKey = idempotencyKey,
            },
            SaleJson.Default.WireProduct,
            cancel);

    /// <summary>Creates a merchant to sell for.</summary>
    public Task<WireMerchant> CreateMerchantAsync(string name, string idempotencyKey, CancellationToken cancel) =>
        client.PostAsync(
            new ApiPost("/v1/merchants", $"{{\"name\":\"{name}\"}}") { IdempotencyKey = idempotencyKey },
            ServerJson.Default.WireMerchant,
            cancel);

    /// <summary>Lets a merchant ask for as much as it likes.</summary>
    public async Task LiftLimitsAsync(string merchantId, CancellationToken cancel)
    {
        using var content = new StringContent(
            "{\"tier\":\"unlimited\"}", System.Text.Encoding.UTF8, "application/json");
        (await client.SendAsync(HttpMethod.Put, $"/v1/merchants/{merchantId}/tier", content, cancel)).Dispose();
    }

    /// <summary>Puts money into the wallet of a customer of the merchant, through the gateway.</summary>
    public Task<WireNothing> TopUpAsync(
        string merchantKey, string userId, long amountMinor, string idempotencyKey, CancellationToken cancel) =>
        client.PostAsync(
            new ApiPost(
                $"/v1/wallets/{userId}/top-ups",
                $"{{\"amount\":{{\"amount\":{amountMinor},\"currency\":\"{Traffic.Workload.Currency}\"}}}}")
            {
                Key = merchantKey,
                IdempotencyKey = idempotencyKey,
            },
            SaleJson.Default.WireNothing,
            cancel);

    /// <summary>Signs a buyer of the platform up, and logs it in: its id and its access token.</summary>
    public async Task<(Guid Id, string Token)> LogInNewUserAsync(
        string email, string password, CancellationToken cancel)
    {
        var body = $"{{\"email\":\"{email}\",\"password\":\"{password}\"}}";
        var user = await client.PostAsync(new ApiPost("/v1/users", body), SaleJson.Default.WireUser, cancel);
        var session = await client.PostAsync(new ApiPost("/v1/sessions", body), SaleJson.Default.WireSession, cancel);
        return (user.UserId, session.AccessToken);
    }

    /// <summary>The waiting room of a sale.</summary>
    public Task<WireWaitingRoom> WaitingRoomAsync(Guid saleId, CancellationToken cancel) =>
        client.GetAsync($"/v1/sales/{saleId}/waiting-room", SaleJson.Default.WireWaitingRoom, cancel);

    /// <summary>Sets the waiting room of a sale.</summary>
    public async Task SetWaitingRoomAsync(Guid saleId, WireWaitingRoom room, CancellationToken cancel)
    {
        using var content = new StringContent(
            JsonSerializer.Serialize(room, SaleJson.Default.WireWaitingRoom),
            System.Text.Encoding.UTF8,
            "application/json");
        (await client.SendAsync(HttpMethod.Put, $"/v1/sales/{saleId}/waiting-room", content, cancel)).Dispose();
    }

    /// <summary>Stops admission, or lets it go on.</summary>
    public async Task SetPausedAsync(Guid saleId, bool paused, CancellationToken cancel) => (await client.SendAsync(
        HttpMethod.Post,
        $"/v1/sales/{saleId}/waiting-room/{(paused ? "pause" : "resume")}",
        null,
        cancel)).Dispose();

    /// <summary>One ticket.</summary>
    public Task<WireTicket> TicketAsync(Guid ticket, CancellationToken cancel) =>
        client.GetAsync($"/v1/queue/{ticket}", SaleJson.Default.WireTicket, cancel);

    /// <summary>One order.</summary>
    public Task<WireOrder> OrderAsync(Guid order, CancellationToken cancel) =>
        client.GetAsync($"/v1/orders/{order}", SaleJson.Default.WireOrder, cancel);

    /// <summary>What is left of a sale; at most half a second old.</summary>
    public Task<WireAvailability> AvailabilityAsync(Guid saleId, CancellationToken cancel) =>
        client.GetAsync($"/v1/sales/{saleId}/availability", SaleJson.Default.WireAvailability, cancel);

    /// <summary>Which seats of a product are free.</summary>
    public Task<WireSeats> SeatsAsync(Guid saleId, Guid productId, CancellationToken cancel) => client.GetAsync(
        $"/v1/sales/{saleId}/seats?productId={productId}", SaleJson.Default.WireSeats, cancel);

    /// <summary>Every sale, page by page.</summary>
    public IAsyncEnumerable<WireSale> AllSalesAsync(CancellationToken cancel) => WalkAsync(
        async after =>
        {
            var page = await client.GetAsync(
                $"/v1/sales?limit={PageLimit}{After(after)}", SaleJson.Default.SalePage, cancel);
            return (page.Data, page.HasMore);
        },
        sale => sale.Id);

    /// <summary>Every product of a sale, page by page.</summary>
    public IAsyncEnumerable<WireProduct> ProductsAsync(Guid saleId, CancellationToken cancel) => WalkAsync(
        async after =>
        {
            var page = await client.GetAsync(
                $"/v1/products?saleId={saleId}&limit={PageLimit}{After(after)}", SaleJson.Default.ProductPage, cancel);
            return (page.Data, page.HasMore);
        },
        product => product.Id);

    /// <summary>Every order of anybody, page by page; of one sale unless <paramref name="saleId"/> is null.</summary>
    public IAsyncEnumerable<WireOrder> OrdersAsync(Guid? saleId, CancellationToken cancel) => WalkAsync(
        async after =>
        {
            var sale = saleId is { } id ? $"&saleId={id}" : "";
            var page = await client.GetAsync(
                $"/v1/orders?limit={PageLimit}{sale}{After(after)}", SaleJson.Default.OrderPage, cancel);
            return (page.Data, page.HasMore);
        },
        order => order.Id);

    private static string After(Guid? id) => id is null ? "" : $"&starting_after={id}";

    private static async IAsyncEnumerable<T> WalkAsync<T>(
        Func<Guid?, Task<(IReadOnlyList<T> Data, bool HasMore)>> read,
        Func<T, Guid> idOf,
        [EnumeratorCancellation] CancellationToken cancel = default)
    {
        Guid? after = null;
        bool more;
        do
        {
            (var data, more) = await read(after);
            foreach (var item in data)
            {
                yield return item;
                after = idOf(item);
            }

            more &= data.Count > 0;
        }
        while (more && !cancel.IsCancellationRequested);
    }
}
