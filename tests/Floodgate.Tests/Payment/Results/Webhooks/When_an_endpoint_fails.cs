using Floodgate.Payment.Results.Webhooks;
using Floodgate.Tests.Fixtures;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: a merchant that is away for days is told in the end, by the published schedule, and one that wants nothing more
// is left alone. Method: the worker and sender on a real database, a real receiver, a clock that the test moves.
public sealed class When_an_endpoint_fails(PostgreSqlServer postgreSql)
{
    // A minute for a call: the clock runs faster than the receiver, and only the schedule is meant to end anything.
    private static readonly WebhooksSettings Patient = new(AllowPrivateAddresses: true, TimeoutMs: 60_000);

    [Theory, OnBothDatabases]
    public async Task It_is_tried_again_by_the_schedule_and_then_given_up_visibly(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = Receiver.Status(500);
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var endpoint = await stage.AddAsync(receiver.Url);
        await stage.TellAsync();

        for (var attempts = 1; attempts < RetrySchedule.Delays.Count; attempts++)
        {
            await stage.RunUntilTakenAsync(receiver, attempts);
            var waiting = (await stage.UntilAsync(endpoint, DeliveryState.Pending, 1, d => d.Attempts == attempts))[0];
            Assert.Equal((500, null), (waiting.LastStatus, waiting.LastError));
            var delayMs = (long)RetrySchedule.Delays[attempts].TotalMilliseconds;
            var untilMs = waiting.DueMs - stage.Clock.GetUtcNow().ToUnixTimeMilliseconds();
            Assert.InRange(untilMs, delayMs - 2_000, delayMs);

            stage.Clock.Jump(TimeSpan.FromMilliseconds(untilMs - 1));
            Assert.Empty(await stage.DueAsync());
            Assert.Equal(attempts, receiver.All.Count);
        }

        await stage.RunUntilTakenAsync(receiver, RetrySchedule.Delays.Count);
        var failed = (await stage.UntilAsync(endpoint, DeliveryState.Failed, 1))[0];
        Assert.Equal((10, 500), (failed.Attempts, failed.LastStatus));
        var all = receiver.All;
        Assert.Single(all.Select(one => one.Id).Distinct());
        Assert.Single(all.Select(one => one.Body).Distinct());
        Assert.All(all, one => Assert.True(one.IsSignedBy(endpoint.Secret)));
        Assert.Equal(10, all.Select(one => one.Timestamp).Distinct().Count());
        Assert.InRange(all[^1].Timestamp - all[0].Timestamp, 272_105, 272_135); // 75:35:05, and 1 s a try for the nap.
    }

    [Theory, OnBothDatabases]
    public async Task A_receiver_that_does_not_answer_in_time_is_tried_again(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = Receiver.HangAsync;
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql);
        var endpoint = await stage.AddAsync(receiver.Url);
        await stage.TellAsync();
        await stage.RunUntilTakenAsync(receiver, 1);
        receiver.Answer = Receiver.Status(200);

        stage.Clock.Jump(TimeSpan.FromSeconds(15));
        var waiting = (await stage.UntilAsync(endpoint, DeliveryState.Pending, 1, d => d.Attempts == 1))[0];
        Assert.Equal((null, "timed_out"), (waiting.LastStatus, waiting.LastError));
        await stage.RunUntilTakenAsync(receiver, 2);
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, 1);
        Assert.Equal(receiver.All[0].Id, receiver.All[1].Id);
    }

    [Theory, OnBothDatabases]
    public async Task One_that_answers_410_is_disabled_until_its_merchant_enables_it(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var other = await Receiver.StartAsync();
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var (endpoint, healthy) = (await stage.AddAsync(receiver.Url), await stage.AddAsync(other.Url));
        receiver.Answer = Receiver.Status(503);
        await stage.TellAsync();
        await stage.RunUntilTakenAsync(receiver, 1);
        await stage.UntilAsync(endpoint, DeliveryState.Pending, 1, d => d.Attempts == 1);
        receiver.Answer = Receiver.Status(410);
        await stage.TellAsync();

        await stage.RunUntilTakenAsync(receiver, 2);
        var failed = await stage.UntilAsync(endpoint, DeliveryState.Failed, 2);
        Assert.Equal([410, 503], failed.Select(d => d.LastStatus ?? 0).Order());
        Assert.Contains(failed, d => d.LastError == "endpoint_closed");
        Assert.Equal(EndpointState.Disabled, (await stage.Book.FindAsync(null, endpoint.Id, default))!.State);

        await stage.TellAsync(); // While it is disabled nothing is even kept for it; the other one gets it.
        await stage.UntilAsync(healthy, DeliveryState.Delivered, 3);
        Assert.Empty(await stage.InAsync(endpoint, DeliveryState.Pending));
        Assert.Equal(
            WebhookOutcome.Disabled, (await stage.Book.ReplayAsync(null, failed[0].Id, default)).Outcome);

        receiver.Answer = Receiver.Status(200);
        await stage.Book.SetStateAsync(WebhookStage.Merchant, endpoint.Id, EndpointState.Enabled, default);
        await stage.Book.ReplayAsync(WebhookStage.Merchant, failed[0].Id, default);
        await stage.UntilAsync(endpoint, DeliveryState.Delivered, 1);
    }

    // Goal: a redirect cannot lead the sender anywhere. Method: the other server would count a request.
    [Theory, OnBothDatabases]
    public async Task A_redirect_is_a_failure_and_is_not_followed(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var inside = await Receiver.StartAsync();
        receiver.Answer = context =>
        {
            context.Response.Redirect(inside.Url, permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        };
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var endpoint = await stage.AddAsync(receiver.Url);
        await stage.TellAsync();
        await stage.RunUntilTakenAsync(receiver, 1);
        await stage.UntilAsync(endpoint, DeliveryState.Pending, 1, d => d is { Attempts: 1, LastStatus: 307 });
        Assert.Empty(inside.All);
    }

    // Goal: a name of an inner address is not called. Method: localhost, which every machine has, with a server behind
    // it that would count a connection; the URL's form gives nothing away.
    [Theory, OnBothDatabases]
    public async Task A_name_that_means_a_private_address_is_not_called(Stored stored)
    {
        await using var receiver = await Receiver.StartAsync();
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, new());
        var url = $"https://localhost:{receiver.Port}/hook";
        Assert.NotNull(WebhookAddresses.Check(url, new(), out _));
        var endpoint = await stage.AddAsync(url);
        await stage.TellAsync();
        await stage.UntilAsync(
            endpoint, DeliveryState.Pending, 1, d => d is { Attempts: 1, LastError: "address_refused" });
        Assert.Empty(receiver.All);
    }

    [Theory, OnBothDatabases]
    public async Task One_that_nobody_listens_on_is_told_as_such(Stored stored)
    {
        await using var stage = await WebhookStage.StartAsync(stored, postgreSql, Patient);
        var endpoint = await stage.AddAsync($"http://127.0.0.1:{FreePort.Next()}/");
        await stage.TellAsync();
        await stage.UntilAsync(
            endpoint, DeliveryState.Pending, 1, d => d is { Attempts: 1, LastError: "not_connected" });
    }

    // Goal: one endpoint that hangs takes no more than its share, and holds up no other. Method: more events than its
    // share; the other endpoint gets all of them meanwhile.
    [Theory, OnBothDatabases]
    public async Task One_that_hangs_holds_up_no_other(Stored stored)
    {
        const int events = 30;
        await using var hanging = await Receiver.StartAsync();
        await using var healthy = await Receiver.StartAsync();
        hanging.Answer = Receiver.HangAsync;
        await using var stage = await WebhookStage.StartAsync(
            stored, postgreSql, Patient with { InFlightPerEndpointMax = 3, InFlightMax = 5 });
        await stage.AddAsync(hanging.Url);
        var endpoint = await stage.AddAsync(healthy.Url);
        for (var i = 0; i < events; i++)
        {
            await stage.TellAsync();
        }

        await stage.UntilAsync(endpoint, DeliveryState.Delivered, events);
        Assert.Equal(3, hanging.All.Count);
    }
}
