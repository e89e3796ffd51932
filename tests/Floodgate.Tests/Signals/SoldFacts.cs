using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Payment;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;

namespace Floodgate.Tests.Signals;

/// <summary>Facts of orders as Orders writes them, planted in the log of a server.</summary>
internal static class SoldFacts
{
    /// <summary>A sale of the shop that is open.</summary>
    public static async Task<string> SaleAsync(Shop shop) => (await shop.SendAsync(
        "POST", "/v1/sales",
        """{"name":"Spring","currency":"KRW","opensAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z"}""",
        $"Idempotency-Key: {shop.NewKey()}")).Expect(201).Id;

    /// <summary>A product of the sale.</summary>
    public static async Task<Guid> ProductAsync(Shop shop, string sale, string name, int stock = 100) =>
        Guid.Parse((await shop.SendAsync(
            "POST", "/v1/products", $$"""{"saleId":"{{sale}}","name":"{{name}}","stock":{{stock}},"price":10}""",
            $"Idempotency-Key: {shop.NewKey()}")).Expect(201).Id);

    /// <summary>The event of an order of one line, so long ago.</summary>
    public static NewEvent Of(
        string type, Shop shop, string sale, Guid product, int quantity, TimeSpan ago = default)
    {
        var atMs = UtcInstant.Now(TimeProvider.System).Plus(-ago).Ms;
        var orderId = new Ids(TimeProvider.System).Next();
        return OrderEvents.Of(type, new OrderFact(
            orderId, Guid.Parse(sale), "platform", "u-1", "KRW",
            [new OrderFactLine(product, shop.MerchantId, quantity, quantity * 10)], atMs));
    }

    /// <summary>Appends them in one transaction.</summary>
    public static async Task PlantAsync(PaymentServer server, params NewEvent[] events)
    {
        var log = server.Services.GetRequiredService<IEventLog>();
        await server.Services.GetRequiredService<Database>().WriteAsync(async tx =>
        {
            await log.AppendAsync(tx, events);
            return 0;
        });
    }
}
