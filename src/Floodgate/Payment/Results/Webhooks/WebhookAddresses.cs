using System.Net;
using System.Net.Sockets;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// Which addresses and URLs a webhook may call. What a merchant names is called from inside our network, so that
/// everything that is not the public internet is refused (server-side request forgery): by its address, never by its
/// name, because a name means whatever its owner says at that moment.
/// </summary>
internal static class WebhookAddresses
{
    private const int UrlLengthMax = 2_048;

    // IANA special-purpose registries (RFC 6890 and successors): all that is not globally reachable.
    private static readonly IPNetwork[] Refused4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    // Of IPv6 only global unicast is public, without protocol assignments, documentation, and what carries an IPv4
    // address to be unpacked on the way: Teredo, 6to4.
    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] Refused6 =
    [
        .. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" }.Select(IPNetwork.Parse),
    ];

    /// <summary>True for an address of the public internet.</summary>
    public static bool IsPublic(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return plain.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Refused4.Any(network => network.Contains(plain)),
            AddressFamily.InterNetworkV6 =>
                Global6.Contains(plain) && !Refused6.Any(network => network.Contains(plain)),
            _ => false,
        };
    }

    /// <summary>
    /// The URL in its normal form, or null and why it cannot be called. A name is not looked up: what it means is
    /// checked at every call.
    /// </summary>
    public static string? Check(string text, WebhooksSettings settings, out string? fault)
    {
        if (text.Length > UrlLengthMax || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
        {
            fault = $"is not an absolute URL of at most {UrlLengthMax} characters";
            return null;
        }

        fault = FaultOf(url, settings);
        return fault is null ? url.AbsoluteUri : null;
    }

    private static string? FaultOf(Uri url, WebhooksSettings settings)
    {
        if (url.Scheme != Uri.UriSchemeHttps
            && !(settings.AllowPrivateAddresses && url.Scheme == Uri.UriSchemeHttp))
        {
            return "must start with https://";
        }

        if (url.UserInfo.Length > 0 || url.Fragment.Length > 0)
        {
            return "must have no user name, password or fragment";
        }

        if (!settings.AllowsPort(url.Port))
        {
            return $"names port {url.Port}; allowed are {string.Join(", ", settings.Ports!.Order())} (Webhooks:Ports)";
        }

        return !settings.AllowPrivateAddresses && IPAddress.TryParse(url.DnsSafeHost, out var address)
            && !IsPublic(address)
            ? "names an address that is not on the public internet"
            : null;
    }
}
