using Floodgate.Access;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: an operator changes keys alike whatever the database, also those of before keys had ids. Method: the routes of
// the real server and the door, on both databases.
public sealed class When_keys_are_changed(PostgreSqlServer postgreSql, CalmServers calm)
{
    private static readonly Statement InsertOldMerchant = new(
        "insert into merchant (id, name, created_ms) values ('old', 'Old', 1)");

    private static readonly Statement InsertOldKey = new(
        """
        insert into api_key (hash, role, merchant_id, created_ms) select rows.hash, 'merchant', 'old', 1 from {rows}
        """,
        Column.Bytes("hash"));

    [Theory, OnBothDatabases]
    public async Task The_new_one_works_before_the_old_one_ends(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var path = $"/v1/merchants/{shop.MerchantId}/keys";
        var request = $"Idempotency-Key: rotate-{shop.MerchantId}";
        (await shop.GetAsync("/v1/payments")).Expect(200);

        (await server.Operator.SendAsync("POST", "/v1/merchants/nobody/keys", null, request)).Refuses(404, "not_found");
        var made = (await server.Operator.SendAsync("POST", path, null, request)).Expect(201);
        (await server.Operator.SendAsync("POST", path, null, request)).Expect(200);
        (await server.Operator.SendAsync("POST", $"/v1/merchants/{other.MerchantId}/keys", null, request))
            .Refuses(422, "idempotency_key_reused");

        var keys = await server.Operator.AllAsync(path, limit: 1);
        var old = keys.Select(key => key.GetProperty("id").GetString()).Single(id => id != made.Of("id"));
        (await server.Operator.SendAsync("DELETE", $"/v1/merchants/{other.MerchantId}/keys/{old}"))
            .Refuses(404, "not_found");
        var ended = (await server.Operator.SendAsync("DELETE", $"{path}/{old}")).Expect(200);
        var again = (await server.Operator.SendAsync("DELETE", $"{path}/{old}")).Expect(200);
        Assert.Equal(ended.Text, again.Text);
        (await shop.GetAsync("/v1/payments")).Refuses(401, "unauthorized");
        (await shop.WithKey(made.Of("key")).GetAsync("/v1/payments")).Expect(200);
    }

    [Theory, OnBothDatabases]
    public async Task Those_of_before_keys_had_ids_can_be_listed_and_revoked(Stored stored)
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
        Directory.CreateDirectory(directory);
        var place = stored == Stored.InPostgreSql ? await postgreSql.CreateDatabaseAsync() : "";
        await using (var database = Database.Open(new(place, directory)))
        {
            await StoreOldKeysAsync(database);
            var keys = new ApiKeys(
                database, new(10, 30, 10, 5, HasDemoKeys: false), TimeProvider.System, new Ids(TimeProvider.System),
                News.Alone());
            Assert.NotNull(await keys.FindAsync("fg_live_old", CancellationToken.None));
            var listed = (await keys.ListAsync("old", Guid.Empty, 10, CancellationToken.None))!;
            Assert.Equal(2, listed.Select(key => key.Id).Distinct().Count());
            foreach (var key in listed)
            {
                Assert.Null(key.Prefix);
                Assert.NotNull(await keys.RevokeAsync(key.Id, "old", CancellationToken.None));
            }

            Assert.Null(await keys.FindAsync("fg_live_old", CancellationToken.None));
        }

        Directory.Delete(directory, recursive: true);
    }

    private static async Task StoreOldKeysAsync(Database database)
    {
        await database.MigrateAsync([AccessModule.Migrations[0]], CancellationToken.None);
        await database.WriteAsync(tx =>
        {
            tx.Queue(InsertOldMerchant, Rows.None);
            tx.Queue(InsertOldKey, Rows.One(KeyHash.Of("fg_live_old")).Bytes(hash => hash.ToBytes()));
            tx.Queue(InsertOldKey, Rows.One(KeyHash.Of("fg_live_older")).Bytes(hash => hash.ToBytes()));
            return ValueTask.FromResult(0);
        });
        await database.MigrateAsync(AccessModule.Migrations, CancellationToken.None);
    }
}
