using Floodgate.Access;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>Puts the module together: rooms, tickets, passes, the loop that admits.</summary>
public static class AdmissionModule
{
    /// <summary>The tables of rooms and tickets.</summary>
    public static IReadOnlyList<Migration> Migrations => AdmissionSql.Migrations;

    /// <summary>
    /// Registers <see cref="WaitingRooms"/> and what keeps them going. Needs a <see cref="PaymentHealthSource"/>.
    /// </summary>
    /// <param name="services">Where.</param>
    /// <param name="settings">The limits.</param>
    /// <param name="role">The role of this process: <c>worker</c> has no rooms.</param>
    /// <param name="isShared">
    /// Whether several processes share the rooms; else only <c>all</c> has them.</param>
    public static void Add(IServiceCollection services, AdmissionSettings settings, string role, bool isShared)
    {
        services.AddSingleton(settings);
        services.AddSingleton<AdmissionLog>();
        services.AddSingleton(p => new AdmissionTools(
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<Random>(),
            p.GetRequiredService<Ids>(),
            p.GetRequiredService<AdmissionLog>()));
        services.AddSingleton(p => new WaitingRooms(
            p.GetRequiredService<Database>(),
            p.GetRequiredService<CatalogBook>(),
            settings,
            p.GetRequiredService<AdmissionTools>(),
            p.GetRequiredService<News>(),
            servesLines: role == "all" || (role == "api" && isShared)));
        services.AddSingleton<TicketBook>();
        services.AddSingleton<TicketDesk>();
        services.AddSingleton<RoomBook>();
        services.AddSingleton<QueueHttp>();
        services.AddSingleton<RoomsHttp>();
        services.AddSingleton<RoomFollower>();
        services.AddSingleton<RoomWorker>();
        if (role != "worker")
        {
            services.AddHostedService(p => p.GetRequiredService<RoomWorker>());
        }
    }

    /// <summary>Loads the key of passes and the rooms; after the migrations, before the first request.</summary>
    public static async ValueTask StartAsync(IServiceProvider services, CancellationToken cancel)
    {
        var rooms = services.GetRequiredService<WaitingRooms>();
        await rooms.LoadAsync(cancel);
        services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(rooms.EndStreams);
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services)
    {
        services.GetRequiredService<QueueHttp>().Map(routes);
        services.GetRequiredService<RoomsHttp>().Map(routes);
    }

    /// <summary>Why rooms stand still by themselves; null while all is well.</summary>
    public static Exception? FailureOf(IServiceProvider services) =>
        services.GetRequiredService<RoomWorker>().Failure;
}
