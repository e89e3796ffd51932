using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Floodgate.Tests.Payment.Results.Webhooks;

/// <summary>A request as a merchant's server got it.</summary>
internal sealed record Received(string Path, string Id, long Timestamp, string Signature, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string Type => Json.GetProperty("type").GetString()!;

    public JsonElement Content => Json.GetProperty("data");

    /// <summary>
    /// True when one of the signatures is that of the secret: written from the specification alone, so that it can
    /// disagree with the product.
    /// </summary>
    public bool IsSignedBy(string secret)
    {
        using var mac = new HMACSHA256(Convert.FromBase64String(secret.Split('_', 2)[1]));
        var expected = mac.ComputeHash(Encoding.UTF8.GetBytes(Id + "." + Timestamp + "." + Body));
        return Signature.Split(' ').Any(one => one.Split(',') is ["v1", var base64]
            && CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(base64), expected));
    }
}

/// <summary>A merchant's server: a real one on a free port, which answers as the test says.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<Received> all = new();

    private Receiver(WebApplication app) => this.app = app;

    /// <summary>How it answers; 204 unless the test says otherwise.</summary>
    public Func<HttpContext, Task> Answer { get; set; } = Status(204);

    /// <summary>Everything that came, in the order in which it came.</summary>
    public IReadOnlyList<Received> All => [.. all];

    public int Port => new Uri(app.Urls.Single()).Port;

    public string Url => $"http://127.0.0.1:{Port}/hook";

    public static Func<HttpContext, Task> Status(int status) => context =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    /// <summary>Answers nothing until the caller goes away.</summary>
    public static async Task HangAsync(HttpContext context)
    {
        var gone = new TaskCompletionSource();
        await using var wait = context.RequestAborted.Register(gone.SetResult);
        await gone.Task;
    }

    public static async Task<Receiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var receiver = new Receiver(app);
        app.Run(receiver.TakeAsync);
        await app.StartAsync();
        return receiver;
    }

    /// <summary>Waits until so many came.</summary>
    public async Task<IReadOnlyList<Received>> TakenAsync(int count)
    {
        await Eventually.HoldsAsync(
            () => Task.FromResult(all.Count >= count), () => $"{count} webhooks came: {all.Count}");
        return All;
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await app.StopAsync(atOnce.Token);
        await app.DisposeAsync();
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var headers = context.Request.Headers;
        all.Enqueue(new(
            context.Request.Path,
            headers["webhook-id"].ToString(),
            long.Parse(headers["webhook-timestamp"].ToString(), System.Globalization.CultureInfo.InvariantCulture),
            headers["webhook-signature"].ToString(),
            await reader.ReadToEndAsync()));
        await Answer(context);
    }
}
