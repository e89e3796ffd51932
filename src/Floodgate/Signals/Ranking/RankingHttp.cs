using System.Globalization;
using System.Text.Json;
using Floodgate.Access;

namespace Floodgate.Signals.Ranking;

/// <summary>The routes of the rankings; anybody may look.</summary>
internal sealed class RankingHttp(RankingBoard board, RankingSettings settings)
{
    private const int FastDefault = 10;
    private const int TopDefault = 5;

    // What lies between may keep an answer as long as the board keeps one.
    private const string CacheControl = "public, max-age=2";

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/rankings/fast-selling", Who.Public, FastAsync);
        routes.Map("GET", "/v1/rankings/top", Who.Public, TopAsync);
    }

    private async Task FastAsync(HttpContext context, Caller caller)
    {
        Guid? saleId = null;
        if (context.Request.Query.TryGetValue("saleId", out var text))
        {
            if (!Guid.TryParseExact(text, "D", out var id))
            {
                await Problem.WriteAsync(context, Problems.InvalidParameter, "saleId must be the id of a sale.");
                return;
            }

            saleId = id;
        }

        if (await ReadAsync(context, "limit", FastDefault, RankingBoard.ProductsMax) is { } limit)
        {
            var sellers = await board.FastAsync(saleId, limit);
            context.Response.Headers.CacheControl = CacheControl;
            await Answer.WriteAsync(context, 200, (sellers, settings.WindowMinutes), WriteFast);
        }
    }

    private async Task TopAsync(HttpContext context, Caller caller)
    {
        if (await ReadAsync(context, "days", settings.DaysKept, settings.DaysKept) is { } days
            && await ReadAsync(context, "limit", TopDefault, RankingBoard.ProductsMax) is { } limit)
        {
            var sellers = await board.TopAsync(days, limit);
            context.Response.Headers.CacheControl = CacheControl;
            await Answer.WriteAsync(context, 200, (sellers, days), WriteTop);
        }
    }

    private static void WriteFast(Utf8JsonWriter json, (IReadOnlyList<FastSeller> Sellers, int WindowMinutes) it)
    {
        json.WriteStartObject();
        json.WriteNumber("windowSeconds", it.WindowMinutes * 60);
        json.WriteStartArray("data");
        foreach (var (index, seller) in it.Sellers.Index())
        {
            json.WriteStartObject();
            Write(json, index, seller.Product);
            json.WriteNumber("units", seller.Units);
            var tenths = seller.TenthsPerMinute(it.WindowMinutes);
            json.WritePropertyName("unitsPerMinute");
            json.WriteRawValue(string.Create(CultureInfo.InvariantCulture, $"{tenths / 10}.{tenths % 10}"));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteTop(Utf8JsonWriter json, (IReadOnlyList<TopSeller> Sellers, int Days) it)
    {
        json.WriteStartObject();
        json.WriteNumber("days", it.Days);
        json.WriteStartArray("data");
        foreach (var (index, seller) in it.Sellers.Index())
        {
            json.WriteStartObject();
            Write(json, index, seller.Product);
            json.WriteNumber("units", seller.Units);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, int index, RankedProduct product)
    {
        json.WriteNumber("rank", index + 1);
        json.WriteString("productId", product.ProductId);
        json.WriteString("saleId", product.SaleId);
        json.WriteString("name", product.Name);
        json.WriteString("soldOutAt", product.SoldOutAt?.ToString());
    }

    private static async ValueTask<int?> ReadAsync(HttpContext context, string name, int fallback, int max)
    {
        if (!context.Request.Query.TryGetValue(name, out var text))
        {
            return fallback;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && value >= 1 && value <= max)
        {
            return value;
        }

        await Problem.WriteAsync(
            context, Problems.InvalidParameter, $"{name} must be a whole number from 1 to {max}.");
        return null;
    }
}
