using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Storage.Log.Kafka;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: on Kafka a payment goes the same way, and brokers that are away or wrong are told of and harm nobody. Method:
// the real server, called over HTTP, with three brokers of librdkafka.
public sealed class When_the_log_is_on_Kafka(PostgreSqlServer postgreSql)
{
    private static readonly Topic Captured = Roles.Topics.Single(topic => topic.Name == "payment.captured");

    [Theory, OnBothDatabases]
    public async Task A_payment_goes_its_whole_way(Stored stored)
    {
        using var cluster = new KafkaCluster(Roles.Topics);
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, cluster.ServerSettings);
        var shop = await server.OpenShopAsync();

        var payment = (await shop.PayAsync(15_000, "\"userId\":\"u-1\",\"orderId\":\"o-1\"")).Expect(200);
        payment.IsPayment("CAPTURED", 15_000, 15_000, 0);
        (await shop.AskAsync("refund", payment.Id, 5_000)).Expect(200);
        await server.DrainedAsync();

        Assert.Equal(["CHARGE 15000", "REFUND 5000"], await server.StatementOfAsync(payment.Id));
        Assert.Empty(await server.BrokenAsync());
        (await server.Operator.GetAsync("/health/ready")).Expect(200);
        Assert.Contains("kafka-relay", (await server.Operator.GetAsync("/v1/ops/lag")).Expect(200).Text);
        var fact = Assert.Single(await RawKafka.ReadAsync(cluster, Captured, 1));
        Assert.Equal(payment.Id, fact.Key);
        Assert.StartsWith("payment.captured/", fact.Headers[KafkaMessages.Type]);
    }

    [Fact]
    public async Task Payments_are_taken_while_the_brokers_are_away_and_carried_out_when_they_come()
    {
        using var cluster = new KafkaCluster(Roles.Topics);
        cluster.TakeDown();
        await using var server = await PaymentServer.StartAsync(
            Stored.InPostgreSql, postgreSql, cluster.ServerSettings);
        var shop = await server.OpenShopAsync();
        var payment = (await shop.PayAsync(700, waitSeconds: 0)).Expect(202);
        var unready = (await server.Operator.GetAsync("/health/ready")).Expect(503);
        Assert.Contains(
            $"broker: Log:Kafka:BootstrapServers is {cluster.BootstrapServers}, where no broker answers", unready.Text);

        cluster.BringUp();
        await server.DrainedAsync();
        (await shop.PaymentAsync(payment.Id)).Expect(200).IsPayment("CAPTURED", 700, 700, 0);
        Assert.Equal(["CHARGE 700"], await server.StatementOfAsync(payment.Id));

        // What was there once is not missed by a process that takes payments.
        cluster.TakeDown();
        (await shop.PayAsync(800, waitSeconds: 0)).Expect(202);
        (await server.Operator.GetAsync("/health/ready")).Expect(200);
        cluster.BringUp();
        await server.DrainedAsync();
    }

    [Fact]
    public async Task A_topic_with_fewer_partitions_is_refused_by_its_name_and_what_to_do()
    {
        using var cluster = new KafkaCluster();
        cluster.Create("payment-requests", 4);

        var refusal = await Assert.ThrowsAsync<SettingsException>(
            () => PaymentServer.StartAsync(Stored.InSqlite, postgreSql, cluster.ServerSettings));

        Assert.Equal(
            $"Log:Kafka:BootstrapServers is {cluster.BootstrapServers}, whose topic payment-requests has 4 partitions "
            + "where 10 are needed. Add them (kafka-topics.sh --alter --topic payment-requests --partitions 10), or "
            + "name another cluster.",
            Assert.Single(refusal.Errors));
    }
}
