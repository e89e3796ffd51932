using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: every check of the load tool's auditor is seen to fail when it should, and only then. Method: a real HTTP
/// server that treats one payment wrongly in one way, and the whole <c>accept</c> command against it.
/// </summary>
public sealed class When_a_server_breaks_its_word
{
    private static readonly string[] Accept =
        ["accept", "--closed", "--count", "40", "--connections", "1", "--no-op-yardstick", "false"];

    [Theory]
    [InlineData(FakeFault.LosesIt, "every accepted payment exists exactly once", "every accepted payment is final")]
    [InlineData(FakeFault.ListsItTwice, "every accepted payment exists exactly once")]
    [InlineData(FakeFault.MakesItTwice, "every accepted payment exists exactly once")]
    [InlineData(
        FakeFault.AnswersWithAnotherId,
        "no id was promised",
        "every accepted payment exists exactly once")]
    [InlineData(FakeFault.ListsAnotherAmount, "every payment has the amount offered")]
    [InlineData(FakeFault.ListsAnotherCurrency, "every payment has the amount offered")]
    [InlineData(FakeFault.NeverFinishesIt, "every accepted payment is final")]
    [InlineData(FakeFault.ChargesItTwice, "captured payments", "no payment is charged twice")]
    [InlineData(FakeFault.ChargesNothing, "captured payments")]
    [InlineData(FakeFault.ChargesAnotherAmount, "captured payments")]
    [InlineData(FakeFault.ChargesAFailedOne, "failed payments have no approved charge")]
    [InlineData(FakeFault.ChargesAnAuthorizedOne, "authorized and voided")]
    [InlineData(FakeFault.ChargesAnUnknownOne, "the provider's statement names no payment")]
    [InlineData(FakeFault.RefundsTooMuch, "refunded <= captured")]
    [InlineData(FakeFault.ProviderRefundsTooMuch, "refunded <= captured")]
    [InlineData(FakeFault.RefusesButKeepsIt, "refused offers left no payment")]
    [InlineData(FakeFault.FailsAndMakesItTwice, "unanswered offers left at most one payment")]
    [InlineData(FakeFault.BreaksItsInvariants, "the server's own invariants hold")]
    public async Task The_audit_fails_and_names_the_broken_promise(FakeFault fault, params string[] promises)
    {
        await using var server = await FakeServer.StartAsync(fault);

        var run = await LoadRun.OfAsync(server, Accept);

        Assert.Equal(2, run.ExitCode);
        var failed = run.FailedChecks();
        Assert.Equal(promises.Length, failed.Count);
        Assert.All(promises, promise => Assert.Contains(failed, name => name.StartsWith(promise)));
    }

    [Fact]
    public async Task The_audit_holds_when_it_keeps_every_promise()
    {
        await using var server = await FakeServer.StartAsync();

        var run = await LoadRun.OfAsync(server, Accept);

        Assert.Equal(0, run.ExitCode);
        Assert.Empty(run.FailedChecks());
        var checks = run.Report.GetProperty("audit").GetProperty("checks");
        Assert.Equal(14, checks.GetArrayLength());
        Assert.Equal(40, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
        Assert.Equal(40, run.Report.GetProperty("load").GetProperty("accepted").GetInt64());
    }

    [Theory]
    [InlineData(FakeFault.ChargesItTwice, "no payment is charged twice")]
    [InlineData(FakeFault.ListsItTwice, "every payment is listed once")]
    [InlineData(FakeFault.NeverFinishesIt, "every accepted payment is final")]
    [InlineData(FakeFault.ChargesAnUnknownOne, "the provider's statement names no payment")]
    public async Task A_later_audit_without_the_offers_sees_it_too(FakeFault fault, string promise)
    {
        await using var server = await FakeServer.StartAsync(fault);
        await LoadRun.OfAsync(server, Accept);

        var run = await LoadRun.OfAsync(server, "audit");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(run.FailedChecks(), name => name.StartsWith(promise));
    }

    [Fact]
    public async Task A_later_audit_of_a_good_server_holds()
    {
        await using var server = await FakeServer.StartAsync();
        await LoadRun.OfAsync(server, Accept);

        Assert.Equal(0, (await LoadRun.OfAsync(server, "audit")).ExitCode);
    }

    [Fact]
    public async Task Payments_of_earlier_runs_do_not_disturb_the_audit()
    {
        await using var server = await FakeServer.StartAsync(FakeFault.ChargesAnUnknownOne);
        await LoadRun.OfAsync(server, Accept);

        var run = await LoadRun.NamedAsync(server, "testrun2", Accept);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(80, run.Report.GetProperty("audit").GetProperty("paymentsListed").GetInt64());
        Assert.Equal(40, run.Report.GetProperty("audit").GetProperty("final").GetInt64());
        Assert.Equal(1, run.Report.GetProperty("audit").GetProperty("notes").GetArrayLength());
    }
}
