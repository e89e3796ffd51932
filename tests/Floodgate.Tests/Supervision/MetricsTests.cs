using System.Diagnostics.Metrics;
using System.Net;
using Floodgate.Supervision;
using Floodgate.Tests.Access;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Supervision;

// Goal: what modules record is what a Prometheus server reads, under any tags and from many threads.
// Method: a meter of the test's own, read back through an independent parser of the format.
public sealed class MetricsTests : IDisposable
{
    private readonly Meter meter = new("Test." + Path.GetRandomFileName());
    private readonly Metrics text;

    public MetricsTests() => text = new(meter.Name, NullLogger<Metrics>.Instance);

    public void Dispose()
    {
        text.Dispose();
        meter.Dispose();
    }

    [Fact]
    public void A_counter_adds_up_by_its_tags_and_is_named_as_a_total()
    {
        var counter = meter.CreateCounter<long>("floodgate_things", null, "Things\nseen \\ heard.");
        counter.Add(2, new KeyValuePair<string, object?>("kind", "a"));
        counter.Add(3, new KeyValuePair<string, object?>("kind", "a"));
        counter.Add(1, new("kind", "b"), new("other", 7));

        var read = Scrape();
        Assert.Equal(5, read.Values["floodgate_things_total{kind=\"a\"}"]);
        Assert.Equal(1, read.Values["floodgate_things_total{kind=\"b\",other=\"7\"}"]);
        Assert.Equal(
            ("counter", "# HELP floodgate_things_total Things\\nseen \\\\ heard."),
            read.Families["floodgate_things_total"]);
    }

    [Fact]
    public void Tag_values_are_escaped_and_names_made_fit()
    {
        meter.CreateCounter<int>("some.thing").Add(1, new KeyValuePair<string, object?>("a.b", "x\"y\\z\nw"));
        Assert.Equal(1, Scrape().Values["""floodgate_some_thing_total{a_b="x\"y\\z\nw"}"""]);
    }

    [Fact]
    public void A_histogram_counts_each_measurement_into_its_bucket()
    {
        var histogram = meter.CreateHistogram<double>("floodgate_wait", "s");
        foreach (var seconds in new[] { 0.0005, 0.0006, 2.5, 31 })
        {
            histogram.Record(seconds);
        }

        var read = Scrape().Values;
        Assert.Equal(1, read["floodgate_wait_seconds_bucket{le=\"0.0005\"}"]);
        Assert.Equal(2, read["floodgate_wait_seconds_bucket{le=\"0.001\"}"]);
        Assert.Equal(3, read["floodgate_wait_seconds_bucket{le=\"2.5\"}"]);
        Assert.Equal(3, read["floodgate_wait_seconds_bucket{le=\"30\"}"]);
        Assert.Equal(4, read["floodgate_wait_seconds_bucket{le=\"+Inf\"}"]);
        Assert.Equal(4, read["floodgate_wait_seconds_count"]);
        Assert.Equal(33.5011, read["floodgate_wait_seconds_sum"], 6);
    }

    [Fact]
    public void A_histogram_takes_the_bounds_that_its_module_advises()
    {
        var advice = new InstrumentAdvice<long> { HistogramBucketBoundaries = [3, 9] };
        meter.CreateHistogram("floodgate_size", null, null, null, advice).Record(9);
        Assert.Equal(
            ["floodgate_size_bucket{le=\"3\"}", "floodgate_size_bucket{le=\"9\"}",
             "floodgate_size_bucket{le=\"+Inf\"}"],
            Scrape().Values.Keys.Where(key => key.StartsWith("floodgate_size_bucket")));
    }

    [Fact]
    public void Gauges_show_the_last_value_and_forget_tags_that_are_gone()
    {
        var open = new List<string> { "a", "b" };
        meter.CreateObservableGauge("floodgate_open", () => open.Select(
            name => new Measurement<long>(open.Count, new KeyValuePair<string, object?>("name", name))));
        var upDown = meter.CreateUpDownCounter<long>("floodgate_in_flight");
        upDown.Add(5);
        upDown.Add(-2);

        Assert.Equal(2, Scrape().Values["floodgate_open{name=\"b\"}"]);
        open.Remove("b");
        var read = Scrape();
        Assert.Equal(1, read.Values["floodgate_open{name=\"a\"}"]);
        Assert.DoesNotContain("floodgate_open{name=\"b\"}", read.Values.Keys);
        Assert.Equal(3, read.Values["floodgate_in_flight"]);
        Assert.Equal("gauge", read.Families["floodgate_in_flight"].Type);
    }

    [Fact]
    public void A_callback_that_fails_does_not_hide_the_other_metrics()
    {
        meter.CreateObservableGauge("floodgate_broken", Broken);
        meter.CreateObservableGauge<long>("floodgate_whole", () => 1);
        var read = Scrape().Values;
        Assert.Equal(1, read["floodgate_whole"]);
        Assert.DoesNotContain("floodgate_broken", read.Keys);

        static long Broken() => throw new InvalidOperationException("broken");
    }

    [Fact]
    public void Instruments_of_one_name_are_one_metric()
    {
        using var other = new Meter(meter.Name);
        meter.CreateCounter<long>("floodgate_shared").Add(1);
        other.CreateCounter<int>("floodgate_shared").Add(2);
        Assert.Equal(3, Scrape().Values["floodgate_shared_total"]);
    }

    [Fact]
    public void Nothing_is_lost_when_many_threads_record()
    {
        var counter = meter.CreateCounter<long>("floodgate_parallel");
        var histogram = meter.CreateHistogram<long>("floodgate_parallel_size");
        Parallel.For(0, 40_000, i =>
        {
            counter.Add(1, new KeyValuePair<string, object?>("k", i % 7));
            histogram.Record(i % 3);
        });

        var read = Scrape().Values;
        Assert.Equal(40_000, Enumerable.Range(0, 7).Sum(k => read[$"floodgate_parallel_total{{k=\"{k}\"}}"]));
        Assert.Equal(40_000, read["floodgate_parallel_size_count"]);
        Assert.Equal(Enumerable.Range(0, 40_000).Sum(i => i % 3), read["floodgate_parallel_size_sum"]);
    }

    [Fact]
    public void Too_many_different_tags_are_counted_and_not_kept()
    {
        var counter = meter.CreateCounter<long>("floodgate_unbounded");
        for (var i = 0; i < 1_100; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        }

        var read = Scrape().Values;
        Assert.Equal(1_000, read.Keys.Count(key => key.StartsWith("floodgate_unbounded")));
        Assert.Equal(100, read["floodgate_metrics_dropped_total"]);
    }

    [Fact]
    public void Recording_with_known_tags_does_not_allocate()
    {
        var histogram = meter.CreateHistogram<double>("floodgate_quiet", "s");
        object status = 200;
        Record(100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Record(100);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Record(int times)
        {
            for (var i = 0; i < times; i++)
            {
                histogram.Record(0.01, new("route", "/v1/payments"), new("status", status));
            }
        }
    }

    [Fact]
    public async Task The_server_tells_about_itself_and_its_requests()
    {
        await using var server = await TestServer.StartAsync();
        using var live = await server.SendAsync("GET", "/health/live", null);
        using var response = await server.SendAsync("GET", "/metrics", null);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            "text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());

        var read = Exposition.Parse(await response.Content.ReadAsStringAsync());
        Assert.True(read.Values["process_cpu_seconds_total"] > 0);
        Assert.True(read.Values["process_resident_memory_bytes"] > 1_000_000);
        Assert.True(read.Values["process_start_time_seconds"] > 1_500_000_000);
        Assert.True(read.Values["dotnet_gc_collections_total{generation=\"0\"}"] >= 0);
        Assert.True(read.Values["dotnet_gc_heap_bytes"] > 0);
        Assert.Contains("dotnet_gc_pause_seconds_total", read.Values.Keys);
        Assert.Contains("dotnet_thread_pool_queue_length", read.Values.Keys);
        Assert.True(
            read.Values["floodgate_http_request_seconds_count{route=\"/health/live\",status=\"200\"}"] >= 1);
    }

    private Exposition Scrape() => Exposition.Parse(text.Scrape());
}
