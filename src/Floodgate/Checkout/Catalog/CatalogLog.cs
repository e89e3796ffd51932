using System.Diagnostics.Metrics;

namespace Floodgate.Checkout.Catalog;

/// <summary>What the catalogue counts. The hit rate is hits over hits and loads.</summary>
internal static class CatalogLog
{
    private static readonly Meter Meter = new("Floodgate");

    private static readonly Counter<long> Hits = Meter.CreateCounter<long>(
        "floodgate_catalog_cache_hits_total", null, "Answers of the catalogue given from memory.");

    private static readonly Counter<long> Loads = Meter.CreateCounter<long>(
        "floodgate_catalog_cache_loads_total", null, "Answers of the catalogue read from the database.");

    public static void Hit() => Hits.Add(1);

    public static void Loaded() => Loads.Add(1);
}
