using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace Floodgate.Tests.Access;

internal sealed record TestAmount(long Amount, string Currency);

internal sealed record TestBody(
    TestAmount Amount, string? UserId = null, bool Capture = true, IReadOnlyList<int>? Parts = null);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TestBody))]
internal sealed partial class StrictJson : JsonSerializerContext;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TestAmount))]
internal sealed partial class LooseJson : JsonSerializerContext;

// Goal: a body is taken as it was meant or refused with the place and what is expected; never anything between.
// Method: a table of bodies against the detail of the refusal, through the reader on an in-memory request.
public sealed class BodyTests
{
    private const string Good = """{"amount":{"amount":1,"currency":"KRW"}}""";

    [Theory]
    [InlineData("""{"amount":{"amount":1,"currency":"KRW"},"userId":"u","capture":false,"parts":[1,2]}""")]
    [InlineData(""" { "amount" : { "currency" : "\u004bRW" , "amount" : 1 } , "userId" : null } """)]
    public async Task Takes_a_good_body(string json)
    {
        var (body, problem) = await ReadAsync(json);
        Assert.Null(problem);
        Assert.Equal(new TestAmount(1, "KRW"), body!.Amount);
    }

    [Fact]
    public async Task Takes_a_body_that_arrives_in_many_segments()
    {
        var (body, problem) = await ReadAsync(new string(' ', 9_000) + Good + new string(' ', 5_000));
        Assert.Null(problem);
        Assert.Equal(1, body!.Amount.Amount);
    }

    [Theory]
    [InlineData("", "The body is empty. Send an object with amount, userId, capture, parts.")]
    [InlineData("{", "line 1, byte 2 cannot be read.")]
    [InlineData("{\n\"amount\" 1}", "line 2, byte 10 cannot be read.")]
    [InlineData(Good + "x", "The body is not JSON: line 1, byte 41 cannot be read.")]
    [InlineData(Good + Good, "The body is not JSON: line 1, byte 41 cannot be read.")]
    [InlineData("null", "$ must be an object with amount, userId, capture, parts, not null.")]
    [InlineData("[]", "$ must be an object with amount, userId, capture, parts, not an array.")]
    [InlineData("{}", "$.amount is missing. It must be an object with amount, currency.")]
    [InlineData("""{"amount":null}""", "$.amount must be an object with amount, currency, not null.")]
    [InlineData("""{"amount":5}""", "$.amount must be an object with amount, currency, not 5.")]
    [InlineData("""{"amount":{"amount":1}}""", "$.amount.currency is missing. It must be a text.")]
    [InlineData("""{"amount":{"amount":1.5,"currency":"KRW"}}""",
        "$.amount.amount must be a whole number of at most 64 bits, not 1.5.")]
    [InlineData("""{"amount":{"amount":1e2,"currency":"KRW"}}""",
        "$.amount.amount must be a whole number of at most 64 bits, not 1e2.")]
    [InlineData("""{"amount":{"amount":9223372036854775808,"currency":"KRW"}}""",
        "$.amount.amount must be a whole number of at most 64 bits, not 9223372036854775808.")]
    [InlineData("""{"amount":{"amount":"1","currency":"KRW"}}""",
        "$.amount.amount must be a whole number of at most 64 bits, not a text.")]
    [InlineData("""{"amount":{"amount":1,"currency":null}}""", "$.amount.currency must be a text, not null.")]
    [InlineData("""{"amount":{"amount":1,"currency":"KRW","x":1}}""",
        "$.amount has no field \"x\". It takes amount, currency.")]
    [InlineData("""{"Amount":{}}""", "$ has no field \"Amount\". It takes amount, userId, capture, parts.")]
    [InlineData("""{"amount":{"amount":1,"amount":2,"currency":"KRW"}}""",
        "$.amount.amount is given twice. Send it once.")]
    [InlineData("""{"capture":"yes"}""", "$.capture must be true or false, not a text.")]
    [InlineData("""{"capture":null}""", "$.capture must be true or false, not null.")]
    [InlineData("""{"userId":7}""", "$.userId must be a text, not 7.")]
    [InlineData("""{"userId":"a\u0000b"}""", "$.userId contains the character U+0000. Remove it.")]
    [InlineData("""{"userId":"\ud800"}""",
        "The body is not JSON: a text in it is not valid UTF-8 or has half a surrogate pair.")]
    [InlineData("""{"parts":[1,"2"]}""", "$.parts[1] must be a whole number of at most 32 bits, not a text.")]
    public async Task Refuses_a_bad_body_and_says_where_and_what_is_expected(string json, string detail)
    {
        var (body, problem) = await ReadAsync(json);
        Assert.Null(body);
        Assert.Equal("invalid_body", problem!.Value.Code);
        Assert.EndsWith(detail, problem.Value.Detail);
    }

    [Fact]
    public async Task Takes_an_escaped_backslash_before_zeros()
    {
        var (body, problem) = await ReadAsync("""{"amount":{"amount":1,"currency":"KRW"},"userId":"\\u0000"}""");
        Assert.Null(problem);
        Assert.Equal("""\u0000""", body!.UserId);
    }

    [Fact]
    public async Task Refuses_bytes_that_are_not_UTF_8()
    {
        byte[] json = [.. Encoding.UTF8.GetBytes("""{"userId":" """), 0xFF, (byte)'"', (byte)'}'];
        var context = Request(json);
        Assert.Null(await Body.ReadAsync(context, StrictJson.Default.TestBody));
        Assert.Equal("invalid_body", ProblemOf(context)!.Value.Code);
    }

    [Theory]
    [InlineData("application/json", null, true)]
    [InlineData("application/json; charset=utf-8", null, true)]
    [InlineData("Application/JSON", null, true)]
    [InlineData("application/json; charset=latin1", null, false)]
    [InlineData("application/x-www-form-urlencoded", null, false)]
    [InlineData("text/json", null, false)]
    [InlineData(null, null, false)]
    [InlineData("application/json", "gzip", false)]
    public async Task Takes_only_plain_JSON_by_its_content_type(string? type, string? encoding, bool isTaken)
    {
        var context = Request(Encoding.UTF8.GetBytes(Good));
        context.Request.ContentType = type;
        context.Request.Headers.ContentEncoding = encoding;
        Assert.Equal(isTaken, await Body.ReadAsync(context, StrictJson.Default.TestBody) is not null);
        Assert.Equal(isTaken ? null : "unsupported_media_type", ProblemOf(context)?.Code);
    }

    [Fact]
    public async Task Refuses_a_body_over_the_limit_by_its_length()
    {
        var context = Request(Encoding.UTF8.GetBytes(Good));
        context.Features.Set<IHttpMaxRequestBodySizeFeature>(new Limit { MaxRequestBodySize = 10 });
        Assert.Null(await Body.ReadAsync(context, StrictJson.Default.TestBody));
        Assert.Equal("body_too_large", ProblemOf(context)!.Value.Code);
        Assert.Equal(413, context.Response.StatusCode);
    }

    [Fact]
    public async Task An_absent_body_means_the_default_only_where_the_route_says_so()
    {
        var fallback = new TestBody(new(0, "KRW"));
        var context = Request([]);
        context.Request.ContentType = null;
        Assert.Same(fallback, await Body.ReadAsync(context, StrictJson.Default.TestBody, fallback));
        Assert.Null(ProblemOf(context));

        Assert.Null(await Body.ReadAsync(context, StrictJson.Default.TestBody));
        Assert.NotNull(ProblemOf(context));
    }

    [Fact]
    public async Task Loose_JSON_options_are_a_bug() => await Assert.ThrowsAsync<InvariantViolatedException>(
        async () => await Body.ReadAsync(Request([]), LooseJson.Default.TestAmount));

    private static async Task<(TestBody? Body, (string Code, string Detail)? Problem)> ReadAsync(string json)
    {
        var context = Request(Encoding.UTF8.GetBytes(json));
        var body = await Body.ReadAsync(context, StrictJson.Default.TestBody);
        return (body, ProblemOf(context));
    }

    private static DefaultHttpContext Request(byte[] body)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = "POST";
        context.Request.ContentType = "application/json";
        context.Request.ContentLength = body.Length;
        context.Request.Body = new MemoryStream(body);
        context.Response.Body = new MemoryStream();
        return context;
    }

    private static (string Code, string Detail)? ProblemOf(HttpContext context)
    {
        var written = ((MemoryStream)context.Response.Body).ToArray();
        if (written.Length == 0)
        {
            return null;
        }

        using var problem = JsonDocument.Parse(written);
        var root = problem.RootElement;
        return (root.GetProperty("code").GetString()!, root.GetProperty("detail").GetString()!);
    }

    private sealed class Limit : IHttpMaxRequestBodySizeFeature
    {
        public bool IsReadOnly => false;

        public long? MaxRequestBodySize { get; set; }
    }
}
