using System.Globalization;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Log;

namespace Floodgate.Signals.DataFeed;

/// <summary>
/// The facts for outside over HTTP, for readers without Kafka. A reader keeps its own offset for each partition; what
/// it has read it can read again, so it takes each event at least once.
/// </summary>
internal sealed class FeedHttp(EmbeddedLog log)
{
    private const int LimitDefault = 500;
    private const int LimitMax = 1_000;

    private static readonly ProblemKind OffsetAhead = new(
        409, "offset_ahead", "The offset is beyond the end of the partition.");

    // Facts only: requests carry idempotency keys of merchants and belong to their worker.
    private static readonly Topic[] Topics =
        [OrderEvents.DataPlatform, PaymentEvents.Authorized, PaymentEvents.Captured, PaymentEvents.Refunded];

    /// <summary>Registers the route.</summary>
    public void Map(Routes routes) => routes.Map("GET", "/v1/ops/feed", Who.Admin, ReadAsync);

    private async Task ReadAsync(HttpContext context, Caller caller)
    {
        if (await ReadTopicAsync(context) is not { } topic
            || await ReadNumberAsync(context, "partition", 0, 0, topic.Partitions - 1) is not { } partition
            || await ReadNumberAsync(context, "offset", 0, 0, long.MaxValue) is not { } offset
            || await ReadNumberAsync(context, "limit", LimitDefault, 1, LimitMax) is not { } limit)
        {
            return;
        }

        var page = await log.ReadAsync(topic, (int)partition, offset, (int)limit, context.RequestAborted);
        if (offset > page.EndOffset)
        {
            // Waiting there would pass over whatever comes until then.
            await Problem.WriteAsync(context, OffsetAhead,
                $"offset is {offset}, but the next event of {topic.Name}/{partition} gets {page.EndOffset}. If the "
                + "database was restored from a copy, read again from an offset of before.");
            return;
        }

        await Answer.WriteAsync(context, 200, (topic, (int)partition, offset, page), Write);
    }

    private static void Write(Utf8JsonWriter json, (Topic Topic, int Partition, long Offset, LogPage Page) it)
    {
        var events = it.Page.Events;
        json.WriteStartObject();
        json.WriteString("topic", it.Topic.Name);
        json.WriteNumber("partition", it.Partition);
        json.WriteNumber("partitions", it.Topic.Partitions);
        json.WriteStartArray("data");
        foreach (var one in events)
        {
            json.WriteStartObject();
            json.WriteNumber("offset", one.Offset);
            json.WriteString("key", one.Key);
            json.WriteString("type", one.Type);
            json.WritePropertyName("payload");
            json.WriteRawValue(one.Payload, skipInputValidation: true); // JSON that this program wrote.
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("nextOffset", events.Count == 0 ? it.Offset : events[^1].Offset + 1);
        json.WriteNumber("endOffset", it.Page.EndOffset);
        json.WriteEndObject();
    }

    private static async ValueTask<Topic?> ReadTopicAsync(HttpContext context)
    {
        var name = (string?)context.Request.Query["topic"];
        if (Array.Find(Topics, topic => topic.Name == name) is { } found)
        {
            return found;
        }

        await Problem.WriteAsync(context, Problems.InvalidParameter,
            $"topic must be one of {string.Join(", ", Topics.Select(topic => topic.Name))}.");
        return null;
    }

    private static async ValueTask<long?> ReadNumberAsync(
        HttpContext context, string name, long fallback, long min, long max)
    {
        if (!context.Request.Query.TryGetValue(name, out var text))
        {
            return fallback;
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max)
        {
            return value;
        }

        await Problem.WriteAsync(
            context, Problems.InvalidParameter, $"{name} must be a whole number from {min} to {max}.");
        return null;
    }
}
