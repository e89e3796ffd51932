using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Floodgate.Access;

/// <summary>
/// Where a request comes from: the connection's own address, or what the proxies in front say. A header that strangers
/// can set would give each request an address of its own, so it is read only when a proxy of
/// <see cref="AccessSettings.Proxies"/> sent it.
/// </summary>
public sealed class ClientAddress(AccessSettings settings)
{
    private const int HopsMax = 16; // More proxies than anybody puts in a row.

    /// <summary>
    /// The first address, seen from here, that is none of the proxies'. What cannot be read ends the way: then it is
    /// the proxy that sent it.
    /// </summary>
    public IPAddress? Of(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        if (settings.Proxies.Count == 0 || address is null || !IsProxy(address))
        {
            return address;
        }

        // Each proxy appends the address it sees, so the last one was written by the nearest.
        var told = context.Request.Headers[settings.ProxyHeader].ToString().Split(',');
        for (var hop = 0; hop < Math.Min(told.Length, HopsMax) && IsProxy(address); hop++)
        {
            if (!IPEndPoint.TryParse(told[^(hop + 1)].Trim(), out var next))
            {
                break;
            }

            address = next.Address;
        }

        return address;
    }

    /// <summary>
    /// A number for all addresses that one subscriber has: an IPv4 address is one, of IPv6 it is the network of 64
    /// bits. 0 is no address.
    /// </summary>
    public static UInt128 NetworkOf(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address is null || !address.TryWriteBytes(bytes, out var length))
        {
            return 0;
        }

        return address.AddressFamily == AddressFamily.InterNetwork ? Mapped(bytes[..length])
            : address.IsIPv4MappedToIPv6 ? Mapped(bytes[12..])
            : new UInt128(BinaryPrimitives.ReadUInt64BigEndian(bytes), 0);
    }

    // As in ::ffff:0:0/96, which no network of 64 bits can be, because its lower half is zero.
    private static UInt128 Mapped(ReadOnlySpan<byte> four) =>
        new(0, 0xFFFF_0000_0000UL | BinaryPrimitives.ReadUInt32BigEndian(four));

    private bool IsProxy(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return settings.Proxies.Any(network => network.Contains(plain));
    }
}
