using System.Text;

namespace Floodgate.Storage.Log;

/// <summary>A topic: an ordered log in partitions; a key's events are all in one partition.</summary>
/// <param name="Number">Names the topic in stored rows; unique and never reused.</param>
/// <param name="Name">The name outside.</param>
/// <param name="Partitions">How many; changing it later would break the order of keys, so it is refused.</param>
/// <param name="RetentionDays">Events older than this are deleted once every group has read them.</param>
public sealed record Topic(int Number, string Name, int Partitions, int RetentionDays)
{
    internal const int PartitionsMax = 1_000;

    /// <summary>The partition of a key: FNV-1a over its UTF-8 bytes, the same in every process and version.</summary>
    public int PartitionOf(string key)
    {
        Span<byte> bytes = stackalloc byte[Math.Min(Encoding.UTF8.GetMaxByteCount(key.Length), 1_024)];
        var text = Encoding.UTF8.GetMaxByteCount(key.Length) <= bytes.Length
            ? bytes[..Encoding.UTF8.GetBytes(key, bytes)]
            : Encoding.UTF8.GetBytes(key);
        var hash = 2_166_136_261u;
        foreach (var b in text)
        {
            hash = unchecked((hash ^ b) * 16_777_619u);
        }

        return (int)(hash % (uint)Partitions);
    }

    internal long PartitionId(int partition) => (Number * (long)PartitionsMax) + partition;
}

/// <summary>An event to be appended.</summary>
/// <param name="Topic">Where to.</param>
/// <param name="Key">Decides the partition and so the order.</param>
/// <param name="Type">The schema's name and version: <c>payment.requested/1</c>.</param>
/// <param name="Payload">JSON.</param>
public readonly record struct NewEvent(Topic Topic, string Key, string Type, string Payload);

/// <summary>An event as it stands in the log.</summary>
public sealed record LoggedEvent(
    Topic Topic, int Partition, long Offset, string Key, string Type, string Payload)
{
    /// <summary>
    /// True when another member of the group may have had it in work: it was in the log before this one got the
    /// partition. Not known of the table's reader, whose group has one member.
    /// </summary>
    public bool MayBeRepeated { get; init; }

    internal long PartitionId => Topic.PartitionId(Partition);

    /// <summary>Which assignment of the partition it was read in.</summary>
    internal int Turn { get; init; }
}

/// <summary>A stretch of a partition, and the offset that its next event will get.</summary>
public sealed record LogPage(IReadOnlyList<LoggedEvent> Events, long EndOffset);

/// <summary>The first offset of a partition that a group has not finished.</summary>
public readonly record struct GroupOffset(Topic Topic, int Partition, long NextOffset);

/// <summary>Events of a topic that a group has not committed.</summary>
public readonly record struct TopicLag(string Group, string Topic, long Lag);

/// <summary>Thrown by a parser for an event that no retry can mend; it becomes a dead letter at once.</summary>
public sealed class BadEventException(string message) : Exception(message);
