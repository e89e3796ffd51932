using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Floodgate.Access;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: a key opens exactly what it was made for, from its creation to its end, and cannot be read back anywhere.
// Method: the door on an empty SQLite database with a clock of the test's own; the file is searched for the key.
public sealed class ApiKeysTests : IAsyncLifetime
{
    private readonly string directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
    private readonly ManualClock clock = new();
    private Database database = null!;

    public async ValueTask InitializeAsync()
    {
        database = Database.Open(new("", directory));
        await database.MigrateAsync(AccessModule.Migrations, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await database.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task A_new_merchants_key_finds_the_merchant()
    {
        var created = await Keys().CreateMerchantAsync("Acme", "request-1", CancellationToken.None);
        Assert.Equal(CreateMerchantOutcome.Created, created.Outcome);
        Assert.Matches(new Regex("^fg_live_[A-Za-z0-9_-]{43}$"), created.Key);
        Assert.Equal(Caller.OfMerchant(created.MerchantId), await FindAsync(Keys(), created.Key!));
    }

    [Fact]
    public async Task An_operators_key_finds_an_operator() => Assert.Equal(
        Caller.Admin, await FindAsync(Keys(), await Keys().CreateAdminKeyAsync(CancellationToken.None)));

    [Fact]
    public async Task A_merchant_is_created_once_for_a_request_and_the_key_is_shown_once()
    {
        var first = await Keys().CreateMerchantAsync("Acme", "request-1", CancellationToken.None);
        var again = await Keys().CreateMerchantAsync("Acme", "request-1", CancellationToken.None);
        var other = await Keys().CreateMerchantAsync("Other", "request-1", CancellationToken.None);

        Assert.Equal(first with { Outcome = CreateMerchantOutcome.Replayed, Key = null }, again);
        Assert.Equal((CreateMerchantOutcome.KeyReused, null), (other.Outcome, other.Key));
    }

    [Fact]
    public async Task Concurrent_requests_of_one_key_create_one_merchant()
    {
        var keys = Keys();
        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
            () => keys.CreateMerchantAsync("Acme", "request-1", CancellationToken.None).AsTask())));

        Assert.Single(all, merchant => merchant.Key is not null);
        Assert.Single(all.Select(merchant => merchant.MerchantId).Distinct());
    }

    [Fact]
    public async Task Merchants_of_the_command_line_are_never_the_same()
    {
        var first = await Keys().CreateMerchantAsync("Acme", null, CancellationToken.None);
        var second = await Keys().CreateMerchantAsync("Acme", null, CancellationToken.None);
        Assert.NotEqual(first.MerchantId, second.MerchantId);
        Assert.NotNull(second.Key);
    }

    [Fact]
    public async Task Keys_are_stored_only_hashed()
    {
        var merchant = await Keys().CreateMerchantAsync("Acme", null, CancellationToken.None);
        var admin = await Keys().CreateAdminKeyAsync(CancellationToken.None);
        await database.DisposeAsync();

        var stored = Directory.GetFiles(directory).SelectMany(File.ReadAllBytes).ToArray();
        foreach (var key in new[] { merchant.Key!, admin })
        {
            Assert.Equal(-1, stored.AsSpan().IndexOf(Encoding.UTF8.GetBytes(key["fg_live_".Length..])));
            Assert.NotEqual(-1, stored.AsSpan().IndexOf(SHA256.HashData(Encoding.UTF8.GetBytes(key))));
        }
    }

    [Fact]
    public async Task A_revoked_key_ends_at_once_here_and_in_time_elsewhere()
    {
        var here = Keys();
        var elsewhere = Keys();
        var merchant = await here.CreateMerchantAsync("Acme", null, CancellationToken.None);
        var key = merchant.Key!;
        Assert.NotNull(await FindAsync(elsewhere, key));
        Assert.NotNull(await FindAsync(here, key));
        var id = Assert.Single((await ListAsync(here, merchant.MerchantId))!).Id;

        var ended = await here.RevokeAsync(id, merchant.MerchantId, CancellationToken.None);
        Assert.NotNull(ended?.RevokedAt);
        Assert.Null(await FindAsync(here, key));

        Assert.NotNull(await FindAsync(elsewhere, key));
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Null(await FindAsync(elsewhere, key));
    }

    [Fact]
    public async Task A_repeated_revocation_changes_nothing()
    {
        var keys = Keys();
        var merchant = await keys.CreateMerchantAsync("Acme", null, CancellationToken.None);
        var id = (await ListAsync(keys, merchant.MerchantId))![0].Id;
        var first = await keys.RevokeAsync(id, null, CancellationToken.None);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(first, await keys.RevokeAsync(id, merchant.MerchantId, CancellationToken.None));
        Assert.Equal([first!], await ListAsync(keys, merchant.MerchantId));
    }

    [Fact]
    public async Task Only_the_merchant_that_has_a_key_can_be_named_to_revoke_it()
    {
        var keys = Keys();
        var merchant = await keys.CreateMerchantAsync("Acme", null, CancellationToken.None);
        var other = await keys.CreateMerchantAsync("Other", null, CancellationToken.None);
        var id = (await ListAsync(keys, merchant.MerchantId))![0].Id;

        Assert.Null(await keys.RevokeAsync(id, other.MerchantId, CancellationToken.None));
        Assert.Null(await keys.RevokeAsync(id, "\0", CancellationToken.None));
        Assert.Null(await keys.RevokeAsync(Guid.Empty, null, CancellationToken.None));
        Assert.NotNull(await FindAsync(Keys(), merchant.Key!));
    }

    // Goal: a look-up that read the key before its end does not bring it back. Method: its answer comes last.
    [Fact]
    public void A_look_up_from_before_the_end_of_a_key_is_not_kept()
    {
        var cache = new KeyCache(Settings(), clock, News.Alone());
        var hash = KeyHash.Of("fg_live_key");
        var age = cache.Age;
        cache.End(hash);
        cache.Put(hash, Caller.OfMerchant("m"), age);
        Assert.True(cache.TryGet(hash, out var caller));
        Assert.Null(caller);

        cache.Put(hash, Caller.OfMerchant("m"), cache.Age);
        Assert.True(cache.TryGet(hash, out caller));
        Assert.NotNull(caller);
    }

    [Fact]
    public async Task A_further_key_is_created_once_for_a_request_and_works_beside_the_first()
    {
        var keys = Keys();
        var merchant = await keys.CreateMerchantAsync("Acme", null, CancellationToken.None);
        var other = await keys.CreateMerchantAsync("Other", null, CancellationToken.None);
        var created = await CreateKeyAsync(keys, merchant.MerchantId);
        Assert.Equal(CreateKeyOutcome.Created, created.Outcome);
        Assert.Equal(created.Secret![..12], created.Key!.Prefix);
        Assert.Equal(Caller.OfMerchant(merchant.MerchantId), await FindAsync(keys, created.Secret));
        Assert.Equal(Caller.OfMerchant(merchant.MerchantId), await FindAsync(keys, merchant.Key!));

        Assert.Equal(
            created with { Outcome = CreateKeyOutcome.Replayed, Secret = null },
            await CreateKeyAsync(keys, merchant.MerchantId));
        Assert.Equal(new(CreateKeyOutcome.KeyReused, null, null), await CreateKeyAsync(keys, other.MerchantId));
        Assert.Equal(
            new(CreateKeyOutcome.MerchantUnknown, null, null),
            await keys.CreateKeyAsync("nobody", "another", CancellationToken.None));
        Assert.Equal(2, (await ListAsync(keys, merchant.MerchantId))!.Count);
        Assert.Null(await ListAsync(keys, "nobody"));
    }

    [Fact]
    public async Task The_merchant_of_demo_mode_is_there_after_every_start_and_its_key_is_not_stored()
    {
        var keys = Keys(isDemo: true);
        await keys.CreateDemoMerchantAsync(CancellationToken.None);
        var first = await keys.FindMerchantAsync("demo", CancellationToken.None);
        clock.Advance(TimeSpan.FromSeconds(1));
        await keys.CreateDemoMerchantAsync(CancellationToken.None);

        Assert.Equal("Demo", first?.Name);
        Assert.Equal(first, await keys.FindMerchantAsync("demo", CancellationToken.None));
        Assert.Empty((await ListAsync(keys, "demo"))!);
        Assert.Null(await FindAsync(Keys(), ApiKeys.DemoMerchantKey));
    }

    [Fact]
    public async Task There_is_no_merchant_of_demo_mode_in_any_other()
    {
        await Keys().CreateDemoMerchantAsync(CancellationToken.None);
        Assert.Null(await Keys().FindMerchantAsync("demo", CancellationToken.None));
    }

    [Fact]
    public async Task An_unknown_key_is_looked_up_once_until_its_time_is_over()
    {
        var keys = Keys();
        Assert.False(keys.TryFindCached(KeyHash.Of("nobody"), out _));
        Assert.Null(await FindAsync(keys, "nobody"));
        Assert.True(keys.TryFindCached(KeyHash.Of("nobody"), out var caller));
        Assert.Null(caller);

        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.False(keys.TryFindCached(KeyHash.Of("nobody"), out _));
    }

    [Fact]
    public async Task Many_unknown_keys_never_push_out_a_known_one_nor_fill_the_memory()
    {
        var keys = Keys();
        var key = (await keys.CreateMerchantAsync("Acme", null, CancellationToken.None)).Key!;
        Assert.NotNull(await FindAsync(keys, key));
        for (var i = 0; i < 50; i++)
        {
            Assert.Null(await FindAsync(keys, $"nobody-{i}"));
        }

        Assert.True(keys.TryFindCached(KeyHash.Of(key), out _));
        var kept = Enumerable.Range(0, 50).Count(i => keys.TryFindCached(KeyHash.Of($"nobody-{i}"), out _));
        Assert.InRange(kept, 0, 10);
    }

    [Fact]
    public async Task Demo_keys_are_known_only_when_the_settings_say_so()
    {
        Assert.Equal(Caller.OfMerchant("demo"), await FindAsync(Keys(isDemo: true), ApiKeys.DemoMerchantKey));
        Assert.Equal(Caller.Admin, await FindAsync(Keys(isDemo: true), ApiKeys.DemoAdminKey));
        Assert.Null(await FindAsync(Keys(), ApiKeys.DemoMerchantKey));
        Assert.Null(await FindAsync(Keys(), ApiKeys.DemoAdminKey));
    }

    [Fact]
    public async Task A_known_key_is_found_without_allocating()
    {
        var keys = Keys();
        var key = (await keys.CreateMerchantAsync("Acme", null, CancellationToken.None)).Key!;
        await FindAsync(keys, key);
        Find(100);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Find(100);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Find(int times)
        {
            for (var i = 0; i < times; i++)
            {
                Assert.True(keys.TryFindCached(KeyHash.Of(key), out _));
            }
        }
    }

    private static ValueTask<Caller?> FindAsync(ApiKeys keys, string key) =>
        keys.FindAsync(key, CancellationToken.None);

    private static ValueTask<CreatedKey> CreateKeyAsync(ApiKeys keys, string merchantId) =>
        keys.CreateKeyAsync(merchantId, "request-1", CancellationToken.None);

    private static ValueTask<List<MerchantKey>?> ListAsync(ApiKeys keys, string merchantId) =>
        keys.ListAsync(merchantId, Guid.Empty, 10, CancellationToken.None);

    private static AccessSettings Settings(bool isDemo = false) => new(10, 30, 10, 5, isDemo);

    private ApiKeys Keys(bool isDemo = false) => new(database, Settings(isDemo), clock, new Ids(clock), News.Alone());
}
