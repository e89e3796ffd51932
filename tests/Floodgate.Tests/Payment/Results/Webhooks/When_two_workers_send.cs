using Floodgate.Payment.Results.Webhooks;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: a merchant gets a webhook once, however many workers there are, and still gets it when one of them stops.
// Method: two senders that are woken by the same deliveries, each with its own name.
public sealed class When_two_workers_send(PostgreSqlServer postgreSql)
{
    private const int Facts = 10;

    [Fact]
    public async Task Each_webhook_comes_once_and_the_other_takes_over()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var stage = await WebhookStage.StartAsync(
            Stored.InPostgreSql, postgreSql, new(AllowPrivateAddresses: true, Ports: null), hasTwoSenders: true);
        var endpoint = await stage.AddAsync(receiver.Url);
        await TellAsync(stage);
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, Facts);

        await stage.StartSecondAsync();
        await TellAsync(stage);
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, 2 * Facts);

        await stage.StopFirstAsync();
        await TellAsync(stage);
        await stage.RunUntilTakenAsync(receiver, 3 * Facts);
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, 3 * Facts);
        Assert.Equal(3 * Facts, receiver.All.Select(received => received.Id).Distinct().Count());
        Assert.Equal(3 * Facts, receiver.All.Count);
    }

    private static async Task TellAsync(WebhookStage stage)
    {
        for (var fact = 0; fact < Facts; fact++)
        {
            await stage.TellAsync();
        }
    }
}
