using System.Diagnostics;
using Floodgate.Access.Identity;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: passwords are compared as slowly as the settings say, existing account or not, never too many at once.
// Method: the hasher by itself, as many at once as it takes.
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

    // Goal: the time does not tell whether the account exists. Method: what is compared when it does not asks for the
    // work of a real hash (function, rounds and length of the salt are its first 13 bytes), and is compared, too.
    [Fact]
    public async Task No_hash_is_as_much_work_as_a_wrong_password()
    {
        using var passwords = new Passwords(new());
        var real = Convert.FromBase64String((await passwords.HashAsync("correct horse", default))!);
        var nobodys = Convert.FromBase64String(passwords.NobodysHash);
        Assert.Equal(real.Length, nobodys.Length);
        Assert.Equal(real[..13], nobodys[..13]);

        var start = Stopwatch.GetTimestamp();
        await passwords.CompareAsync(null, "correct horse", default);
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.FromMilliseconds(20), TimeSpan.MaxValue);
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
