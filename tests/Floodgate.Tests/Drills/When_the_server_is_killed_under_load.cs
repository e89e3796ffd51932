using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: kill -9 at any moment costs nobody money: what was answered is carried out exactly once, what was not exists
// wholly or not at all. Method: the real processes under random load; kills at random requests and answers, some of
// them while it starts, some of the provider too; then an audit against the provider's own statement.
[Collection(Drill.Collection)]
public sealed class When_the_server_is_killed_under_load(PostgreSqlServer postgres)
{
    private const int MomentMax = 600;

    // While the provider is away buyers mostly wait, and little happens.
    private const int MomentMaxAway = 40;

    [Fact]
    public Task No_payment_is_lost_or_made_twice_on_SQLite_with_a_provider_of_its_own() =>
        DrillAsync(Drill.Kills(6), providerInside: false, null);

    [Fact]
    public Task No_payment_is_lost_or_made_twice_on_SQLite_with_the_provider_inside() =>
        DrillAsync(Drill.Kills(4), providerInside: true, null);

    [Fact]
    public async Task No_payment_is_lost_or_made_twice_on_PostgreSQL() =>
        await DrillAsync(Drill.Kills(3), providerInside: false, await postgres.CreateDatabaseAsync());

    private static async Task DrillAsync(int kills, bool providerInside, string? database)
    {
        var chance = Drill.Chance();
        await using var site = await DrillSite.OpenAsync(chance, providerInside, database);
        for (var kill = 1; kill <= kills; kill++)
        {
            await site.Traffic.HappenAsync(chance.Next(1, MomentMax));
            var withProvider = kill % 4 == 3;
            if (withProvider)
            {
                site.KillProvider();
                await site.Traffic.HappenAsync(chance.Next(1, MomentMaxAway));
            }

            site.Server.Kill();
            if (kill % 6 == 5)
            {
                await site.KillWhileStartingAsync(chance.Next(1, 60));
            }

            await site.StartServerAgainAsync();
            if (withProvider)
            {
                await site.Traffic.HappenAsync(chance.Next(1, MomentMaxAway));
                await site.StartProviderAgainAsync();
            }
        }

        await site.AuditAsync();
    }
}
