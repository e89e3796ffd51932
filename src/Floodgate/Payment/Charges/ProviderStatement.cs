using System.Text.Json;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>One line of the gateway's own record.</summary>
/// <param name="Id">The id of the call: of a payment, or of its operation.</param>
/// <param name="Kind"><c>AUTHORIZE</c>, <c>CHARGE</c>, <c>CAPTURE</c>, <c>VOID</c> or <c>REFUND</c>.</param>
/// <param name="Amount">How much.</param>
/// <param name="IsApproved">False when it was declined, and moved nothing.</param>
/// <param name="At">When the gateway decided.</param>
public sealed record StatementLine(Guid Id, string Kind, Money Amount, bool IsApproved, UtcInstant At);

/// <summary>A page of the gateway's record, in the order of recording.</summary>
public sealed record StatementPage(IReadOnlyList<StatementLine> Lines, bool HasMore);

/// <summary>The door for reconciliation: what the gateway says it has done.</summary>
public sealed class ProviderStatement
{
    private readonly ProviderGates gates;

    internal ProviderStatement(ProviderGates gates) => this.gates = gates;

    /// <summary>True when the gateway is another process, which anybody may ask.</summary>
    public bool IsRemote => gates.Remote is not null;

    /// <summary>
    /// Lines behind the one of this id, or from the first; null when the gateway cannot be asked, or does not know that
    /// line any more.
    /// </summary>
    public async ValueTask<StatementPage?> ReadAsync(Guid? after, int limit, CancellationToken cancel)
    {
        if (gates.Remote is { } remote)
        {
            return await remote.ReadStatementAsync(after, limit, cancel) is { } json ? Parse(json) : null;
        }

        return gates.Simulated?.Book.Statement(after, limit) is { } page
            ? new StatementPage(
                [
                    .. page.Lines.Select(line => new StatementLine(
                        line.Call.Id,
                        line.Call.Action.ToString().ToUpperInvariant(),
                        line.Call.Amount,
                        line.Answer.Verdict == ProviderVerdict.Approved,
                        line.At)),
                ],
                page.HasMore)
            : null;
    }

    private static StatementPage? Parse(byte[] json)
    {
        try
        {
            using var page = JsonDocument.Parse(json);
            return new StatementPage(
                [.. page.RootElement.GetProperty("data").EnumerateArray().Select(ParseLine)],
                page.RootElement.GetProperty("has_more").GetBoolean());
        }
        catch (Exception error) when (
            error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null; // An answer that is no statement is no answer.
        }
    }

    private static StatementLine ParseLine(JsonElement line)
    {
        var amount = line.GetProperty("amount");
        var code = amount.GetProperty("currency").GetString();
        return Currency.TryParse(code, out var currency)
            ? new(
                line.GetProperty("id").GetGuid(),
                line.GetProperty("kind").GetString()!,
                new Money(amount.GetProperty("amount").GetInt64(), currency),
                line.GetProperty("status").GetString() == ProviderJson.StatusOf(approved: true),
                new UtcInstant(line.GetProperty("at").GetDateTimeOffset().ToUnixTimeMilliseconds()))
            : throw new FormatException($"{code} is no currency.");
    }
}
