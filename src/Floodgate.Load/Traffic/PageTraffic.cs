using System.Text;

namespace Floodgate.Load.Traffic;

/// <summary>The same GET again and again; an answer counts when it is 200 and not shorter than it must be.</summary>
/// <param name="host">Host and port for the Host header.</param>
/// <param name="path">The path with its query.</param>
/// <param name="headers">Further header lines, each with its line end.</param>
/// <param name="bodyBytesMin">The shortest body that can be right.</param>
internal sealed class PageTraffic(string host, string path, string headers, int bodyBytesMin) : ITraffic
{
    private readonly byte[] request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");

    /// <inheritdoc/>
    public int RequestBytesMax => request.Length;

    /// <inheritdoc/>
    public int Take() => 0;

    /// <inheritdoc/>
    public int Write(int number, Span<byte> buffer)
    {
        request.CopyTo(buffer);
        return request.Length;
    }

    /// <inheritdoc/>
    public OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body) =>
        status == 200 && body.Length >= bodyBytesMin ? OfferOutcome.Accepted
        : status is >= 400 and < 500 ? OfferOutcome.Refused
        : OfferOutcome.Error;

    /// <inheritdoc/>
    public void Lost(int number)
    {
        // Nothing is kept of a page.
    }
}
