using System.Collections.Concurrent;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Access;

/// <summary>
/// Tells those who wait, on every node, that something has changed. Only a hint: waiters read it again, and also once a
/// second, so a change that nobody told is seen too.
/// </summary>
public sealed class ChangeWatch
{
    private const string Topic = "changed";

    private static readonly TimeSpan SafetyNet = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time;
    private readonly News news;
    private readonly ConcurrentDictionary<Guid, Signal> signals = new();

    /// <summary>Listens to what other nodes change.</summary>
    public ChangeWatch(TimeProvider time, News news)
    {
        (this.time, this.news) = (time, news);
        news.ListenIds(Topic, Ring);
    }

    /// <summary>Starts to listen; do it before reading the thing, or a change in between is missed.</summary>
    public Listener Listen(Guid id)
    {
        while (true)
        {
            var signal = signals.GetOrAdd(id, static _ => new Signal());
            lock (signal)
            {
                if (!signal.IsClosed)
                {
                    signal.Listeners++;
                    return new Listener(this, id, signal);
                }
            }
        }
    }

    /// <summary>Wakes the listeners of these ids.</summary>
    public void Changed(IReadOnlyCollection<Guid> ids)
    {
        Ring(ids);
        news.TellIds(Topic, ids);
    }

    private void Ring(IReadOnlyCollection<Guid> ids)
    {
        if (signals.IsEmpty)
        {
            return;
        }

        foreach (var id in ids)
        {
            if (signals.TryGetValue(id, out var signal))
            {
                signal.Set();
            }
        }
    }

    /// <summary>One who waits; disposing ends it.</summary>
    public sealed class Listener : IDisposable
    {
        private readonly ChangeWatch watch;
        private readonly Guid id;
        private readonly Signal signal;
        private Task next;

        internal Listener(ChangeWatch watch, Guid id, Signal signal)
        {
            this.watch = watch;
            this.id = id;
            this.signal = signal;
            next = signal.Next;
        }

        /// <summary>Waits for a change since the last wait, at most a second.</summary>
        public async Task WaitAsync(CancellationToken cancel)
        {
            try
            {
                await next.WaitAsync(SafetyNet, watch.time, cancel);
            }
            catch (TimeoutException)
            {
                // The safety net: the caller reads again.
            }

            next = signal.Next;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            lock (signal)
            {
                signal.Listeners--;
                if (signal.Listeners == 0)
                {
                    signal.IsClosed = true;
                    watch.signals.TryRemove(id, out _);
                }
            }
        }
    }

    internal sealed class Signal
    {
        private volatile TaskCompletionSource source = New();

        // Under the lock on this signal.
        public int Listeners { get; set; }

        public bool IsClosed { get; set; }

        public Task Next => source.Task;

        public void Set()
        {
            var old = source;
            source = New();
            old.TrySetResult();
        }

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
