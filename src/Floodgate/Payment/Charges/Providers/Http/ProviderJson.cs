using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers.Http;

/// <summary>The JSON that a provider over HTTP and its client exchange, read and written without reflection.</summary>
internal static class ProviderJson
{
    private static readonly string[] Kinds = ["AUTHORIZE", "CHARGE", "CAPTURE", "VOID", "REFUND"];

    /// <summary>Asked for with <c>Prefer</c> (RFC 7240): the answer in the two headers below and no body.</summary>
    public const string ReturnMinimal = "return=minimal";

    /// <summary>APPROVED or DECLINED, in an answer without body.</summary>
    public const string StatusHeader = "charge-status";

    /// <summary>Why declined, in an answer without body.</summary>
    public const string ReasonHeader = "charge-reason";

    /// <summary>A call as the body of POST /charges.</summary>
    public static ReadOnlyMemory<byte> WriteCall(ProviderCall call)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        WriteCallFields(json, call);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    /// <summary>A line as GET /charges/{id} and statements show it.</summary>
    public static void WriteLine(Utf8JsonWriter json, ProviderLine line)
    {
        json.WriteStartObject();
        WriteCallFields(json, line.Call);
        json.WriteString("status"u8, StatusOf(line.Declined == DeclineReason.None));
        if (line.Declined != DeclineReason.None)
        {
            json.WriteString("reason"u8, ProviderLine.CodeOf(line.Declined));
        }

        json.WriteString("at"u8, line.At.ToString());
        json.WriteEndObject();
    }

    /// <summary>The word for a line's outcome.</summary>
    public static string StatusOf(bool approved) => approved ? "APPROVED" : "DECLINED";

    /// <summary>A page of a statement: <c>{"data":[line...],"has_more":bool}</c>.</summary>
    public static void WriteStatement(Utf8JsonWriter json, List<ProviderLine> lines, bool hasMore) =>
        Answer.WritePage(json, lines, hasMore, WriteLine);

    /// <summary>
    /// The verdict in the answer to a call or a question by id; Unknown <c>broken_answer</c> when it says anything
    /// but APPROVED or DECLINED.
    /// </summary>
    public static ProviderAnswer ReadAnswer(ReadOnlySpan<byte> body) =>
        AnswerOf(TopLevelText(body, "status"u8), TopLevelText(body, "reason"u8));

    /// <summary>The verdict that a status and reason stand for, as <see cref="ReadAnswer"/> describes.</summary>
    public static ProviderAnswer AnswerOf(string? status, string? reason) => status switch
    {
        "APPROVED" => new ProviderAnswer(ProviderVerdict.Approved),
        "DECLINED" => new ProviderAnswer(ProviderVerdict.Declined, reason ?? "declined"),
        _ => new ProviderAnswer(ProviderVerdict.Unknown, "broken_answer"),
    };

    /// <summary>The stable code of a problem+json body; null when there is none.</summary>
    public static string? ReadCode(ReadOnlySpan<byte> body) => TopLevelText(body, "code"u8);

    /// <summary>The call in the body of POST /charges, strictly; otherwise what is wrong with it.</summary>
    public static (ProviderCall? Call, string Problem) ReadCall(ReadOnlySpan<byte> body)
    {
        try
        {
            var fields = ReadFields(body);
            return fields.Problem is { } problem ? (null, problem) : fields.ToCall();
        }
        catch (JsonException broken)
        {
            return (null, $"The body must be JSON; it breaks off at line {broken.LineNumber + 1}, " +
                $"byte {broken.BytePositionInLine + 1}.");
        }
    }

    private static void WriteCallFields(Utf8JsonWriter json, ProviderCall call)
    {
        json.WriteString("id"u8, call.Id);
        json.WriteString("paymentId"u8, call.PaymentId);
        json.WriteString("kind"u8, Kinds[(int)call.Action]);
        json.WriteStartObject("amount"u8);
        json.WriteNumber("amount"u8, call.Amount.AmountMinor);
        json.WriteString("currency"u8, call.Amount.Currency.Code);
        json.WriteEndObject();
    }

    private static string? TopLevelText(ReadOnlySpan<byte> body, ReadOnlySpan<byte> name)
    {
        try
        {
            var json = new Utf8JsonReader(body);
            while (json.Read())
            {
                if (json is { TokenType: JsonTokenType.PropertyName, CurrentDepth: 1 } && json.ValueTextEquals(name))
                {
                    json.Read();
                    return json.TokenType == JsonTokenType.String ? json.GetString() : null;
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            // Text that is not Unicode.
            return null;
        }

        return null;
    }

    private static CallFields ReadFields(ReadOnlySpan<byte> body)
    {
        var json = new Utf8JsonReader(body);
        var fields = new CallFields();
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
        {
            fields.Problem = "The body must be a JSON object with id, paymentId, kind and amount.";
        }
        else
        {
            ReadObject(ref json, ref fields, inAmount: false);
            // Bytes behind the object make this throw.
            _ = fields.Problem is null && json.Read();
        }

        return fields;
    }

    private static void ReadObject(ref Utf8JsonReader json, ref CallFields fields, bool inAmount)
    {
        while (fields.Problem is null && json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var field = inAmount ? FieldOfAmount(json) : FieldOfCall(json);
            if (field == Field.None || (fields.Seen & field) != 0)
            {
                fields.Problem = $"Field '{Encoding.UTF8.GetString(json.ValueSpan)}' is unknown or repeated; " +
                    "known are id, paymentId, kind, amount.amount and amount.currency.";
                return;
            }

            fields.Seen |= field;
            json.Read();
            ReadValue(ref json, ref fields, field);
        }
    }

    private static Field FieldOfAmount(Utf8JsonReader json) => json.ValueTextEquals("amount"u8) ? Field.AmountMinor
        : json.ValueTextEquals("currency"u8) ? Field.Currency
        : Field.None;

    private static Field FieldOfCall(Utf8JsonReader json) => json.ValueTextEquals("id"u8) ? Field.Id
        : json.ValueTextEquals("paymentId"u8) ? Field.PaymentId
        : json.ValueTextEquals("kind"u8) ? Field.Kind
        : json.ValueTextEquals("amount"u8) ? Field.Amount
        : Field.None;

    private static void ReadValue(ref Utf8JsonReader json, ref CallFields fields, Field field)
    {
        switch (field)
        {
            case Field.Id when IsGuid(json, out fields.Id):
            case Field.PaymentId when IsGuid(json, out fields.PaymentId):
            case Field.Kind when IsText(json) && (fields.Kind = KindOf(json)) >= 0:
            case Field.AmountMinor when json.TokenType == JsonTokenType.Number
                && json.TryGetInt64(out fields.AmountMinor)
                && fields.AmountMinor is >= 0 and <= Money.AmountMinorMax:
            case Field.Currency when IsText(json)
                && Currency.TryParse(Encoding.UTF8.GetString(json.ValueSpan), out fields.Currency):
                return;
            case Field.Amount when json.TokenType == JsonTokenType.StartObject:
                ReadObject(ref json, ref fields, inAmount: true);
                return;
            default:
                fields.Problem = ProblemOf(field);
                return;
        }
    }

    private static bool IsText(Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.String && !json.ValueIsEscaped;

    private static bool IsGuid(Utf8JsonReader json, out Guid id)
    {
        id = default;
        return IsText(json) && Utf8Parser.TryParse(json.ValueSpan, out id, out var used)
            && used == json.ValueSpan.Length;
    }

    private static int KindOf(Utf8JsonReader json)
    {
        for (var kind = 0; kind < Kinds.Length; kind++)
        {
            if (json.ValueTextEquals(Kinds[kind]))
            {
                return kind;
            }
        }

        return -1;
    }

    private static string ProblemOf(Field field) => field switch
    {
        Field.Id => "id must be a UUID as text.",
        Field.PaymentId => "paymentId must be a UUID as text.",
        Field.Kind => $"kind must be one of {string.Join(", ", Kinds)}.",
        Field.AmountMinor => string.Create(
            CultureInfo.InvariantCulture, $"amount.amount must be a whole number from 0 to {Money.AmountMinorMax}."),
        Field.Currency => "amount.currency must be a code of ISO 4217 in capitals.",
        _ => "amount must be an object with amount and currency.",
    };

    [Flags]
    private enum Field
    {
        None = 0,
        Id = 1,
        PaymentId = 2,
        Kind = 4,
        AmountMinor = 8,
        Currency = 16,
        Amount = 32,
    }

    private struct CallFields
    {
        public Field Seen;
        public string? Problem;
        public Guid Id;
        public Guid PaymentId;
        public int Kind;
        public long AmountMinor;
        public Currency Currency;

        public readonly (ProviderCall? Call, string Problem) ToCall()
        {
            foreach (var field in (ReadOnlySpan<Field>)
                [Field.Id, Field.PaymentId, Field.Kind, Field.Amount, Field.AmountMinor, Field.Currency])
            {
                if ((Seen & field) == 0)
                {
                    return (null, "Missing: " + ProblemOf(field));
                }
            }

            var amount = new Money(AmountMinor, Currency);
            return (new ProviderCall(Id, PaymentId, (ProviderAction)Kind, amount), "");
        }
    }
}
