namespace Floodgate.Storage.Log;

/// <summary>
/// What is in work: of each key one item, and behind it in their order those that wait for it. Thread-safe,
/// except that only one loop enters and waits.
/// </summary>
internal sealed class Lanes<TItem>
    where TItem : class
{
    // All under the gate; a key that has an item in work but none that wait has no queue.
    private readonly Lock gate = new();
    private readonly Dictionary<string, Queue<TItem>?> lanes = [];
    private TaskCompletionSource? fallen;
    private int fallTo;
    private int count;

    /// <summary>Items in work, waiting ones included.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>True when the caller must start on the item now; false when it waits behind one of its key.</summary>
    public bool Enter(string key, TItem item)
    {
        lock (gate)
        {
            count++;
            if (lanes.TryGetValue(key, out var waiting))
            {
                (lanes[key] = waiting ?? new()).Enqueue(item);
                return false;
            }

            lanes.Add(key, null);
            return true;
        }
    }

    /// <summary>The key's item in work is over. True with the next one, which the caller must start on now.</summary>
    public bool Leave(string key, out TItem? next)
    {
        TaskCompletionSource? hasFallen = null;
        lock (gate)
        {
            count--;
            if (fallen is not null && count <= fallTo)
            {
                (hasFallen, fallen) = (fallen, null);
            }

            if (lanes[key] is { Count: > 0 } waiting)
            {
                next = waiting.Dequeue();
            }
            else
            {
                next = default;
                lanes.Remove(key);
            }
        }

        hasFallen?.TrySetResult();
        return next is not null;
    }

    /// <summary>Completes when at most so many items are in work. One waits at a time.</summary>
    public Task WhenAtMostAsync(int most)
    {
        lock (gate)
        {
            if (count <= most)
            {
                return Task.CompletedTask;
            }

            fallTo = most;
            fallen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return fallen.Task;
        }
    }
}
