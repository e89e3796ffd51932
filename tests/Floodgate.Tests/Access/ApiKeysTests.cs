using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Floodgate.Access;
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
        var key = (await here.CreateMerchantAsync("Acme", null, CancellationToken.None)).Key!;
        Assert.NotNull(await FindAsync(elsewhere, key));

        Assert.True(await here.RevokeAsync(key, CancellationToken.None));
        Assert.False(await here.RevokeAsync(key, CancellationToken.None));
        Assert.Null(await FindAsync(here, key));

        Assert.NotNull(await FindAsync(elsewhere, key));
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Null(await FindAsync(elsewhere, key));
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

    private ApiKeys Keys(bool isDemo = false) =>
        new(database, new AccessSettings(10, 30, 10, 5, isDemo), clock, new Ids(clock));
}
