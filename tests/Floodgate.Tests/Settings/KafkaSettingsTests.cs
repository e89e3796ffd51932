using Floodgate.Storage.Log.Kafka;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests;

// Goal: what is set for Kafka reaches it as it is, or is refused by its name with what to do. Method: settings as they
// are read at the start, and the real library's judgement.
public sealed class KafkaSettingsTests
{
    [Fact]
    public void Without_servers_the_log_is_the_table() => Assert.Null(Read().Log.Kafka);

    [Fact]
    public void Properties_of_the_client_are_passed_on_untouched()
    {
        var settings = Read(
            "Log:Kafka:BootstrapServers=kafka-1:9092,[::1]:9093", "Kafka:Client:linger.ms=10",
            "kafka:client:SASL.password=geheim");

        Assert.Equal("10", settings.Log.Kafka!.Client["linger.ms"]);
        Assert.Equal("geheim", settings.Log.Kafka.Client["sasl.password"]);
        Assert.Equal("(secret)", settings.Effective.Single(s => s.Name == "Kafka:Client:sasl.password").Value);
    }

    [Theory]
    [InlineData("Kafka:Client:no.such=1", "which librdkafka does not take (No such configuration property")]
    [InlineData("Kafka:Client:linger.ms=soon", "which librdkafka does not take (Invalid value")]
    [InlineData("Kafka:Client:group.id=mine", "which Floodgate sets itself. Leave it out.")]
    [InlineData("Log:Kafka:BootstrapServers=kafka-1", "which is no list of brokers. Write HOST:PORT")]
    [InlineData("Log:Kafka:BootstrapServers=a:1,,b:2", "which is no list of brokers. Write HOST:PORT")]
    public void What_cannot_work_is_refused_by_its_name(string setting, string why)
    {
        var parts = setting.Split('=');
        string[] settings = parts[0].StartsWith("Log", StringComparison.Ordinal)
            ? [setting]
            : ["Log:Kafka:BootstrapServers=kafka:9092", setting];

        var refused = Assert.Single(Assert.Throws<SettingsException>(() => Read(settings)).Errors);

        Assert.StartsWith($"{parts[0]} is \"{parts[1]}\" (from test), {why}", refused);
    }

    private static Settings Read(params string[] settings) => Settings.Read(new(
    [
        SettingsLayer.Of("test", settings.Select(s => s.Split('=', 2)).ToDictionary(p => p[0], p => p[1])),
    ]));
}
