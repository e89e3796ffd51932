using System.Net;
using System.Net.Sockets;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load;

/// <summary>
/// What every command of a run shares: the server, the clock, the run's own name and where progress goes.
/// </summary>
internal sealed class Session : IDisposable
{
    private readonly TextWriter progress;

    private Session(TargetAddress address, EndPoint endPoint, Surroundings around)
    {
        Address = address;
        EndPoint = endPoint;
        Api = new ServerApi(address);
        Time = around.Time;
        RunId = around.RunId;
        progress = around.Progress;
    }

    /// <summary>The server and the keys.</summary>
    public TargetAddress Address { get; }

    /// <summary>The server's resolved address.</summary>
    public EndPoint EndPoint { get; }

    /// <summary>Everything but the hot loops.</summary>
    public ServerApi Api { get; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Eight characters that tell this run's payments from all others.</summary>
    public string RunId { get; }

    /// <summary>Resolves the server and makes sure that it is ready.</summary>
    /// <exception cref="CannotRunException">It is not http, not found or not ready.</exception>
    public static async Task<Session> OpenAsync(TargetAddress address, Surroundings around, CancellationToken cancel)
    {
        if (address.Url.Scheme != Uri.UriSchemeHttp)
        {
            throw new CannotRunException($"--url {address.Url} must begin with http://: the hot loops speak no TLS.");
        }

        using var probe = new ServerApi(address);
        await probe.CheckReadyAsync(cancel);
        return new Session(address, await ResolveAsync(address.Url, cancel), around);
    }

    /// <summary>A line for the person who waits.</summary>
    public void Tell(string line) => progress.WriteLine(line);

    /// <summary>Requests for a path, as this session's merchants.</summary>
    public Workload Workload(string path, IReadOnlyList<string> keys, int users) =>
        new(new WorkloadPlan(Address.Url.Authority, path, keys, RunId, users));

    /// <inheritdoc/>
    public void Dispose() => Api.Dispose();

    private static async Task<EndPoint> ResolveAsync(Uri url, CancellationToken cancel)
    {
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(url.DnsSafeHost, cancel);
            var best = addresses.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0];
            return new IPEndPoint(best, url.Port);
        }
        catch (SocketException unknown)
        {
            throw new CannotRunException($"--url {url}: {unknown.Message}");
        }
    }
}

/// <summary>What a run takes from outside, so that tests can give their own.</summary>
internal sealed record Surroundings(TimeProvider Time, TextWriter Output, TextWriter Progress, string RunId);
