using Floodgate.Access;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
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
    /// <param name="role">The role of this process: only <c>all</c> owns the rooms, <c>worker</c> has none.</param>
    public static void Add(IServiceCollection services, AdmissionSettings settings, string role)
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
            isOwner: role == "all"));
        services.AddSingleton<TicketBook>();
        services.AddSingleton<TicketDesk>();
        services.AddSingleton<RoomBook>();
        services.AddSingleton<QueueHttp>();
        services.AddSingleton<RoomsHttp>();
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
