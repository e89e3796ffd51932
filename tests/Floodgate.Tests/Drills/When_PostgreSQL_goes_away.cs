using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a crash of the database is an interruption, not an accident: intake refuses politely, and all goes on by itself
// when the database is back. Method: a cluster of its own, stopped as by a crash and started again under load.
[Collection(Drill.Collection)]
public sealed class When_PostgreSQL_goes_away
{
    [Fact]
    public async Task The_server_refuses_politely_and_goes_on_by_itself_when_it_is_back()
    {
        var chance = Drill.Chance();
        await using var postgres = PostgreSqlServer.WithSettings();
        await using var site = await DrillSite.OpenAsync(
            chance, providerInside: false, await postgres.CreateDatabaseAsync());
        for (var crash = 0; crash < 2; crash++)
        {
            await site.Traffic.HappenAsync(chance.Next(200, 1_000));
            await postgres.CrashAsync();

            var refused = await site.Api.PostAsync("/v1/payments", $"away-{crash}", "{}");
            Assert.True(refused.Status is 400, $"what needs no database is still answered: {refused.Status}");
            await Eventually.HoldsAsync(
                async () => await site.Api.PostAsync(
                    $"/v1/wallets/u-0/top-ups", $"away-{crash}", $$"""{"amount":{{ServerApi.Money(1)}}}""")
                    is { Status: 503, RetryAfter: not null },
                () => "intake answers 503 with Retry-After.");
            Assert.Equal(503, (await site.Api.GetAsync("/health/ready")).Status);

            await postgres.StartAgainAsync();
            await Eventually.HoldsAsync(
                async () => (await site.Api.GetAsync("/health/ready")).Status == 200, () => "it is ready.");
        }

        await site.AuditAsync();
    }
}
