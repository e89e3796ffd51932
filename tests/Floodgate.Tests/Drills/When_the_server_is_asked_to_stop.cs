using System.Diagnostics;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a restart for an upgrade loses nothing and is short. Method: SIGTERM at random moments under load; the audit of
// the crash drill.
[Collection(Drill.Collection)]
public sealed class When_the_server_is_asked_to_stop
{
    private const int Stops = 3;

    // Server:StopTimeoutMs of demo mode, what is in work, and a machine that does much else: a hang, not a slow stop.
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task It_ends_with_0_in_time_and_keeps_every_answered_payment()
    {
        var chance = Drill.Chance();
        await using var site = await DrillSite.OpenAsync(chance, providerInside: true, null);
        for (var stop = 0; stop < Stops; stop++)
        {
            await site.Traffic.HappenAsync(chance.Next(1, 1_000));
            var startedAt = Stopwatch.GetTimestamp();
            Assert.Equal(0, await site.Server.StopAsync());
            Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.Zero, StopWithin);
            await site.StartServerAgainAsync();
        }

        await site.AuditAsync();
        Assert.DoesNotContain("Unhandled exception", site.Server.Output);
    }
}
