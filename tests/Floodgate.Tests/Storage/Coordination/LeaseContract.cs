using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Storage.Coordination;

/// <summary>
/// Goal: one owner at a time, who cannot be robbed and cannot act when it is no longer the owner. Method: owners on
/// doors of their own to one database, with a clock that the test moves.
/// </summary>
public abstract class LeaseContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Skew = TimeSpan.FromMilliseconds(LeaseBook.SkewMsMax);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    private static readonly Migration Counter = new(
        "tally-001", "create table tally (value bigint not null); insert into tally (value) values (0)");

    private static readonly Statement ReadCounter = new("select t.value from tally t");
    private static readonly Statement WriteCounter = new(
        "update tally set value = rows.value from {rows} where true returning tally.value", Column.Long("value"));

    private readonly FakeClock clock = new();

    [Fact]
    public async Task Of_many_that_ask_at_once_one_gets_it()
    {
        await MigrateAsync();
        var taken = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Task.Run(
            async () => await Book().TryTakeAsync("a", $"owner-{n}", Length, CancellationToken.None))));
        Assert.Single(taken, lease => lease is not null);
    }

    [Fact]
    public async Task Another_gets_it_after_its_end_and_the_difference_of_clocks()
    {
        var book = await MigrateAsync();
        var first = await TakeAsync(book, "one");
        clock.Advance(Length + Skew - Tick);
        Assert.Null(await book.TryTakeAsync("a", "two", Length, CancellationToken.None));
        clock.Advance(Tick);
        var second = await TakeAsync(book, "two");

        Assert.True(second.Token > first.Token);
        Assert.Null(await book.RenewAsync(first, Length, CancellationToken.None));
        Assert.False(await book.ReleaseAsync(first, CancellationToken.None));
        Assert.False(await Db.WriteAsync(tx => LeaseBook.HoldsAsync(tx, first)));
        Assert.True(await Db.WriteAsync(tx => LeaseBook.HoldsAsync(tx, second)));
        Assert.Null(await book.TryTakeAsync("a", "one", Length, CancellationToken.None));
    }

    [Fact]
    public async Task A_renewed_lease_goes_on_and_keeps_its_token()
    {
        var book = await MigrateAsync();
        var lease = await TakeAsync(book, "one");
        for (var i = 0; i < 5; i++)
        {
            clock.Advance(Length - Tick);
            lease = await book.RenewAsync(lease, Length, CancellationToken.None);
            Assert.NotNull(lease);
            Assert.Null(await book.TryTakeAsync("a", "two", Length, CancellationToken.None));
        }

        Assert.Equal(1, lease!.Token);
    }

    [Fact]
    public async Task The_token_rises_with_each_taking_of_its_name_for_ever()
    {
        var book = await MigrateAsync();
        var last = 0L;
        for (var i = 0; i < 5; i++)
        {
            var lease = await TakeAsync(book, $"owner-{i % 2}");
            Assert.True(lease.Token > last);
            last = lease.Token;
            var again = await TakeAsync(book, lease.Owner); // Its answer was lost, so its owner asks again.
            Assert.True(again.Token > last);
            last = again.Token;
            Assert.False(await book.ReleaseAsync(lease, CancellationToken.None)); // The token of before is over.
            Assert.True(await book.ReleaseAsync(again, CancellationToken.None));
            Assert.False(await book.ReleaseAsync(again, CancellationToken.None));
        }

        Assert.Equal(1, (await book.TryTakeAsync("b", "one", Length, CancellationToken.None))!.Token);
    }

    [Fact]
    public async Task A_release_wakes_who_waits_in_the_same_process()
    {
        var book = await MigrateAsync();
        var lease = await TakeAsync(book, "one");
        var waiting = book.TakeAsync("a", "two", Length, TimeSpan.FromHours(1), CancellationToken.None).AsTask();
        await clock.TimerAsync(TimeSpan.FromMilliseconds(250));
        Assert.True(await book.ReleaseAsync(lease, CancellationToken.None));
        Assert.Equal("two", (await waiting)!.Owner); // The clock stands still: it was woken.
    }

    [Fact]
    public async Task A_release_of_another_node_is_found_by_asking()
    {
        var book = await MigrateAsync();
        var lease = await TakeAsync(Book(), "one");
        var waiting = book.TakeAsync("a", "two", Length, TimeSpan.FromHours(1), CancellationToken.None).AsTask();
        await clock.TimerAsync(TimeSpan.FromMilliseconds(250));
        Assert.True(await Book().ReleaseAsync(lease, CancellationToken.None));
        clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.Equal("two", (await waiting)!.Owner);
    }

    [Fact]
    public async Task Who_waits_gives_up_after_its_time()
    {
        var book = await MigrateAsync();
        await TakeAsync(book, "one");
        var waiting = book.TakeAsync(
            "a", "two", Length, TimeSpan.FromMilliseconds(600), CancellationToken.None).AsTask();
        await clock.RunUntilAsync(waiting, TimeSpan.FromMilliseconds(50));
        Assert.Null(await waiting);
    }

    // Goal: lock, transaction, commit, unlock, in this order. Method: what each adds to a counter is read in one
    // transaction and written in another, which loses additions as soon as two are between the same lock and unlock.
    [Fact]
    public async Task What_is_done_under_a_lease_is_done_by_one_at_a_time()
    {
        var book = await MigrateAsync();
        await Db.MigrateAsync([Counter], CancellationToken.None);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Task.Run(async () =>
        {
            var lease = await book.TakeAsync("a", $"owner-{n}", Length, TimeSpan.FromHours(1), CancellationToken.None);
            var value = await Db.ReadAsync(tx => tx.QueryAsync(ReadCounter, Rows.None, r => r.Long(0)));
            await Db.WriteAsync(async tx =>
            {
                Assert.True(await LeaseBook.HoldsAsync(tx, lease!));
                return await tx.QueryAsync(WriteCounter, Rows.One(value[0] + 1).Long(v => v), r => r.Long(0));
            });
            Assert.True(await book.ReleaseAsync(lease!, CancellationToken.None));
        })));
        Assert.Equal([20], await Db.ReadAsync(tx => tx.QueryAsync(ReadCounter, Rows.None, r => r.Long(0))));
    }

    private LeaseBook Book() => new(Place.Open(), new(clock), clock, News.Alone());

    private async Task<LeaseBook> MigrateAsync()
    {
        await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);
        return new(Db, new(clock), clock, News.Alone());
    }

    private static async Task<Lease> TakeAsync(LeaseBook book, string owner)
    {
        var lease = await book.TryTakeAsync("a", owner, Length, CancellationToken.None);
        Assert.NotNull(lease);
        return lease;
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class Leases_on_SQLite() : LeaseContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Leases_on_PostgreSQL(PostgreSqlServer server) : LeaseContract(server);
