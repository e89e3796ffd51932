using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Floodgate.Access;

/// <summary>
/// Finds the first thing that is wrong with a body that the serializer refused, and says where it is and what is
/// expected there. It walks the JSON beside the same type metadata, because the serializer's own messages name
/// .NET types. It runs only for bad bodies.
/// </summary>
internal static class BodyFault
{
    /// <summary>One sentence with the JSON path, or null when nothing is wrong.</summary>
    public static string? Find(ReadOnlySpan<byte> json, JsonTypeInfo type, JsonException? error, string path)
    {
        try
        {
            if (json.IsEmpty)
            {
                return $"The body is empty. Send {Expected(type)}.";
            }

            var reader = new Utf8JsonReader(json);
            reader.Read();
            var fault = InValue(ref reader, type, path);
            while (fault is null && reader.Read())
            {
                // Only the end may follow; the reader throws when anything else does.
            }

            return fault ?? (error is null ? null : Unexplained(error, path));
        }
        catch (JsonException e)
        {
            return $"The body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1} cannot be read.";
        }
        catch (InvalidOperationException)
        {
            return "The body is not JSON: a text in it is not valid UTF-8 or has half a surrogate pair.";
        }
    }

    private static string? InValue(ref Utf8JsonReader reader, JsonTypeInfo type, string path)
    {
        var token = reader.TokenType;
        if (token == JsonTokenType.String && reader.GetString()!.Contains('\0'))
        {
            return $"{path} contains the character U+0000. Remove it.";
        }

        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object when token == JsonTokenType.StartObject:
                return InObject(ref reader, type, path);
            case JsonTypeInfoKind.Enumerable when token == JsonTokenType.StartArray:
                return InArray(ref reader, type, path);
            case JsonTypeInfoKind.None when Fits(ref reader, type.Type):
                reader.Skip();
                return null;
            case JsonTypeInfoKind.Dictionary:
                reader.Skip();
                return null;
            default:
                return $"{path} must be {Expected(type)}, not {Found(ref reader)}.";
        }
    }

    private static string? InObject(ref Utf8JsonReader reader, JsonTypeInfo type, string path)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.GetString()!;
            var property = type.Properties.FirstOrDefault(known => known.Name == name);
            if (property is null)
            {
                return $"{path} has no field \"{Shortened(name)}\". It takes {Fields(type)}.";
            }

            if (!seen.Add(name))
            {
                return $"{path}.{name} is given twice. Send it once.";
            }

            reader.Read();
            var fault = InProperty(ref reader, property, $"{path}.{name}");
            if (fault is not null)
            {
                return fault;
            }
        }

        var missing = type.Properties.FirstOrDefault(known => known.IsRequired && !seen.Contains(known.Name));
        return missing is null
            ? null
            : $"{path}.{missing.Name} is missing. It must be {Expected(TypeOf(missing))}.";
    }

    private static string? InProperty(ref Utf8JsonReader reader, JsonPropertyInfo property, string path)
    {
        var type = TypeOf(property);
        if (reader.TokenType == JsonTokenType.Null)
        {
            var takesNull = property.IsSetNullable && !IsPlainValue(property.PropertyType);
            return takesNull ? null : $"{path} must be {Expected(type)}, not null.";
        }

        if (property.CustomConverter is null)
        {
            return InValue(ref reader, type, path);
        }

        reader.Skip();
        return null;
    }

    private static string? InArray(ref Utf8JsonReader reader, JsonTypeInfo type, string path)
    {
        var element = type.Options.GetTypeInfo(type.ElementType!);
        for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
        {
            if (InValue(ref reader, element, $"{path}[{i}]") is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static bool Fits(ref Utf8JsonReader reader, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        var token = reader.TokenType;
        return
            type == typeof(string) ? token == JsonTokenType.String :
            type == typeof(bool) ? token is JsonTokenType.True or JsonTokenType.False :
            type == typeof(long) ? token == JsonTokenType.Number && reader.TryGetInt64(out _) :
            type == typeof(int) ? token == JsonTokenType.Number && reader.TryGetInt32(out _) :
            type != typeof(double) || token == JsonTokenType.Number;
    }

    // What a converter of ours throws is a sentence for the caller; what the serializer throws ends with its path.
    private static string Unexplained(JsonException error, string path)
    {
        var isOurs = !error.Message.Contains("Path:", StringComparison.Ordinal);
        var place = error.Path is ['$', ..] ? path + error.Path[1..] : path;
        return isOurs ? $"{place}: {error.Message}" : $"{place} has a value that this field does not take.";
    }

    private static string Expected(JsonTypeInfo type)
    {
        var plain = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
        return type.Kind switch
        {
            JsonTypeInfoKind.Object => $"an object with {Fields(type)}",
            JsonTypeInfoKind.Enumerable => "an array",
            _ when plain == typeof(string) => "a text",
            _ when plain == typeof(bool) => "true or false",
            _ when plain == typeof(long) => "a whole number of at most 64 bits",
            _ when plain == typeof(int) => "a whole number of at most 32 bits",
            _ when plain == typeof(double) => "a number",
            _ => "a value of this field",
        };
    }

    private static string Fields(JsonTypeInfo type) =>
        type.Properties.Count == 0 ? "no fields" : string.Join(", ", type.Properties.Select(p => p.Name));

    private static string Found(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a text",
        JsonTokenType.Number => Shortened(System.Text.Encoding.ASCII.GetString(reader.ValueSpan)),
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        _ => "null",
    };

    private static JsonTypeInfo TypeOf(JsonPropertyInfo property) =>
        property.Options.GetTypeInfo(property.PropertyType);

    private static bool IsPlainValue(Type type) => type.IsValueType && Nullable.GetUnderlyingType(type) is null;

    private static string Shortened(string text) => text.Length <= 40 ? text : $"{text[..40]}...";
}
