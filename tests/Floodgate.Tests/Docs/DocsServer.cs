using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Floodgate.Tests.Docs;

/// <summary>
/// The server that documents talk about, as <c>./floodgate up --demo</c> starts it, on a free port with an empty
/// database; only the open time of breakers is cut to a second, so that nobody waits a minute.
/// </summary>
internal sealed class DocsServer : IAsyncDisposable
{
    private readonly string directory;
    private readonly WebApplication app;

    private DocsServer(string directory, WebApplication app)
    {
        this.directory = directory;
        this.app = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public HttpClient Client { get; }

    public Database Database => app.Services.GetRequiredService<Database>();

    /// <summary>Starts it; <paramref name="before"/> runs on its database before the worker does.</summary>
    public static async Task<DocsServer> StartAsync(Func<IServiceProvider, Task>? before = null)
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-docs-" + Path.GetRandomFileName());
        var (app, settings) = Build(directory);
        if (before is not null)
        {
            await app.Services.GetRequiredService<Database>().MigrateAsync(Roles.Migrations, CancellationToken.None);
            await LogModule.StartAsync(app.Services, CancellationToken.None);
            await before(app.Services);
        }

        await Server.StartAsync(app, settings, CancellationToken.None);
        return new DocsServer(directory, app);
    }

    /// <summary>Writes events to its log.</summary>
    public async Task AppendAsync(params NewEvent[] events) => await Database.WriteAsync(async tx =>
    {
        await app.Services.GetRequiredService<IEventLog>().AppendAsync(tx, events);
        return 0;
    });

    /// <summary>The program, put together and not started.</summary>
    public static (WebApplication App, Settings Settings) Build(string directory)
    {
        var settings = Settings.Read(new(
        [
            SettingsLayer.Of("test", new Dictionary<string, string>
            {
                ["Server:Urls"] = "http://127.0.0.1:0",
                ["Server:Demo"] = "true",
                ["Server:StopTimeoutMs"] = "1000",
                ["Database:Directory"] = directory,
                ["Providers:Breaker:OpenMs"] = "1000",
            }),
        ]));
        return (Server.Build(settings, TimeProvider.System, Stream.Null), settings);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }
}
