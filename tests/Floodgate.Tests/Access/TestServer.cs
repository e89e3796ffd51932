using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Access;

/// <summary>The real server on a free port with an empty SQLite database, in demo mode unless told.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly string directory;
    private readonly WebApplication app;

    private TestServer(string directory, WebApplication app, MemoryStream log)
    {
        this.directory = directory;
        this.app = app;
        Log = log;
        Client = new() { BaseAddress = new(app.Urls.Single()) };
    }

    public HttpClient Client { get; }

    public MemoryStream Log { get; }

    public string Directory => directory;

    public IServiceProvider Services => app.Services;

    /// <summary>
    /// Starts it; <paramref name="map"/> may add routes of the test's own, settings such as
    /// <c>Identity:PasswordQueueMax=1</c> go over those of all tests.
    /// </summary>
    public static async Task<TestServer> StartAsync(
        Action<Routes>? map = null, bool isDemo = true, params string[] settings)
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
        var own = settings.Select(setting => setting.Split('=', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
        var read = Settings.Read(new(
        [
            SettingsLayer.Of("all tests", new Dictionary<string, string>
            {
                ["Server:Urls"] = "http://127.0.0.1:0",
                ["Server:Demo"] = isDemo ? "true" : "false",
                ["Server:StopTimeoutMs"] = "1000",
                ["Database:Directory"] = directory,
                ["Log:Format"] = "json",
                ["Identity:PasswordRounds"] = "10000",
            }),
            SettingsLayer.Of("test", own),
        ]));
        var log = new MemoryStream();
        var app = Server.Build(read, TimeProvider.System, log);
        map?.Invoke(new Routes(
            app,
            app.Services.GetRequiredService<ApiKeys>(),
            app.Services.GetRequiredService<SessionBook>(),
            app.Services.GetRequiredService<RateLimitHttp>(),
            isDemo));
        await Server.StartAsync(app, read, CancellationToken.None);
        return new(directory, app, log);
    }

    /// <summary>Sends one request with a key and headers such as <c>Idempotency-Key: x</c>.</summary>
    public Task<HttpResponseMessage> SendAsync(
        string method, string path, string? key, string? json = null, params string[] headers)
    {
        var request = new HttpRequestMessage(new(method), path);
        if (key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        foreach (var header in headers)
        {
            var parts = header.Split(": ", 2);
            request.Headers.TryAddWithoutValidation(parts[0], parts[1]);
        }

        return Client.SendAsync(request);
    }

    /// <summary>Checks status, media type and code of a refusal and answers its detail.</summary>
    public static async Task<string> RefusedAsync(HttpResponseMessage response, int status, string code)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(text);
        Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
        Assert.Equal(status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.Equal($"urn:floodgate:problem:{code}", problem.RootElement.GetProperty("type").GetString());
        Assert.NotEqual("", problem.RootElement.GetProperty("title").GetString());
        return problem.RootElement.GetProperty("detail").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
        if (System.IO.Directory.Exists(directory))
        {
            System.IO.Directory.Delete(directory, recursive: true);
        }
    }
}
