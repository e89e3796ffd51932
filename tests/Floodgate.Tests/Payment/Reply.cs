using System.Net.Http.Headers;
using System.Text.Json;
using Xunit;

namespace Floodgate.Tests.Payment;

/// <summary>An answer, read whole.</summary>
internal sealed record Reply(int Status, string Text, HttpResponseHeaders Headers, string? MediaType)
{
    public JsonElement Json { get; } = Text.Length > 0 && Text[0] is '{' ? JsonElement.Parse(Text) : default;

    public string Id => Of("id");

    /// <summary>The stable code of a refusal, or null.</summary>
    public string? Code => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty("code", out var code)
        ? code.GetString() : null;

    public bool IsReplay => Headers.Contains("Idempotent-Replayed");

    public static async Task<Reply> ReadAsync(HttpResponseMessage response)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            return new(
                (int)response.StatusCode, text, response.Headers, response.Content.Headers.ContentType?.MediaType);
        }
    }

    /// <summary>What a failed assertion shows.</summary>
    public override string ToString() => $"{Status} {Text}";

    /// <summary>A field as text.</summary>
    public string Of(string name)
    {
        Assert.True(Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(name, out _), $"{Status} {Text}");
        return Json.GetProperty(name).ToString();
    }

    public long Number(string name) => long.Parse(Of(name), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Fails with the whole answer unless it has this status.</summary>
    public Reply Expect(int status)
    {
        Assert.True(Status == status, $"expected {status}: {Status} {Text}");
        return this;
    }

    /// <summary>Fails unless it is this refusal, complete.</summary>
    public Reply Refuses(int status, string code)
    {
        Assert.True(Status == status && Code == code, $"expected {status} {code}: {Status} {Text}");
        Assert.Equal("application/problem+json", MediaType);
        Assert.Equal($"urn:floodgate:problem:{code}", Of("type"));
        Assert.Equal(status, Number("status"));
        Assert.NotEqual("", Of("title"));
        Assert.True(Of("detail").Length > 15, $"says too little: {Text}");
        return this;
    }

    /// <summary>Fails unless the payment is in this state with these amounts.</summary>
    public Reply IsPayment(string status, long authorized, long captured, long refunded)
    {
        var (a, c, r) = (Number("authorized"), Number("captured"), Number("refunded"));
        Assert.True(
            (Of("status"), a, c, r) == (status, authorized, captured, refunded),
            $"expected {status} {authorized} {captured} {refunded}: {Text}");
        return this;
    }
}
