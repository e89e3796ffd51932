using System.Text.Json;
using Floodgate.Access;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: a key that could be mistaken for another one is refused before anything is done.
// Method: a table of header values on an in-memory request.
public sealed class IdempotencyKeyTests
{
    [Theory]
    [InlineData("a", null)]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123", null)]
    [InlineData("~ !\"/", null)]
    [InlineData(null, "idempotency_key_missing")]
    [InlineData("", "idempotency_key_invalid")]
    [InlineData("01234567890123456789012345678901234567890123456789012345678901234", "idempotency_key_invalid")]
    [InlineData("k\u00e9y", "idempotency_key_invalid")]
    [InlineData("k\ty", "idempotency_key_invalid")]
    [InlineData("a|b", "idempotency_key_invalid", true)]
    [InlineData("a|a", "idempotency_key_invalid", true)]
    public async Task Takes_one_printable_key_of_bounded_length(string? header, string? code, bool isRepeated = false)
    {
        var context = new DefaultHttpContext();
        context.Response.Body = new MemoryStream();
        if (header is not null)
        {
            context.Request.Headers["Idempotency-Key"] = isRepeated ? header.Split('|') : header;
        }

        var key = await IdempotencyKey.ReadAsync(context);
        Assert.Equal(code is null ? header : null, key);
        if (code is not null)
        {
            using var problem = JsonDocument.Parse(((MemoryStream)context.Response.Body).ToArray());
            Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
            Assert.Equal(400, context.Response.StatusCode);
        }
    }
}
