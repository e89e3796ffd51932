using System.Text;
using Floodgate.Load.Traffic;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: the answer reader finds exactly the answer, wherever the network cuts it. Method: answers by hand, cut at
/// every byte, and random bodies in random chunks.
/// </summary>
public sealed class HttpReplyTests
{
    private const string Sized =
        "HTTP/1.1 202 Accepted\r\nServer: Kestrel\r\ncontent-LENGTH:  5 \r\nLocation: /v1/payments/1\r\n\r\nhello";

    private const string Chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Close\r\n\r\n"
        + "3\r\nhel\r\nA;x=y\r\nlo, world!\r\n0\r\n\r\n";

    [Theory]
    [InlineData(Sized, 202, "hello", true)]
    [InlineData(Chunked, 200, "hello, world!", false)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true)]
    [InlineData("HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", 503, "", true)]
    public void Reads_the_answer_when_its_last_byte_is_there(string text, int status, string body, bool keepAlive)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(HttpReplyReader.TryRead(bytes.AsSpan(0, length), out _), $"after {length} bytes");
        }

        Assert.True(HttpReplyReader.TryRead(bytes, out var reply));
        Assert.Equal(status, reply.Status);
        Assert.Equal(keepAlive, reply.KeepAlive);
        Assert.Equal(body, Encoding.ASCII.GetString(bytes, reply.BodyStart, reply.BodyLength));
    }

    [Fact]
    public void Joins_any_chunks_to_the_body_that_was_cut() => Prop.ForAll(
        ArbMap.Default.ArbFor<string[]>(),
        parts =>
        {
            var chunks = parts.Where(part => part is { Length: > 0 }).Select(Encoding.UTF8.GetBytes).ToList();
            var wire = new List<byte>("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"u8.ToArray());
            foreach (var chunk in chunks)
            {
                wire.AddRange(Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"));
                wire.AddRange(chunk);
                wire.AddRange("\r\n"u8);
            }

            wire.AddRange("0\r\n\r\n"u8);
            var bytes = wire.ToArray();
            return HttpReplyReader.TryRead(bytes, out var reply)
                && bytes.AsSpan(reply.BodyStart, reply.BodyLength).SequenceEqual(chunks.SelectMany(c => c).ToArray());
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("SSH-2.0-OpenSSH\r\n\r\n")]
    [InlineData("HTTP/1.1 2 Odd\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    public void Refuses_what_can_never_become_an_answer(string text) =>
        Assert.Throws<HttpReplyException>(() => HttpReplyReader.TryRead(Encoding.ASCII.GetBytes(text), out _));
}
