using System.Net;
using Floodgate.Access;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: nobody can choose the address that is counted, and everybody behind known proxies has an own one. Method: a
// table of connections and headers.
public sealed class ClientAddressTests
{
    [Theory]
    [InlineData("192.0.2.1", "", "192.0.2.1")]
    [InlineData("192.0.2.1", "198.51.100.7", "192.0.2.1")]
    [InlineData("10.1.2.3", "", "10.1.2.3")]
    [InlineData("10.1.2.3", "198.51.100.7", "198.51.100.7")]
    [InlineData("::ffff:10.1.2.3", "198.51.100.7", "198.51.100.7")]
    [InlineData("10.1.2.3", "1.2.3.4, 198.51.100.7", "198.51.100.7")]
    [InlineData("10.1.2.3", "1.2.3.4, 198.51.100.7, 10.9.9.9", "198.51.100.7")]
    [InlineData("10.1.2.3", "10.9.9.9", "10.9.9.9")]
    [InlineData("10.1.2.3", "198.51.100.7:4711", "198.51.100.7")]
    [InlineData("10.1.2.3", "[2001:db8::1]:4711", "2001:db8::1")]
    [InlineData("10.1.2.3", "2001:db8::1", "2001:db8::1")]
    [InlineData("10.1.2.3", "198.51.100.7, unknown", "10.1.2.3")]
    [InlineData("10.1.2.3", "198.51.100.7, unknown, 10.9.9.9", "10.9.9.9")]
    [InlineData("fd00::5", "198.51.100.7", "198.51.100.7")]
    public void The_first_address_that_is_no_proxys_counts(string connection, string header, string expected)
    {
        var addresses = new ClientAddress(new(1, 1, 1, 1, false)
        {
            Proxies = [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::5/128")],
        });
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(connection);
        if (header.Length > 0)
        {
            context.Request.Headers["X-Forwarded-For"] = header;
        }

        Assert.Equal(IPAddress.Parse(expected), addresses.Of(context));
    }

    // Goal: a subscriber with 2^64 addresses has one bucket, and no IPv6 network is taken for an IPv4 address.
    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("0.0.0.0", "::", false)]
    public void Addresses_of_one_subscriber_are_one(string left, string right, bool isOne) => Assert.Equal(
        isOne,
        ClientAddress.NetworkOf(IPAddress.Parse(left)) == ClientAddress.NetworkOf(IPAddress.Parse(right)));
}
