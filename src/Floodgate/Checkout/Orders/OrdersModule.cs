using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>Puts the module together: the book, its routes, the sweep.</summary>
public static class OrdersModule
{
    /// <summary>The tables of orders.</summary>
    public static IReadOnlyList<Migration> Migrations => OrdersSql.Migrations;

    /// <summary>Registers the services in the order of the flow; the sweep only where the role runs it.</summary>
    public static void Add(IServiceCollection services, OrdersSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<OrdersLog>();
        services.AddSingleton(p => new OrderTools(
            settings, p.GetRequiredService<WaitingRooms>(), p.GetRequiredService<IEventLog>(),
            p.GetRequiredService<Ids>(), p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(p => new OrderMoves(
            p.GetRequiredService<HoldBook>(), p.GetRequiredService<ChangeWatch>(), p.GetRequiredService<OrderTools>()));
        services.AddSingleton(p => new OrderBook(
            p.GetRequiredService<Database>(), p.GetRequiredService<HoldBook>(), p.GetRequiredService<SoldOutBoard>(),
            p.GetRequiredService<OrderMoves>(), p.GetRequiredService<OrderTools>()));
        services.AddSingleton<OrderDesk>();
        services.AddSingleton<OrdersHttp>();
        services.AddSingleton(p => new ExpiryTools(
            p.GetRequiredService<TimeProvider>(), p.GetRequiredService<OrdersLog>()));
        services.AddSingleton<ExpiryWorker>();
        services.AddSingleton(p => new OrderChecks(p.GetRequiredService<ExpiryWorker>()));
        if (runsWorker)
        {
            services.AddHostedService(p => p.GetRequiredService<ExpiryWorker>());
        }
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<OrdersHttp>().Map(routes);
}
