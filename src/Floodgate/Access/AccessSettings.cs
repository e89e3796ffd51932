using System.Net;
using System.Net.Sockets;
using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>Limits of keys and their cache.</summary>
/// <param name="KeysCachedMax">Known keys kept in memory; when full, all are looked up again.</param>
/// <param name="KeyCachedSeconds">How long a key revoked on another node may still work here.</param>
/// <param name="UnknownKeysCachedMax">Unknown keys kept in memory, so that a wrong key costs one look-up.</param>
/// <param name="UnknownKeyCachedSeconds">How long a key created on another node may still be refused here.</param>
/// <param name="HasDemoKeys">Whether the fixed, publicly known keys of demo mode are taken.</param>
public sealed record AccessSettings(
    int KeysCachedMax, int KeyCachedSeconds, int UnknownKeysCachedMax, int UnknownKeyCachedSeconds, bool HasDemoKeys)
{
    /// <summary>Networks whose word for a client's address is taken.</summary>
    public IReadOnlyList<IPNetwork> Proxies { get; init; } = [];

    /// <summary>The header in which they tell it.</summary>
    public string ProxyHeader { get; init; } = "X-Forwarded-For";

    /// <summary>Reads the settings of this module.</summary>
    public static AccessSettings Read(SettingsSource source, bool isDemo) => new(
        source.Int("Access:KeysCachedMax", 100_000, 1, 10_000_000, "keys", "Known keys kept in memory."),
        source.Int("Access:KeyCachedSeconds", 30, 1, 3_600, "s",
            "How long a key revoked on another node may still work on this one."),
        source.Int("Access:UnknownKeysCachedMax", 10_000, 1, 1_000_000, "keys",
            "Unknown keys kept in memory, so that a wrong key costs one look-up."),
        source.Int("Access:UnknownKeyCachedSeconds", 5, 1, 300, "s",
            "How long a key created on another node may still be refused on this one."),
        isDemo)
    {
        Proxies = ReadProxies(source),
        ProxyHeader = source.Text("Access:ProxyHeader", "X-Forwarded-For",
            "The header in which the proxies tell the client's address; each appends the one it sees."),
    };

    private static List<IPNetwork> ReadProxies(SettingsSource source)
    {
        var text = source.Text("Access:Proxies", "",
            "Addresses and networks of the proxies in front, such as 10.0.0.0/8, separated by commas; empty: the " +
            "client's address is the connection's own.");
        var proxies = new List<IPNetwork>();
        foreach (var one in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!one.Contains('/') && IPAddress.TryParse(one, out var address))
            {
                proxies.Add(new(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
            }
            else if (IPNetwork.TryParse(one, out var network))
            {
                proxies.Add(network);
            }
            else
            {
                source.Refuse("Access:Proxies", $"where {one} is no address and no network. Write addresses such as " +
                    "10.1.2.3 and networks such as 10.0.0.0/8 or fd00::/8.");
            }
        }

        return proxies;
    }
}
