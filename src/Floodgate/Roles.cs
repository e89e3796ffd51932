using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Supervision;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>The table of contents: every module, in the order in which a purchase moves, and who runs it.</summary>
internal static class Roles
{
    /// <summary>The schema of all modules, in the order in which tables refer to each other.</summary>
    public static IReadOnlyList<Migration> Migrations { get; } =
    [
        .. AccessModule.Migrations,
    ];

    /// <summary>The services of every module; loops only in the roles that run them.</summary>
    public static void Add(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<Ids>();
        services.AddSingleton(_ => OpenDatabase(settings.Database));
        AccessModule.Add(services, settings.Access);
        SupervisionModule.Add(services, settings.Supervision);
    }

    /// <summary>Opens the database that the settings name.</summary>
    /// <exception cref="SettingsException">Its folder or connection string cannot be used.</exception>
    public static Database OpenDatabase(DatabaseSettings settings)
    {
        try
        {
            return Database.Open(settings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException([$"Database:Directory is {settings.Directory}, which cannot be used " +
                $"({e.Message}). Choose a folder that can be written with --data."]);
        }
        catch (ArgumentException e) when (settings.IsPostgreSql)
        {
            throw new SettingsException([$"Database:ConnectionString cannot be read ({e.Message}). Write it as " +
                "Host=HOST;Database=NAME;Username=USER;Password=PASSWORD."]);
        }
    }

    /// <summary>The routes of every module; business routes only in the roles <c>api</c> and <c>all</c>.</summary>
    public static void Map(Routes routes, IServiceProvider services, string role)
    {
        SupervisionModule.Map(routes, services);
        if (role != "worker")
        {
            AccessModule.Map(routes, services);
        }
    }
}
