// Goal: faults are read strictly and refused with a sentence that names the field. Method: a table of JSON texts.
using System.Text;
using Floodgate.Payment.Charges.Providers.Simulated;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class ProviderFaultsTests
{
    [Fact]
    public void Faults_come_back_as_they_were_written()
    {
        var faults = new ProviderFaults
        {
            LatencyMs = 200, LatencySpreadMs = 50, PeakLatencyMs = 3_000, PeakRatio = 0.25, DeclineRatio = 0.01,
            ErrorRatio = 0.5, TimeoutAfterSuccessRatio = 1, Outage = true,
        };

        Assert.True(ProviderFaults.TryParse(faults.ToJson(), out var read, out _));
        Assert.Equal(faults, read);
    }

    [Fact]
    public void What_is_left_out_is_zero()
    {
        Assert.True(ProviderFaults.TryParse("""{"latencyMs":7}"""u8, out var read, out _));
        Assert.Equal(new ProviderFaults { LatencyMs = 7 }, read);
    }

    [Theory]
    [InlineData("""{"latencyMs":-1}""", "latencyMs")]
    [InlineData("""{"latencyMs":600001}""", "600000")]
    [InlineData("""{"latencyMs":1.5}""", "latencyMs")]
    [InlineData("""{"latencyMs":"1"}""", "latencyMs")]
    [InlineData("""{"latencyMs":1,"latencyMs":2}""", "latencyMs")]
    [InlineData("""{"latencyMs":99999999999}""", "latencyMs")]
    [InlineData("""{"latencyMs":5,"latencySpreadMs":6}""", "latencySpreadMs is 6")]
    [InlineData("""{"peakLatencyMs":-2}""", "peakLatencyMs is -2")]
    [InlineData("""{"peakRatio":1.01}""", "peakRatio is 1.01")]
    [InlineData("""{"declineRatio":-0.1}""", "declineRatio is -0.1")]
    [InlineData("""{"errorRatio":2}""", "errorRatio is 2")]
    [InlineData("""{"timeoutAfterSuccessRatio":7}""", "timeoutAfterSuccessRatio is 7")]
    [InlineData("""{"outage":1}""", "outage")]
    [InlineData("""{"surprise":1}""", "surprise")]
    [InlineData("""{"latencyMs":5""", "object")]
    [InlineData("""{} {}""", "object")]
    [InlineData("null", "not null")]
    [InlineData("[]", "object")]
    [InlineData("", "object")]
    public void Wrong_faults_are_refused_by_name(string json, string named)
    {
        Assert.False(ProviderFaults.TryParse(Encoding.UTF8.GetBytes(json), out _, out var problem));
        Assert.Contains(named, problem, StringComparison.Ordinal);
    }
}
