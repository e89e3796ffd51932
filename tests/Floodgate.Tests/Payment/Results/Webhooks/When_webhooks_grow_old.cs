using Floodgate.Payment.Results.Webhooks;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: secrets change without a gap, and nothing is kept for ever. Method: a clock that the test moves.
public sealed class When_webhooks_grow_old(PostgreSqlServer postgreSql)
{
    private static readonly WebhooksSettings Patient = new(AllowPrivateAddresses: true, TimeoutMs: 60_000);

    [Theory, OnBothDatabases]
    public async Task The_secret_of_before_signs_too_for_a_day(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var old = await stage.AddAsync(receiver.Url);
        var rotated = await stage.Book.RotateAsync(WebhookStage.Merchant, old.Id, "r-1", default);
        var again = await stage.Book.RotateAsync(WebhookStage.Merchant, old.Id, "r-1", default);
        Assert.Equal((WebhookOutcome.Done, WebhookOutcome.Replayed), (rotated.Outcome, again.Outcome));
        Assert.Equal(rotated.Endpoint!.Secret, again.Endpoint!.Secret);
        Assert.NotEqual(old.Secret, rotated.Endpoint.Secret);

        await stage.TellAsync();
        await stage.UntilAsync(old, DeliveryState.Delivered, 1);
        Assert.True(receiver.All[0].IsSignedBy(old.Secret));
        Assert.True(receiver.All[0].IsSignedBy(rotated.Endpoint.Secret));

        stage.Clock.Jump(TimeSpan.FromHours(24));
        await stage.TellAsync();
        await stage.UntilAsync(old, DeliveryState.Delivered, 2);
        Assert.False(receiver.All[1].IsSignedBy(old.Secret));
        Assert.True(receiver.All[1].IsSignedBy(rotated.Endpoint.Secret));
    }

    [Theory, OnBothDatabases]
    public async Task What_is_finished_is_swept_after_its_days_and_what_waits_stays(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var endpoint = await stage.AddAsync(receiver.Url);
        await stage.TellAsync();
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, 1);
        stage.Clock.Jump(TimeSpan.FromDays(29));
        await stage.SweepAsync();
        Assert.Single(await stage.InAsync(endpoint, DeliveryState.Delivered));

        receiver.Answer = Receiver.HangAsync;
        await stage.TellAsync();
        await stage.UntilAsync(endpoint, DeliveryState.Pending, 1);
        stage.Clock.Jump(TimeSpan.FromDays(1) + TimeSpan.FromSeconds(1));
        await stage.SweepAsync();
        Assert.Empty(await stage.InAsync(endpoint, DeliveryState.Delivered));
        Assert.Single(await stage.InAsync(endpoint, DeliveryState.Pending));
    }
}
