using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Floodgate.Load.Traffic;

/// <summary>What to send where: <paramref name="Path"/> on <paramref name="Host"/>, in turn for each key.</summary>
/// <param name="Host">Host and port for the Host header.</param>
/// <param name="Path">The path of the POST.</param>
/// <param name="Keys">Merchant keys; offers are spread over them round robin.</param>
/// <param name="RunId">Eight characters that tell this run's payments from all others.</param>
/// <param name="Users">How many different users pay; 0 = every payment has its own.</param>
internal sealed record WorkloadPlan(string Host, string Path, IReadOnlyList<string> Keys, string RunId, int Users);

/// <summary>
/// The requests of a run. Everything about payment number <c>n</c> follows from <c>n</c>: the auditor can say what
/// was offered without keeping it, and a request is a copied template with a few digits patched in.
/// </summary>
internal sealed class Workload
{
    /// <summary>The currency of every offer.</summary>
    public const string Currency = "KRW";

    private const int Digits = 9;
    private const int AmountDigits = 5;
    private const long AmountLowest = 10_000;
    private const long AmountStep = 7_919;
    private const long AmountsApart = 90_000;
    private readonly WorkloadPlan plan;
    private readonly byte[][] templates;
    private readonly (int Key, int User, int Order, int Amount)[] places;

    /// <summary>Builds one template per merchant key.</summary>
    public Workload(WorkloadPlan plan)
    {
        this.plan = plan;
        templates = [.. plan.Keys.Select(Template)];
        places = [.. templates.Select(t => (
            Place(t, $"Idempotency-Key: {plan.RunId}-"),
            Place(t, "\"userId\":\"u-"),
            Place(t, $"\"orderId\":\"o-{plan.RunId}-"),
            Place(t, "{\"amount\":{\"amount\":")))];
        RequestBytesMax = templates.Max(t => t.Length);
    }

    /// <summary>A buffer of this size holds any request.</summary>
    public int RequestBytesMax { get; }

    /// <summary>The amount in minor units that offer <paramref name="number"/> asks for: 10000..99999.</summary>
    public static long AmountMinor(int number) => AmountLowest + (number * AmountStep % AmountsApart);

    /// <summary>The number of the offer with this order id; false when it is of another run.</summary>
    public bool TryNumber(string? orderId, out int number)
    {
        number = -1;
        var prefix = $"o-{plan.RunId}-";
        return orderId is not null && orderId.StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(orderId.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>Writes the request of offer <paramref name="number"/> and returns its length in bytes.</summary>
    public int Write(int number, Span<byte> buffer)
    {
        var merchant = number % templates.Length;
        var template = templates[merchant];
        template.CopyTo(buffer);
        var place = places[merchant];
        Patch(buffer.Slice(place.Key, Digits), number);
        Patch(buffer.Slice(place.User, Digits), plan.Users > 0 ? number % plan.Users : number);
        Patch(buffer.Slice(place.Order, Digits), number);
        Patch(buffer.Slice(place.Amount, AmountDigits), AmountMinor(number));
        return template.Length;
    }

    /// <summary>
    /// The id in a payment's JSON; false when there is none. It looks for the first <c>"id"</c>: reading the whole
    /// document would cost the load tool more than sending the request.
    /// </summary>
    public static bool TryReadId(ReadOnlySpan<byte> body, out Guid id)
    {
        var at = body.IndexOf("\"id\":\""u8);
        id = default;
        return at >= 0 && Utf8Parser.TryParse(body[(at + 6)..], out id, out _);
    }

    private byte[] Template(string key)
    {
        var zeros = new string('0', Digits);
        var body = "{\"amount\":{\"amount\":" + new string('0', AmountDigits) + ",\"currency\":\"" + Currency
            + "\"},\"userId\":\"u-" + zeros + "\",\"orderId\":\"o-" + plan.RunId + "-" + zeros
            + "\",\"method\":\"GATEWAY\",\"capture\":true}";
        return Encoding.ASCII.GetBytes(
            $"POST {plan.Path} HTTP/1.1\r\nHost: {plan.Host}\r\nAuthorization: Bearer {key}\r\n"
            + $"Idempotency-Key: {plan.RunId}-{zeros}\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {body.Length}\r\n\r\n{body}");
    }

    private static int Place(byte[] template, string before)
    {
        var bytes = Encoding.ASCII.GetBytes(before);
        return template.AsSpan().IndexOf(bytes) + bytes.Length;
    }

    private static void Patch(Span<byte> digits, long value)
    {
        for (var i = digits.Length - 1; i >= 0; i--)
        {
            (value, var digit) = Math.DivRem(value, 10);
            digits[i] = (byte)('0' + digit);
        }
    }
}
