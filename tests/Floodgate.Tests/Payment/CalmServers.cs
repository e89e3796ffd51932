using System.Collections.Concurrent;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

[assembly: AssemblyFixture(typeof(CalmServers))]

namespace Floodgate.Tests.Payment;

/// <summary>
/// A server on each database for all tests that change no settings and no faults; each test opens a shop of its own,
/// and shops cannot see each other.
/// </summary>
public sealed class CalmServers : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Stored, Lazy<Task<PaymentServer>>> servers = new();

    internal Task<PaymentServer> OnAsync(Stored stored, PostgreSqlServer postgreSql) => servers.GetOrAdd(
        stored,
        _ => new(() => PaymentServer.StartAsync(
            stored, postgreSql, "Webhooks:AllowPrivateAddresses=true", "Webhooks:Ports=*"))).Value;

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers.Values)
        {
            await (await server.Value).DisposeAsync();
        }
    }
}
