using System.Net;
using System.Security.Cryptography;
using System.Text;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Storage;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Access;

/// <summary>
/// Goal: a session lives exactly as long as its user and our limits say, on every node, whatever is sent at once.
/// Method: the doors on an empty database with a clock of the test's own; a node is a second door to the same database.
/// </summary>
public abstract class SessionContract : IAsyncLifetime
{
    private const string Password = "correct horse battery";

    private static readonly IdentitySettings Normal = new() { PasswordRounds = 10_000 };
    private static readonly IPAddress Home = IPAddress.Parse("192.0.2.1");

    private readonly FakeClock clock = new();
    private readonly DataPlace place;
    private Database database = null!;

    private protected SessionContract(PostgreSqlServer? server) => place = new(server);

    public async ValueTask InitializeAsync()
    {
        await place.CreateAsync();
        database = place.Open();
        await database.MigrateAsync(
            [.. AccessModule.Migrations, .. IdentityModule.Migrations], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await place.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_buyer_signs_up_once_for_an_email_in_any_case()
    {
        var users = Users();
        var created = await users.SignUpAsync("Ada@Example.com", Password, Home, CancellationToken.None);
        Assert.Equal((CreateUserOutcome.Created, Role.Buyer), (created.Outcome, created.User!.Role));
        Assert.Equal("ada@example.com", created.User.Email);
        Assert.Equal(created.User, await users.GetAsync(created.User.Id, CancellationToken.None));

        var again = await users.SignUpAsync("aDA@example.COM", Password, Home, CancellationToken.None);
        Assert.Equal(new CreatedUser(CreateUserOutcome.EmailTaken), again);
    }

    [Fact]
    public async Task Concurrent_sign_ups_of_one_email_create_one_user()
    {
        var users = Users();
        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
            () => users.SignUpAsync("ada@example.com", Password, Home, CancellationToken.None).AsTask())));
        Assert.Single(all, created => created.Outcome == CreateUserOutcome.Created);
        Assert.Equal(19, all.Count(created => created.Outcome == CreateUserOutcome.EmailTaken));
    }

    [Fact]
    public async Task A_merchants_user_belongs_to_a_merchant_that_exists()
    {
        var users = Users();
        var unknown = await users.CreateAsync("a@b", Password, Role.Merchant, "nobody", CancellationToken.None);
        Assert.Equal(CreateUserOutcome.MerchantUnknown, unknown.Outcome);

        var merchant = await new ApiKeys(database, new(10, 30, 10, 5, false), clock, new(clock), News.Alone())
            .CreateMerchantAsync("Acme", null, CancellationToken.None);
        var created = await users.CreateAsync(
            "a@b", Password, Role.Merchant, merchant.MerchantId, CancellationToken.None);
        var node = await NodeAsync();
        var caller = await node.FindAsync((await LiveAsync(node, "a@b")).Access, CancellationToken.None);
        Assert.Equal((Role.Merchant, merchant.MerchantId), (caller!.Role, caller.MerchantId));
        Assert.Equal(created.User!.Id, caller.UserId);
    }

    [Fact]
    public async Task An_access_token_stands_for_its_user_on_every_node_until_its_time_is_over()
    {
        var (here, elsewhere) = (await NodeAsync(), await NodeAsync());
        var user = await SignUpAsync();
        var tokens = await LiveAsync(here);
        foreach (var node in new[] { here, elsewhere })
        {
            var caller = await FindAsync(node, tokens.Access);
            Assert.Equal((Role.Buyer, null, user.Id), (caller!.Role, caller.MerchantId, caller.UserId));
        }

        clock.Advance(Normal.AccessLife + Normal.ClockSkew - TimeSpan.FromSeconds(1));
        Assert.NotNull(await FindAsync(here, tokens.Access));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await FindAsync(here, tokens.Access));
        Assert.Null(await FindAsync(elsewhere, tokens.Access));
    }

    [Fact]
    public async Task A_session_that_ended_is_over_at_once_here_and_in_time_elsewhere()
    {
        var (here, elsewhere) = (await NodeAsync(), await NodeAsync());
        await SignUpAsync();
        var tokens = await LiveAsync(here);
        var caller = await FindAsync(here, tokens.Access);
        Assert.NotNull(await FindAsync(elsewhere, tokens.Access));

        await here.EndAsync(caller!.SessionId!.Value, CancellationToken.None);
        Assert.Null(await FindAsync(here, tokens.Access));
        Assert.NotNull(await FindAsync(elsewhere, tokens.Access));
        clock.Advance(Normal.SessionCached);
        Assert.Null(await FindAsync(elsewhere, tokens.Access));
        Assert.Equal(SessionOutcome.SessionEnded, await RefreshAsync(elsewhere, tokens.Refresh));
    }

    [Fact]
    public async Task A_session_that_is_asked_for_each_time_ends_at_once_everywhere()
    {
        var strict = Normal with { SessionCached = TimeSpan.Zero };
        var (here, elsewhere) = (await NodeAsync(strict), await NodeAsync(strict));
        await SignUpAsync();
        var tokens = await LiveAsync(here);
        var caller = await FindAsync(elsewhere, tokens.Access);
        await here.EndAsync(caller!.SessionId!.Value, CancellationToken.None);
        Assert.Null(await FindAsync(elsewhere, tokens.Access));
    }

    [Fact]
    public async Task A_refresh_token_is_used_once_and_its_successor_goes_on()
    {
        var node = await NodeAsync();
        await SignUpAsync();
        var tokens = await LiveAsync(node);
        for (var i = 0; i < 5; i++)
        {
            clock.Advance(TimeSpan.FromMinutes(20));
            var next = (await node.RefreshAsync(tokens.Refresh, CancellationToken.None)).Tokens!;
            Assert.NotEqual(tokens.Refresh, next.Refresh);
            Assert.NotNull(await FindAsync(node, next.Access));
            tokens = next;
        }
    }

    [Fact]
    public async Task A_refresh_token_used_again_later_ends_the_whole_session()
    {
        var (here, elsewhere) = (await NodeAsync(), await NodeAsync());
        await SignUpAsync();
        var stolen = await LiveAsync(here);
        var other = await LiveAsync(here);
        var next = (await here.RefreshAsync(stolen.Refresh, CancellationToken.None)).Tokens!;

        clock.Advance(Normal.RefreshGrace);
        Assert.Equal(SessionOutcome.TokenReused, await RefreshAsync(elsewhere, stolen.Refresh));
        Assert.Null(await FindAsync(elsewhere, next.Access));
        Assert.Equal(SessionOutcome.SessionEnded, await RefreshAsync(here, next.Refresh));
        Assert.Equal(SessionOutcome.Live, await RefreshAsync(here, other.Refresh));
    }

    [Fact]
    public async Task A_lost_answer_is_given_again_until_it_was_used()
    {
        var (here, elsewhere) = (await NodeAsync(), await NodeAsync());
        await SignUpAsync();
        var tokens = await LiveAsync(here);
        var first = (await here.RefreshAsync(tokens.Refresh, CancellationToken.None)).Tokens!;
        clock.Advance(Normal.RefreshGrace - TimeSpan.FromMilliseconds(1));
        var again = (await elsewhere.RefreshAsync(tokens.Refresh, CancellationToken.None)).Tokens!;
        Assert.Equal((first.Refresh, first.RefreshExpiresMs), (again.Refresh, again.RefreshExpiresMs));

        Assert.Equal(SessionOutcome.Live, await RefreshAsync(here, again.Refresh));
        Assert.Equal(SessionOutcome.TokenReused, await RefreshAsync(here, tokens.Refresh));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task Of_concurrent_refreshes_exactly_one_rotates(int graceSeconds)
    {
        var settings = Normal with { RefreshGrace = TimeSpan.FromSeconds(graceSeconds) };
        var nodes = new[] { await NodeAsync(settings), await NodeAsync(settings) };
        await SignUpAsync();
        for (var round = 0; round < 10; round++)
        {
            var tokens = await LiveAsync(nodes[0]);
            var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(
                () => nodes[i % 2].RefreshAsync(tokens.Refresh, CancellationToken.None).AsTask())));
            var live = all.Where(answer => answer.Outcome == SessionOutcome.Live).ToList();
            Assert.Equal(graceSeconds == 0 ? 1 : 8, live.Count);
            Assert.Single(live.Select(answer => answer.Tokens!.Refresh).Distinct());

            // Without grace the others were strangers with an old token, so the winner's session is over too.
            var next = await RefreshAsync(nodes[0], live[0].Tokens!.Refresh);
            Assert.Equal(graceSeconds == 0 ? SessionOutcome.SessionEnded : SessionOutcome.Live, next);
        }
    }

    [Fact]
    public async Task An_unused_session_ends_with_its_refresh_token()
    {
        var node = await NodeAsync(Normal with { RefreshLife = TimeSpan.FromMinutes(1) });
        await SignUpAsync();
        var tokens = await LiveAsync(node);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(SessionOutcome.TokenExpired, await RefreshAsync(node, tokens.Refresh));
        Assert.Null(await FindAsync(node, tokens.Access));

        await LiveAsync(node); // Deletes what is too old.
        Assert.Equal(SessionOutcome.TokenUnknown, await RefreshAsync(node, tokens.Refresh));
    }

    // Goal: sessions of users who never come back do not stay for ever, and none that lives goes. Method: more expired
    // ones than a page, of several users, and one that is younger by less than the margin; the worker's own clock.
    [Fact]
    public async Task Expired_sessions_of_all_users_are_swept_in_pages()
    {
        var node = await NodeAsync(Normal with { RefreshLife = TimeSpan.FromDays(1) });
        var old = new List<SessionTokens>();
        foreach (var email in new[] { "ada@example.com", "bob@example.com", "eve@example.com" })
        {
            await Users().SignUpAsync(email, Password, Home, CancellationToken.None);
            old.Add(await LiveAsync(node, email));
            old.Add(await LiveAsync(node, email));
        }

        clock.Advance(TimeSpan.FromHours(1));
        var young = await LiveAsync(node, "bob@example.com");
        clock.Advance(TimeSpan.FromDays(1) - TimeSpan.FromMilliseconds(1));
        Assert.False(await node.SweepAsync(2, CancellationToken.None)); // A millisecond before the first are due.
        clock.Advance(TimeSpan.FromMilliseconds(1));
        var pages = 0;
        while (await node.SweepAsync(2, CancellationToken.None))
        {
            Assert.InRange(++pages, 1, 3);
        }

        Assert.InRange(pages, 2, 3);
        Assert.All(
            await Task.WhenAll(old.Select(tokens => RefreshAsync(node, tokens.Refresh))),
            outcome => Assert.Equal(SessionOutcome.TokenUnknown, outcome));
        Assert.Equal(SessionOutcome.TokenExpired, await RefreshAsync(node, young.Refresh)); // Known, so still there.
    }

    [Fact]
    public async Task One_session_too_many_ends_the_oldest()
    {
        var node = await NodeAsync(Normal with { SessionsPerUserMax = 2 });
        await SignUpAsync();
        var all = new List<SessionTokens>();
        for (var i = 0; i < 3; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            all.Add(await LiveAsync(node));
            Assert.NotNull(await FindAsync(node, all[i].Access));
        }

        Assert.Null(await FindAsync(node, all[0].Access));
        Assert.NotNull(await FindAsync(node, all[1].Access));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nobody")]
    [InlineData("fg_rt_0000000000000000000000000000000000000000000")]
    [InlineData("fg_rt_\ud83d\ude00")]
    public async Task A_text_that_is_no_refresh_token_is_refused(string text)
    {
        var node = await NodeAsync();
        Assert.Equal(SessionOutcome.TokenUnknown, await RefreshAsync(node, text));
        Assert.Equal(SessionOutcome.TokenUnknown, await RefreshAsync(node, text + new string('x', 10_000)));
    }

    [Fact]
    public async Task A_wrong_password_and_an_unknown_email_are_refused_alike()
    {
        var node = await NodeAsync();
        await SignUpAsync();
        var wrong = await node.LogInAsync("ada@example.com", "wrong password", Home, CancellationToken.None);
        var unknown = await node.LogInAsync("bob@example.com", Password, Home, CancellationToken.None);
        Assert.Equal(new SessionAnswer(SessionOutcome.WrongPassword), wrong);
        Assert.Equal(wrong, unknown);
    }

    [Fact]
    public async Task Too_many_failures_make_the_account_wait_and_a_success_starts_anew()
    {
        var node = await NodeAsync(Normal with { AccountFailuresMax = 3 });
        await SignUpAsync();
        Assert.Equal("WrongPassword WrongPassword Live", await TryAsync("no", "no", Password));
        Assert.Equal("WrongPassword WrongPassword WrongPassword", await TryAsync("no", "no", "no"));

        var waits = await node.LogInAsync("ADA@example.com", Password, Home, CancellationToken.None);
        Assert.Equal(new SessionAnswer(SessionOutcome.Throttled, RetryAfter: Normal.ThrottleFirst), waits);
        clock.Advance(Normal.ThrottleFirst);
        Assert.Equal("Live", await TryAsync(Password));

        async Task<string> TryAsync(params string[] passwords)
        {
            var outcomes = new List<SessionOutcome>();
            foreach (var password in passwords)
            {
                var answer = await node.LogInAsync("ada@example.com", password, Home, CancellationToken.None);
                outcomes.Add(answer.Outcome);
            }

            return string.Join(' ', outcomes);
        }
    }

    [Fact]
    public async Task A_hash_with_fewer_rounds_is_made_again_at_the_next_log_in()
    {
        await SignUpAsync();
        var before = await HashAsync();
        await LiveAsync(await NodeAsync());
        Assert.Equal(before, await HashAsync());
        await LiveAsync(await NodeAsync(Normal with { PasswordRounds = 20_000 }));
        var after = await HashAsync();
        Assert.NotEqual(before, after);
        await LiveAsync(await NodeAsync(Normal with { PasswordRounds = 20_000 }));
        Assert.Equal(after, await HashAsync());

        async Task<string> HashAsync() =>
            (await database.ReadAsync(tx => IdentitySql.FindUserAsync(tx, "ada@example.com")))!.Value.PasswordHash;
    }

    [Fact]
    public async Task Nodes_without_a_key_of_their_own_share_one_that_outlives_them()
    {
        await SignUpAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => NodeAsync())));
        var tokens = await LiveAsync(nodes[0]);
        foreach (var node in nodes)
        {
            Assert.NotNull(await FindAsync(node, tokens.Access));
        }

        Assert.NotNull(await FindAsync(await NodeAsync(), tokens.Access));
    }

    [Fact]
    public async Task A_key_is_changed_without_a_refusal()
    {
        var (old, fresh) = (RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(32));
        await SignUpAsync();
        var before = await NodeAsync(Normal with { SigningKey = old });
        var ready = await NodeAsync(Normal with { SigningKey = old, PreviousSigningKey = fresh });
        var changed = await NodeAsync(Normal with { SigningKey = fresh, PreviousSigningKey = old });
        var after = await NodeAsync(Normal with { SigningKey = fresh });
        var (first, second) = ((await LiveAsync(ready)).Access, (await LiveAsync(changed)).Access);

        Assert.NotNull(await FindAsync(before, first));
        Assert.NotNull(await FindAsync(changed, first));
        Assert.NotNull(await FindAsync(ready, second));
        Assert.NotNull(await FindAsync(after, second));
        Assert.Null(await FindAsync(after, first));
        Assert.Null(await FindAsync(before, second));
    }

    private protected async Task<string[]> SecretsAsync()
    {
        var node = await NodeAsync();
        await SignUpAsync();
        var tokens = await LiveAsync(node);
        var next = (await node.RefreshAsync(tokens.Refresh, CancellationToken.None)).Tokens!;
        return [tokens.Refresh, next.Refresh, Password];
    }

    private protected async Task<byte[]> StoredAsync()
    {
        await database.DisposeAsync();
        return [.. Directory.GetFiles(place.Settings.Directory).SelectMany(File.ReadAllBytes)];
    }

    private static ValueTask<Caller?> FindAsync(SessionBook node, string token) =>
        node.FindAsync(token, CancellationToken.None);

    private static async Task<SessionOutcome> RefreshAsync(SessionBook node, string token) =>
        (await node.RefreshAsync(token, CancellationToken.None)).Outcome;

    private static async Task<SessionTokens> LiveAsync(SessionBook node, string email = "ada@example.com")
    {
        var answer = await node.LogInAsync(email, Password, Home, CancellationToken.None);
        Assert.Equal(SessionOutcome.Live, answer.Outcome);
        return answer.Tokens!;
    }

    private async Task<User> SignUpAsync() =>
        (await Users().SignUpAsync("ada@example.com", Password, Home, CancellationToken.None)).User!;

    private UserBook Users() => new(database, new(Normal), new(Normal, News.Alone(), clock), clock, new(clock));

    private async Task<SessionBook> NodeAsync(IdentitySettings? settings = null)
    {
        var own = settings ?? Normal;
        var node = new SessionBook(
            database, new(own), new(own, News.Alone(), clock), own, clock, new Ids(clock), News.Alone(),
            NullLogger<SessionBook>.Instance);
        await node.LoadKeyAsync(CancellationToken.None);
        return node;
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class Sessions_on_SQLite() : SessionContract(null)
{
    [Fact]
    public async Task Neither_passwords_nor_refresh_tokens_can_be_read_from_the_file()
    {
        var secrets = await SecretsAsync();
        var stored = await StoredAsync();
        Assert.All(secrets, secret => Assert.Equal(-1, stored.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret[6..]))));
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(secrets[1]));
        Assert.NotEqual(-1, stored.AsSpan().IndexOf(hash));
    }
}

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Sessions_on_PostgreSQL(PostgreSqlServer server) : SessionContract(server);
