using System.Globalization;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>What webhooks may call, and how much at once.</summary>
/// <param name="AllowPrivateAddresses">
/// Also calls private, loopback and link-local addresses, and <c>http</c> (default false; true in demo mode).</param>
/// <param name="Ports">The ports that may be called; null for any (default 443).</param>
/// <param name="InFlightMax">Calls at once (1 to 10,000; default 256).</param>
/// <param name="InFlightPerEndpointMax">Calls to one endpoint at once (1 to 1,000; default 8).</param>
/// <param name="TimeoutMs">Time for one call, from look-up to status (100 to 60,000 ms; default 15,000).</param>
/// <param name="EndpointsMax">Endpoints of one merchant (1 to 100; default 10).</param>
/// <param name="OldSecretHours">
/// How long the secret of before a rotation still signs too (0 to 720 hours; default 24).</param>
/// <param name="DaysKept">How long finished deliveries are kept (4 to 365 days; default 30).</param>
/// <param name="EndpointsCachedMs">
/// How long this process goes by endpoints that another one may have changed (0 to 60,000 ms; default 2,000).</param>
public sealed record WebhooksSettings(
    bool AllowPrivateAddresses = false,
    IReadOnlySet<int>? Ports = null,
    int InFlightMax = 256,
    int InFlightPerEndpointMax = 8,
    int TimeoutMs = 15_000,
    int EndpointsMax = 10,
    int OldSecretHours = 24,
    int DaysKept = 30,
    int EndpointsCachedMs = 2_000)
{
    /// <summary>The longest time between an event and its last try must be within what is kept.</summary>
    private const int DaysKeptMin = 4;

    /// <summary>Reads the settings under <c>Webhooks:</c>.</summary>
    public static WebhooksSettings Read(SettingsSource source) => new(
        source.Flag("Webhooks:AllowPrivateAddresses", false,
            "Also call private, loopback and link-local addresses, and http; never where strangers are merchants."),
        ReadPorts(source),
        source.Int("Webhooks:InFlightMax", 256, 1, 10_000, "calls", "Webhooks sent at once."),
        source.Int("Webhooks:InFlightPerEndpointMax", 8, 1, 1_000, "calls", "Webhooks sent to one endpoint at once."),
        source.Int("Webhooks:TimeoutMs", 15_000, 100, 60_000, "ms", "Time for one call of a webhook."),
        source.Int("Webhooks:EndpointsMax", 10, 1, 100, "endpoints", "Webhook endpoints of one merchant."),
        source.Int("Webhooks:OldSecretHours", 24, 0, 720, "h", "How long a rotated secret still signs too."),
        source.Int("Webhooks:DaysKept", 30, DaysKeptMin, 365, "days", "How long finished deliveries are kept."),
        source.Int("Webhooks:EndpointsCachedMs", 2_000, 0, 60_000, "ms",
            "How long endpoints are gone by that another process may have changed."));

    /// <summary>True for a port that may be called.</summary>
    public bool AllowsPort(int port) => Ports is null || Ports.Contains(port);

    private static HashSet<int>? ReadPorts(SettingsSource source)
    {
        var text = source.Text("Webhooks:Ports", "443",
            "The ports that webhooks may call, separated by commas; * for any.");
        if (text == "*")
        {
            return null;
        }

        var ports = new HashSet<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                || port is < 1 or > 65_535)
            {
                source.Refuse("Webhooks:Ports", "which is no list of ports. Write such as 443,8443, or * for any.");
                break;
            }

            ports.Add(port);
        }

        return ports;
    }
}
