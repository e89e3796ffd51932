using System.Security.Cryptography;
using System.Text;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: only what this installation signed, whole and in time, is a token. Method: tokens made by hand, so that each
// differs from a good one in one thing.
public sealed class AccessTokensTests
{
    private const string Header = """{"alg":"HS256","typ":"JWT"}""";

    private static readonly IdentitySettings Settings = new();
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);
    private static readonly User Ada = new(Guid.Parse("01900000-0000-7000-8000-000000000001"), "a@b", Role.Buyer, null);
    private static readonly Guid Session = Guid.Parse("01900000-0000-7000-8000-000000000002");

    private readonly FakeClock clock = new();

    private long Now => clock.GetUtcNow().ToUnixTimeSeconds();

    [Fact]
    public void A_token_stands_for_the_user_and_session_it_was_issued_for()
    {
        Assert.Equal(Caller.OfUser(Ada, Session), Read(Issue()));
        var seller = Ada with { Role = Role.Merchant, MerchantId = "m-1" };
        Assert.Equal(Caller.OfUser(seller, Session), Read(Tokens(Key).Issue(seller, Session, Guid.Empty)));
    }

    [Fact]
    public void A_token_made_by_hand_is_taken_as_the_others_here_are_refused() =>
        Assert.Equal(Caller.OfUser(Ada, Session), Read(Signed(Header, Payload())));

    [Theory]
    [InlineData("""{"alg":"none","typ":"JWT"}""")]
    [InlineData("""{"alg":"None","typ":"JWT"}""")]
    [InlineData("""{"alg":"HS512","typ":"JWT"}""")]
    [InlineData("""{"alg":"hs256","typ":"JWT"}""")]
    [InlineData("""{"alg":"RS256","typ":"JWT"}""")]
    [InlineData("""{"alg":"HS256","typ":"at+jwt"}""")]
    [InlineData("""{"alg":"HS256","typ":"JWT","enc":"A128CBC-HS256"}x""")]
    [InlineData("""{"typ":"JWT"}""")]
    [InlineData("[]")]
    [InlineData("")]
    public void Another_header_is_refused(string header)
    {
        Assert.Null(Read(Signed(header, Payload())));
        Assert.Null(Read($"{Encoded(header)}.{Encoded(Payload())}."));
    }

    [Theory]
    [InlineData("iss", "\"other\"")]
    [InlineData("iss", "null")]
    [InlineData("aud", "\"other\"")]
    [InlineData("aud", "[]")]
    [InlineData("exp", "null")]
    [InlineData("exp", "\"soon\"")]
    [InlineData("exp", "1e300")]
    [InlineData("exp", "-1")]
    [InlineData("nbf", "99999999999999999999")]
    [InlineData("role", "\"root\"")]
    [InlineData("role", "\"Admin\"")]
    [InlineData("role", "\"merchant\"")]
    [InlineData("role", "[\"admin\",\"buyer\"]")]
    [InlineData("role", "null")]
    [InlineData("merchant", "\"m-1\"")]
    [InlineData("sub", "\"ada\"")]
    [InlineData("sub", "1")]
    [InlineData("sid", "null")]
    public void Another_claim_is_refused(string claim, string value) =>
        Assert.Null(Read(Signed(Header, Payload((claim, value)))));

    [Fact]
    public void Another_key_is_refused() =>
        Assert.Null(Tokens(RandomNumberGenerator.GetBytes(32)).Read(Issue()));

    [Fact]
    public void Another_algorithm_is_refused_also_with_our_key()
    {
        var text = $"{Encoded(Header.Replace("HS256", "HS512"))}.{Encoded(Payload())}";
        Assert.Null(Read($"{text}.{Base64(HMACSHA512.HashData(Key, Encoding.ASCII.GetBytes(text)))}"));
    }

    // Goal: not one bit of a token can be changed. Method: every character of one, replaced by its neighbours.
    [Fact]
    public void A_token_with_another_character_is_refused()
    {
        var token = Issue();
        const string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for (var i = 0; i < token.Length - 1; i++)
        {
            var at = letters.IndexOf(token[i]);
            var other = letters[(at + 1) % letters.Length];
            Assert.Null(Read($"{token[..i]}{other}{token[(i + 1)..]}"));
        }
    }

    [Fact]
    public void The_parts_of_two_tokens_cannot_be_mixed()
    {
        var (mine, theirs) = (Issue().Split('.'), Tokens(Key).Issue(Ada, Guid.Empty, Guid.Empty).Split('.'));
        Assert.Null(Read($"{mine[0]}.{theirs[1]}.{mine[2]}"));
        Assert.Null(Read($"{mine[0]}.{mine[1]}."));
        Assert.Null(Read($"{mine[0]}.{mine[1]}"));
        Assert.Null(Read($"{mine[0]}.{mine[1]}.{mine[2]}.{mine[2]}.{mine[2]}"));
        Assert.Null(Read($" {mine[0]}.{mine[1]}.{mine[2]}"));
    }

    // Goal: no text of a stranger is more than refused. Method: random bytes and brackets between two dots.
    [Fact]
    public void Rubbish_is_refused()
    {
        var random = new Random(7);
        for (var i = 0; i < 2_000; i++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            Assert.Null(Read($"{Encoded(Header)}.{Base64(bytes)}.{Base64(bytes)}"));
            Assert.Null(Read($"{Base64(bytes)}.{Base64(bytes)}.{Base64(bytes)}"));
        }

        foreach (var deep in new[] { 10, 100, 400, 100_000 })
        {
            Assert.Null(Read($"{Encoded(new string('[', deep))}.{Encoded("{}")}.AAAA"));
            Assert.Null(Read($"{Encoded(Header)}.{Encoded($"{{\"a\":{new string('[', deep)}")}.AAAA"));
        }

        Assert.Null(Read(".."));
        Assert.Null(Read("..."));
    }

    [Theory]
    [InlineData(-6, false)]
    [InlineData(-5, true)]
    [InlineData(0, true)]
    [InlineData(904, true)]
    [InlineData(905, false)]
    public void Clocks_may_differ_by_the_skew_and_no_more(int secondsLater, bool isTaken)
    {
        var token = Signed(Header, Payload(("nbf", $"{Now - secondsLater}"), ("exp", $"{Now - secondsLater + 900}")));
        Assert.Equal(isTaken, Read(token) is not null);
    }

    [Fact]
    public void A_token_is_checked_once_and_known_without_allocating_until_its_time_is_over()
    {
        var (tokens, token) = (Tokens(Key), Issue());
        Assert.False(tokens.TryFindKnown(token, out _));
        var caller = tokens.Read(token);
        Find(100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Find(100);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        Assert.False(tokens.TryFindKnown($"{token[..^2]}AA", out _));
        clock.Advance(Settings.AccessLife + Settings.ClockSkew);
        Assert.False(tokens.TryFindKnown(token, out _));

        void Find(int times)
        {
            for (var i = 0; i < times; i++)
            {
                Assert.True(tokens.TryFindKnown(token, out var known) && ReferenceEquals(caller, known));
            }
        }
    }

    [Fact]
    public void Many_tokens_never_fill_the_memory()
    {
        var tokens = new AccessTokens(Key, new() { SessionsCachedMax = 10 }, clock);
        var all = Enumerable.Range(0, 25).Select(i => tokens.Issue(Ada, Session, new(i, 0, 0, new byte[8]))).ToList();
        Assert.All(all, token => Assert.NotNull(tokens.Read(token)));
        Assert.InRange(all.Count(token => tokens.TryFindKnown(token, out _)), 1, 10);
    }

    private string Issue() => Tokens(Key).Issue(Ada, Session, Guid.Empty);

    private Caller? Read(string token) => Tokens(Key).Read(token);

    private AccessTokens Tokens(byte[] key) => new(key, Settings, clock);

    private string Payload(params (string Claim, string Value)[] others)
    {
        var claims = new Dictionary<string, string>
        {
            ["iss"] = "\"floodgate\"", ["aud"] = "\"floodgate\"", ["role"] = "\"buyer\"",
            ["sub"] = $"\"{Ada.Id}\"", ["sid"] = $"\"{Session}\"", ["nbf"] = $"{Now}", ["exp"] = $"{Now + 900}",
        };
        foreach (var (claim, value) in others)
        {
            claims[claim] = value;
        }

        return $"{{{string.Join(',', claims.Select(claim => $"\"{claim.Key}\":{claim.Value}"))}}}";
    }

    private static string Signed(string header, string payload)
    {
        var text = $"{Encoded(header)}.{Encoded(payload)}";
        return $"{text}.{Base64(HMACSHA256.HashData(Key, Encoding.ASCII.GetBytes(text)))}";
    }

    private static string Encoded(string text) => Base64(Encoding.UTF8.GetBytes(text));

    private static string Base64(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
