using System.Net;
using System.Net.Sockets;

namespace Floodgate.Tests.Fixtures;

/// <summary>Ports for programs that must be told their port before they start.</summary>
public static class FreePort
{
    /// <summary>
    /// A TCP port of 127.0.0.1 that nobody listens on now. Another process may take it before its user does; the
    /// kernel hands such ports out in turn, so that needs thousands of binds in between.
    /// </summary>
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, port: 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
