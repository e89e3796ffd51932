using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>
/// What nodes tell each other so that nobody has to poll: something has changed, forget it, look again. Only ever a
/// hint: a message may be lost while Redis is away, come twice and in any order, so whoever listens also bounds how
/// long it does without. Told after the commit. A process that is alone tells nobody and misses nothing.
/// </summary>
public sealed class News
{
    private const int NodeBytes = 8;
    private const int TopicBytesMax = 255;
    private const int IdBytes = 16;

    // Set once.
    private readonly Redis? redis;
    private readonly byte[] node;

    // Filled while the program is put together, read by messages.
    private readonly ConcurrentDictionary<string, Action<ReadOnlyMemory<byte>>> listeners = new();

    internal News(Redis? redis, Ids ids)
    {
        this.redis = redis;
        node = ids.NextSecret().ToByteArray(bigEndian: true)[^NodeBytes..];
        if (redis is not null)
        {
            redis.Heard += Hear;
            redis.Returned += () => Missed?.Invoke();
        }
    }

    private News() => node = new byte[NodeBytes];

    /// <summary>The news of a process that is alone: commands, and the embedded profile.</summary>
    public static News Alone() => new();

    /// <summary>True when other processes may change the same things, and tell.</summary>
    public bool IsShared => redis is not null;

    /// <summary>
    /// True while what others tell may not arrive: nothing that is only remembered is to be trusted then for longer
    /// than its own bound.
    /// </summary>
    public bool IsDeaf => redis is { IsAway: true };

    /// <summary>Something may have been missed: forget what others may have changed. Told when it is over.</summary>
    public event Action? Missed;

    /// <summary>Hears what other nodes tell about a topic; one listener for each. It may not wait.</summary>
    public void Listen(string topic, Action<ReadOnlyMemory<byte>> hear) =>
        Invariant.Check(listeners.TryAdd(topic, hear), $"one listener hears the news of {topic}");

    /// <summary>Hears ids that other nodes tell about a topic.</summary>
    public void ListenIds(string topic, Action<IReadOnlyList<Guid>> hear) => Listen(topic, body => hear(IdsIn(body)));

    /// <summary>Tells all other nodes, behind; nothing happens when nobody can be told.</summary>
    public void Tell(string topic, ReadOnlySpan<byte> body = default)
    {
        if (redis is not null)
        {
            _ = redis.SendAsync(Message(topic, body)).AsTask(); // Away: whoever listens has missed it and knows.
        }
    }

    /// <summary>Tells ids.</summary>
    public void TellIds(string topic, IReadOnlyCollection<Guid> ids)
    {
        if (redis is not null && ids.Count > 0)
        {
            Tell(topic, BytesOf(ids));
        }
    }

    /// <summary>As <see cref="Tell"/>, and waits until Redis has it; false when it is away.</summary>
    public ValueTask<bool> TellAsync(string topic, ReadOnlySpan<byte> body) =>
        redis is null ? new(true) : redis.SendAsync(Message(topic, body));

    /// <summary>Ids as a message has them.</summary>
    public static byte[] BytesOf(IReadOnlyCollection<Guid> ids)
    {
        var bytes = new byte[ids.Count * IdBytes];
        foreach (var (n, id) in ids.Index())
        {
            MemoryMarshal.Write(bytes.AsSpan(n * IdBytes), id);
        }

        return bytes;
    }

    /// <summary>The ids of a message.</summary>
    public static IReadOnlyList<Guid> IdsIn(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.Cast<byte, Guid>(body.Span).ToArray();

    private byte[] Message(string topic, ReadOnlySpan<byte> body)
    {
        Invariant.Check(topic.Length is > 0 and <= TopicBytesMax, "a topic has a short name");
        return [.. node, (byte)topic.Length, .. Encoding.ASCII.GetBytes(topic), .. body];
    }

    private void Hear(ReadOnlyMemory<byte> message)
    {
        if (message.Length <= NodeBytes || message.Span[..NodeBytes].SequenceEqual(node))
        {
            return; // Our own.
        }

        var (length, rest) = (message.Span[NodeBytes], message[(NodeBytes + 1)..]);
        if (rest.Length >= length
            && listeners.TryGetValue(Encoding.ASCII.GetString(rest.Span[..length]), out var hear))
        {
            hear(rest[length..]);
        }
    }
}
