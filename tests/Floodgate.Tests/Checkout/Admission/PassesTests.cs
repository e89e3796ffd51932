using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: a pass is good for its sale, its buyer and its time, and for nothing else. Method: passes of a known key and a
// clock that stands still; every bit of one is changed once.
public sealed class PassesTests
{
    private static readonly Buyer Ann = new(Buyer.Platform, "ann");

    private readonly FakeClock clock = new();
    private readonly Passes passes;
    private readonly Guid ticket = Guid.Parse("0198c0de-0000-7000-8000-000000000001");
    private readonly Guid sale = Guid.Parse("0198c0de-0000-7000-8000-000000000002");

    public PassesTests() => passes = new([.. Enumerable.Range(0, Passes.KeyBytes).Select(i => (byte)i)], clock);

    private string Pass => passes.Of(ticket, sale, Ann.ToString(), UtcInstant.Now(clock).Ms + 60_000);

    [Fact]
    public void It_is_checked_in_the_order_of_its_verdicts()
    {
        var pass = Pass;
        Assert.Equal(new CheckedPass(PassVerdict.Good, ticket), passes.Check(pass, sale, Ann));
        Assert.Equal(PassVerdict.Required, passes.Check(null, sale, Ann).Verdict);
        Assert.Equal(PassVerdict.Required, passes.Check("", sale, Ann).Verdict);
        Assert.Equal(PassVerdict.Invalid, passes.Check(pass, ticket, Ann).Verdict);
        Assert.Equal(PassVerdict.OfAnotherBuyer, passes.Check(pass, sale, new(Buyer.Platform, "ann2")).Verdict);
        Assert.Equal(PassVerdict.OfAnotherBuyer, passes.Check(pass, sale, new("platforms", "ann")).Verdict);

        clock.Advance(TimeSpan.FromMinutes(1) - TimeSpan.FromMilliseconds(1));
        Assert.Equal(PassVerdict.Good, passes.Check(pass, sale, Ann).Verdict);
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(new CheckedPass(PassVerdict.Expired, ticket), passes.Check(pass, sale, Ann));
        Assert.Equal(PassVerdict.OfAnotherBuyer, passes.Check(pass, sale, new(Buyer.Platform, "bob")).Verdict);
    }

    [Fact]
    public void No_change_of_it_is_taken()
    {
        var pass = Pass;
        var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(pass);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            var forged = System.Buffers.Text.Base64Url.EncodeToString(bytes);
            Assert.Equal(PassVerdict.Invalid, passes.Check(forged, sale, Ann).Verdict);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        foreach (var wrong in new[]
        {
            " ", "x", pass[1..], pass + "A", pass.Replace(pass[5], '!'), new string('é', pass.Length),
        })
        {
            Assert.Equal(PassVerdict.Invalid, passes.Check(wrong, sale, Ann).Verdict);
        }

        var other = new Passes(new byte[Passes.KeyBytes], clock);
        Assert.Equal(PassVerdict.Invalid, other.Check(pass, sale, Ann).Verdict);
    }

    // Goal: clients branch on these codes. Method: the table.
    [Theory]
    [InlineData(PassVerdict.Required, "pass_required")]
    [InlineData(PassVerdict.Invalid, "pass_invalid")]
    [InlineData(PassVerdict.OfAnotherBuyer, "pass_of_another_user")]
    [InlineData(PassVerdict.Expired, "queue_token_expired")]
    [InlineData(PassVerdict.Good, "queue_token_not_active")]
    public void Each_verdict_has_its_code(PassVerdict verdict, string code)
    {
        var (kind, detail) = PassProblems.Of(verdict);
        Assert.Equal((403, code), (kind.Status, kind.Code));
        Assert.EndsWith(".", detail);
    }

    // Goal: ids of tickets are ids like all others, and nothing of them can be foreseen. Method: many of one moment.
    [Fact]
    public void Secret_ids_are_ordered_by_time_and_differ_in_all_their_other_bits()
    {
        var ids = new Ids(clock);
        var all = Enumerable.Range(0, 2_000).Select(_ => ids.NextSecret().ToByteArray(bigEndian: true)).ToList();
        var varying = new byte[16];
        foreach (var id in all)
        {
            Assert.Equal((7, 8), (id[6] >> 4, (id[8] >> 4) & 0xC));
            for (var i = 0; i < 16; i++)
            {
                varying[i] |= (byte)(id[i] ^ all[0][i]);
            }
        }

        Assert.Equal("0000000000000FFF3FFFFFFFFFFFFFFF", Convert.ToHexString(varying));
        Assert.Equal(2_000, all.Select(Convert.ToHexString).Distinct().Count());
        var now = UtcInstant.Now(clock).Ms;
        Assert.Equal(now, Convert.ToInt64(Convert.ToHexString(all[0].AsSpan(0, 6)), 16));
    }
}
