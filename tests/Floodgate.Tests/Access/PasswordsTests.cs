using System.Diagnostics;
using Floodgate.Access.Identity;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: passwords are compared as slowly as the settings say, existing account or not, and never too many at once.
// Method: the hasher by itself, with times measured against each other.
public sealed class PasswordsTests
{
    [Fact]
    public async Task Only_the_same_password_fits_and_each_hash_is_another()
    {
        using var passwords = new Passwords(new() { PasswordRounds = 10_000 });
        var first = await passwords.HashAsync("correct horse", CancellationToken.None);
        var second = await passwords.HashAsync("correct horse", CancellationToken.None);
        Assert.NotEqual(first, second);
        Assert.Equal(PasswordMatch.Right, await passwords.CompareAsync(first, "correct horse", default));
        Assert.Equal(PasswordMatch.Wrong, await passwords.CompareAsync(first, "Correct horse", default));
        Assert.Equal(PasswordMatch.Wrong, await passwords.CompareAsync(null, "correct horse", default));
    }

    // Goal: the time does not tell whether the account exists. Method: the shortest of several: the work alone.
    [Fact]
    public async Task No_hash_takes_as_long_as_a_wrong_password()
    {
        using var passwords = new Passwords(new());
        var hash = await passwords.HashAsync("correct horse", CancellationToken.None);
        var wrong = await ShortestAsync(hash);
        var unknown = await ShortestAsync(null);
        Assert.InRange(unknown / wrong, 0.5, 2);

        async Task<double> ShortestAsync(string? compared)
        {
            var shortest = TimeSpan.MaxValue;
            for (var i = 0; i < 7; i++)
            {
                var start = Stopwatch.GetTimestamp();
                await passwords.CompareAsync(compared, "another horse", CancellationToken.None);
                var took = Stopwatch.GetElapsedTime(start);
                shortest = took < shortest ? took : shortest;
            }

            return shortest.TotalSeconds;
        }
    }

    [Fact]
    public async Task One_too_many_is_refused_at_once_and_room_comes_back()
    {
        using var passwords = new Passwords(new() { PasswordQueueMax = 3 });
        var all = Enumerable.Range(0, 5)
            .Select(_ => passwords.CompareAsync(null, "correct horse", CancellationToken.None))
            .ToList();
        Assert.All(all[3..], refused => Assert.True(refused.IsCompleted));
        var matches = await Task.WhenAll(all);
        Assert.All(matches[..3], match => Assert.Equal(PasswordMatch.Wrong, match));
        Assert.All(matches[3..], match => Assert.Equal(PasswordMatch.Busy, match));
        Assert.Equal(PasswordMatch.Wrong, await passwords.CompareAsync(null, "again", CancellationToken.None));
    }

    [Fact]
    public async Task Who_goes_away_while_waiting_leaves_the_room_to_others()
    {
        using var passwords = new Passwords(new() { PasswordQueueMax = 2 });
        var first = passwords.CompareAsync(null, "correct horse", CancellationToken.None);
        using var leave = new CancellationTokenSource();
        var second = passwords.CompareAsync(null, "correct horse", leave.Token);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.Equal(PasswordMatch.Wrong, await passwords.CompareAsync(null, "third", CancellationToken.None));
        Assert.Equal(PasswordMatch.Wrong, await first);
    }
}
