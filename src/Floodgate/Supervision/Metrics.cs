using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Floodgate.Access;

namespace Floodgate.Supervision;

/// <summary>
/// Listens to every instrument of the meter <c>Floodgate</c> from the moment it is made and serves the values, with
/// those of the process and the runtime, at <c>GET /metrics</c> as Prometheus text.
/// </summary>
internal sealed class Metrics : IDisposable
{
    /// <summary>The meter that all modules share by name.</summary>
    public const string MeterName = "Floodgate";

    private readonly MeterListener listener = new();
    private readonly SortedDictionary<string, Metric> metrics = new(StringComparer.Ordinal);
    private readonly Lock growing = new(); // Guards metrics: instruments come from any thread, once each.
    private readonly Lock scraping = new(); // One scrape at a time: it marks which observed tags are current.
    private readonly ILogger<Metrics> logger;

    /// <summary>Starts to listen.</summary>
    public Metrics(ILogger<Metrics> logger)
        : this(MeterName, logger)
    {
    }

    internal Metrics(string meterName, ILogger<Metrics> logger)
    {
        this.logger = logger;
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == meterName)
            {
                self.EnableMeasurementEvents(instrument, Share(instrument));
            }
        };
        listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Metric)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Metric)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Metric)state!).Record(value, tags));
        listener.Start();
    }

    /// <summary>Registers the route.</summary>
    public void Map(Routes routes) => routes.Map("GET", "/metrics", Who.Public, async (context, _) =>
    {
        var text = Encoding.UTF8.GetBytes(Scrape());
        context.Response.ContentType = MetricText.ContentType;
        context.Response.ContentLength = text.Length;
        await context.Response.Body.WriteAsync(text, context.RequestAborted);
    });

    /// <summary>All values now.</summary>
    public string Scrape()
    {
        var text = new StringBuilder(8_192);
        lock (scraping)
        {
            Metric[] all;
            lock (growing)
            {
                all = [.. metrics.Values];
            }

            Observe(all);
            foreach (var metric in all)
            {
                MetricText.All(text, metric);
            }

            Write(text, "floodgate_metrics_dropped_total", "counter",
                "Measurements lost because a metric has too many different tags.", all.Sum(metric => metric.Dropped));
        }

        WriteProcess(text);
        WriteRuntime(text);
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => listener.Dispose();

    private Metric Share(Instrument instrument)
    {
        var metric = new Metric(instrument);
        lock (growing)
        {
            return metrics.TryGetValue(metric.Name, out var shared) ? shared : metrics[metric.Name] = metric;
        }
    }

    private void Observe(Metric[] all)
    {
        foreach (var metric in all.Where(metric => metric.IsObservable))
        {
            metric.Expire();
        }

        try
        {
            listener.RecordObservableInstruments();
        }
        catch (AggregateException error)
        {
            // One module's callback failed; its values are left out and all others are served.
            SupervisionLog.ObservationFailed(logger, error);
        }
    }

    private static void WriteProcess(StringBuilder text)
    {
        using var process = Process.GetCurrentProcess();
        var startedAt = new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0;
        Write(text, "process_cpu_seconds_total", "counter", "Processor time, user and system.",
            Environment.CpuUsage.TotalTime.TotalSeconds);
        Write(text, "process_resident_memory_bytes", "gauge", "Memory in RAM.", process.WorkingSet64);
        Write(text, "process_start_time_seconds", "gauge", "Start, seconds since the Unix epoch.", startedAt);
        Write(text, "process_threads", "gauge", "Threads of the operating system.", process.Threads.Count);
    }

    private static void WriteRuntime(StringBuilder text)
    {
        Write(text, "dotnet_gc_pause_seconds_total", "counter", "Time that garbage collection held all threads.",
            GC.GetTotalPauseDuration().TotalSeconds);
        Write(text, "dotnet_gc_heap_bytes", "gauge", "Managed memory in use.", GC.GetTotalMemory(false));
        Write(text, "dotnet_gc_committed_bytes", "gauge", "Managed memory taken from the system.",
            GC.GetGCMemoryInfo().TotalCommittedBytes);
        Write(text, "dotnet_gc_allocated_bytes_total", "counter", "Managed memory allocated since the start.",
            GC.GetTotalAllocatedBytes());
        MetricText.Head(text, "dotnet_gc_collections_total", "counter", "Garbage collections.");
        for (var generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            MetricText.Value(
                text, "dotnet_gc_collections_total", $"generation=\"{generation}\"", GC.CollectionCount(generation));
        }

        Write(text, "dotnet_thread_pool_threads", "gauge", "Threads of the pool.", ThreadPool.ThreadCount);
        Write(text, "dotnet_thread_pool_queue_length", "gauge", "Work that waits for a thread of the pool.",
            ThreadPool.PendingWorkItemCount);
        Write(text, "dotnet_lock_contentions_total", "counter", "Times that a lock was held by another thread.",
            Monitor.LockContentionCount);
    }

    private static void Write(StringBuilder text, string name, string type, string help, double value)
    {
        MetricText.Head(text, name, type, help);
        MetricText.Value(text, name, "", value);
    }
}
