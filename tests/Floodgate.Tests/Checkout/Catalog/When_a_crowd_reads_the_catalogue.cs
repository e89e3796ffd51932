using Floodgate.Checkout.Catalog;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Access;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Tests.Storage;
using Floodgate.Vocabulary;
using Npgsql;
using Xunit;

namespace Floodgate.Tests.Checkout.Catalog;

// Goal: the memory serves nearly all readers, nobody sees what is older than the bound, and a database that is slow or
// away is asked once and not by each. Method: the cache over the real catalogue on both databases, with a clock that
// the test moves; then the server with its line to PostgreSQL cut.
public sealed class When_a_crowd_reads_the_catalogue(PostgreSqlServer postgreSql)
{
    private const int Products = 50;
    private static readonly SaleTerms Terms = new(null, "Drop", Currency.FromStored("KRW"), 0, 1);

    // Goal: a hit rate of 85 % (C3), and the bound also where every eviction is lost (C4). Method: a minute of 1,000
    // reads a second, most of them of the sale's page, by four readers at once; each second a change on this node, and
    // one on another node, of which nobody here is told. A read may not show a version that was replaced longer ago
    // than the bound, and after a change on this node not even the one before.
    [Theory, OnBothDatabases]
    public async Task Nearly_all_are_served_from_memory_and_nobody_sees_what_is_older_than_the_bound(Stored stored)
    {
        const int reads = 60_000;
        await using var stage = await StartAsync(stored);
        var (settings, clock) = (new CatalogSettings(), new ManualClock());
        var cache = new AnswerCache(settings, clock, SharedAnswers.None());
        stage.Here.Changed += _ => cache.Evict();
        var committed = new List<(double AtMs, long Version)> { (0, 1) };
        var (stale, wrong) = (0, new List<string>());
        var product = stage.ProductIds[0];
        for (var second = 0; second < reads / 1_000; second++)
        {
            foreach (var (book, isHere) in new[] { (stage.Elsewhere, false), (stage.Here, true) })
            {
                await ChangeAsync(book, product, committed[^1].Version);
                committed.Add((NowMs(), committed[^1].Version + 1));
                if (isHere)
                {
                    Assert.Equal(committed[^1].Version, await ReadAsync(0)); // Evicted at once.
                }

                var at = second;
                await Task.WhenAll(Enumerable.Range(0, 4).Select(reader => Task.Run(async () =>
                {
                    var chance = new Random(HashCode.Combine(at, reader, isHere)); // tidy: chance: a fixed seed.
                    for (var i = 0; i < 125; i++)
                    {
                        var page = chance.Next(10) < 8 ? 0 : 1 + chance.Next(Products - 1);
                        await CheckAsync(page);
                    }
                })));
                clock.Advance(TimeSpan.FromMilliseconds(500));
            }
        }

        var (hits, loads) = cache.Counts;
        Assert.Empty(wrong);
        Assert.True(hits >= 0.85 * (hits + loads), $"{hits} hits and {loads} loads are less than 85 %.");
        Assert.True(stale > 0, "No read was old, so this test could not fail.");

        double NowMs() => clock.GetTimestamp() / (double)TimeSpan.TicksPerMillisecond;

        async Task<long> ReadAsync(int n)
        {
            var key = new AnswerKey(AnswerKind.Product, stage.ProductIds[n]);
            var answer = await cache.GetAsync(key, k => LoadAsync(stage.Here, k));
            return BitConverter.ToInt64(answer!);
        }

        async Task CheckAsync(int n)
        {
            var boundMs = NowMs() - settings.StaleMsMax;
            var seen = await ReadAsync(n);
            if (n == 0)
            {
                Interlocked.Add(ref stale, seen < committed[^1].Version ? 1 : 0);
                var oldest = committed.FindLast(change => change.AtMs <= boundMs);
                if (seen < oldest.Version)
                {
                    lock (wrong)
                    {
                        wrong.Add($"version {seen} at {NowMs()} ms, replaced at {oldest.AtMs} ms");
                    }
                }
            }
        }
    }

    // Goal: a lost eviction is over at the bound. Method: the change on another node only; the clock goes to a
    // millisecond before the bound, then to it. A read at the bound waits for the database and has the new version.
    [Theory, OnBothDatabases]
    public async Task A_lost_eviction_is_over_at_the_bound(Stored stored)
    {
        await using var stage = await StartAsync(stored);
        var (settings, clock) = (new CatalogSettings(FreshMs: 2_000, StaleMsMax: 2_000), new ManualClock());
        var cache = new AnswerCache(settings, clock, SharedAnswers.None());
        Assert.Equal(1, await ReadAsync());
        await ChangeAsync(stage.Elsewhere, stage.ProductIds[0], 1);
        clock.Advance(TimeSpan.FromMilliseconds(settings.StaleMsMax - 1));
        Assert.Equal(1, await ReadAsync());
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(2, await ReadAsync());

        async Task<long> ReadAsync() => BitConverter.ToInt64((await cache.GetAsync(
            new(AnswerKind.Product, stage.ProductIds[0]), key => LoadAsync(stage.Here, key)))!);
    }

    // Goal: a crowd before a database that hangs and then fails takes one connection for each answer that it asks for,
    // all are told, and the next crowd is served. Method: 2,000 readers of two products; reads are held, then fail.
    [Theory, OnBothDatabases]
    public async Task A_load_that_hangs_and_fails_is_one_for_all_who_wait(Stored stored)
    {
        await using var stage = await StartAsync(stored);
        var cache = new AnswerCache(new CatalogSettings(), new ManualClock(), SharedAnswers.None());
        var (under, reads) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0);
        stage.Database.BeforeRead = async () =>
        {
            Interlocked.Increment(ref reads);
            await under.Task;
            throw new DatabaseUnavailableException("Away.");
        };
        var crowd = AskAll();
        await Eventually.HoldsAsync(
            () => Task.FromResult(Volatile.Read(ref reads) == 2), () => $"{reads} reads of 2 have begun");
        Assert.DoesNotContain(crowd, asked => asked.IsCompleted);
        under.SetResult();
        foreach (var asked in crowd)
        {
            await Assert.ThrowsAsync<DatabaseUnavailableException>(() => asked);
        }

        Assert.Equal(2, reads);
        stage.Database.BeforeRead = () =>
        {
            Interlocked.Increment(ref reads);
            return Task.CompletedTask;
        };
        Assert.All(await Task.WhenAll(AskAll()), answer => Assert.Equal(1, BitConverter.ToInt64(answer!)));
        Assert.Equal(4, reads);

        List<Task<byte[]?>> AskAll() =>
        [
            .. Enumerable.Range(0, 2_000).Select(i => cache.GetAsync(
                new(AnswerKind.Product, stage.ProductIds[i % 2]), key => LoadAsync(stage.Here, key)).AsTask()),
        ];
    }

    // Goal: one load for all who ask at once, also for whoever looked before it ended and asks for one after. Method:
    // an answer that is too old; the clock stops one reader between the two while another has it loaded.
    [Fact]
    public async Task An_answer_that_came_since_the_look_is_not_loaded_again()
    {
        var (settings, clock, loads) = (new CatalogSettings(), new ManualClock(), 0);
        var cache = new AnswerCache(settings, clock, SharedAnswers.None());
        await ReadAsync();
        clock.Advance(TimeSpan.FromMilliseconds(settings.StaleMsMax));
        clock.BeforeTimestamp = () =>
        {
            clock.BeforeTimestamp = null;
            Task.Run(ReadAsync).GetAwaiter().GetResult(); // tidy: blocking: in a call that cannot wait otherwise.
        };
        await ReadAsync();
        Assert.Null(clock.BeforeTimestamp);
        Assert.Equal(2, loads);

        Task ReadAsync() => cache.GetAsync(new(AnswerKind.Product, Guid.Empty), _ =>
        {
            Interlocked.Increment(ref loads);
            return Task.FromResult<byte[]?>([1]);
        }).AsTask();
    }

    // Goal: readers get 503 with Retry-After while PostgreSQL is away and the bound is over, the pool is not used up,
    // and it heals by itself. Method: the real server; its line is cut under a crowd.
    [Fact]
    public async Task A_crowd_without_a_database_is_told_and_leaves_the_pool_alone()
    {
        var text = new NpgsqlConnectionStringBuilder(await postgreSql.CreateDatabaseAsync());
        await using var wire = new CutWire(text.Port);
        text.Port = wire.Port;
        await using var server = await PaymentServer.StartAsync(
            Stored.InSqlite, postgreSql, $"Database:ConnectionString={text.ConnectionString}",
            "Catalog:FreshMs=10", "Catalog:StaleMsMax=100", "RateLimits:Address:CatalogueReadsPerMinute=off");
        var shop = await server.OpenShopAsync();
        var sale = (await shop.SendAsync(
            "POST", "/v1/sales",
            """{"name":"S","currency":"KRW","opensAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z"}""",
            "Idempotency-Key: s")).Expect(201).Id;
        var path = $"/v1/sales/{sale}";
        (await shop.GetAsync(path)).Expect(200);

        wire.Cut();
        await Eventually.HoldsAsync(
            async () => (await shop.GetAsync(path)).Status == 503, () => "the bound is over");
        var cache = (AnswerCache)server.Services.GetService(typeof(AnswerCache))!;
        var database = (Database)server.Services.GetService(typeof(Database))!;
        var before = cache.Counts;
        var crowd = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => shop.GetAsync(path)));
        Assert.All(crowd, reply => reply.Refuses(503, "unavailable"));
        Assert.All(crowd, reply => Assert.NotNull(reply.Headers.RetryAfter));
        Assert.Equal(before.Hits, cache.Counts.Hits);
        Assert.True(cache.Counts.Loads - before.Loads <= 200, "No more loads than readers.");
        Assert.InRange(database.OpenConnections, 0, 30);

        wire.Mend();
        await Eventually.HoldsAsync(
            async () => (await shop.GetAsync(path)).Status == 200, () => "readers are served again");
    }

    private static async Task<byte[]?> LoadAsync(CatalogBook book, AnswerKey key) =>
        BitConverter.GetBytes((await book.FindAsync(key.Id, CancellationToken.None))!.Version);

    private static async Task ChangeAsync(CatalogBook book, Guid id, long version)
    {
        var terms = new ProductTerms($"Version {version + 1}", [new("standard", 500)], null, "standard");
        var changed = await book.UpdateAsync(new(null), id, version, terms, CancellationToken.None);
        Assert.Equal(CatalogOutcome.Done, changed.Outcome);
    }

    private async Task<Stage> StartAsync(Stored stored)
    {
        var place = new DataPlace(stored == Stored.InPostgreSql ? postgreSql : null);
        await place.CreateAsync();
        var database = new FlakyDatabase(place.Open());
        await database.MigrateAsync(CatalogModule.Migrations, CancellationToken.None);
        var ids = new Ids(TimeProvider.System);
        CatalogBook Book() => new(database, ids, SharedAnswers.None(), News.Alone());
        var stage = new Stage(place, database, Book(), Book());
        var sale = (await stage.Here.CreateAsync(Terms, new("o", "s", "h"), CancellationToken.None)).Sale!;
        for (var i = 0; i < Products; i++)
        {
            var made = await stage.Here.CreateAsync(
                new(null),
                new(sale.Id, "m", new("Version 1", [new("standard", 500)], null, "standard"), 10, []),
                new("o", $"{i}", "h"),
                CancellationToken.None);
            stage.ProductIds.Add(made.Product!.Id);
        }

        return stage;
    }

    /// <summary>A catalogue with the door of this node and of another, whose changes nobody here is told of.</summary>
    private sealed record Stage(DataPlace Place, FlakyDatabase Database, CatalogBook Here, CatalogBook Elsewhere)
        : IAsyncDisposable
    {
        public List<Guid> ProductIds { get; } = [];

        public ValueTask DisposeAsync() => Place.DisposeAsync();
    }
}
