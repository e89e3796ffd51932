using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;

namespace Floodgate.Tests.Nodes;

/// <summary>Two nodes on one PostgreSQL and one Redis: the left one does everything, the right one is intake.</summary>
internal sealed class TwoNodes : IAsyncDisposable
{
    private TwoNodes(RedisServer redis, PaymentServer left, PaymentServer right) =>
        (Redis, Left, Right) = (redis, left, right);

    public RedisServer Redis { get; }

    public PaymentServer Left { get; }

    public PaymentServer Right { get; }

    /// <summary>Starts both; settings such as <c>Catalog:FreshMs=60000</c> are those of both.</summary>
    public static async Task<TwoNodes> StartAsync(PostgreSqlServer postgreSql, params string[] settings)
    {
        var redis = await RedisServer.StartAsync();
        string[] both =
        [
            $"Database:ConnectionString={await postgreSql.CreateDatabaseAsync()}",
            $"Coordination:Redis={redis.Address}",
            "Coordination:RedisTimeoutMs=200",
            .. settings,
        ];
        var left = await PaymentServer.StartAsync(Stored.InPostgreSql, postgreSql, both);
        return new(
            redis, left, await PaymentServer.StartAsync(Stored.InPostgreSql, postgreSql, [.. both, "Server:Role=api"]));
    }

    /// <summary>The same merchant at the right node.</summary>
    public Shop AtRight(Shop shop) => Right.Again(shop);

    /// <summary>Waits until both nodes know that Redis is away, or that it is there.</summary>
    public Task RedisIsAsync(bool away) => PaymentServer.EventuallyAsync(
        $"both know that Redis is {(away ? "away" : "there")}",
        () => Task.FromResult(new[] { Left, Right }.All(
            node => node.Services.GetRequiredService<News>().IsDeaf == away)));

    public async ValueTask DisposeAsync()
    {
        await Right.DisposeAsync();
        await Left.DisposeAsync();
        await Redis.DisposeAsync();
    }
}
