using System.Globalization;

namespace Floodgate.Access;

/// <summary>A page asked for by <c>limit</c> and <c>starting_after</c>.</summary>
/// <param name="Limit">How many, at least 1.</param>
/// <param name="After">The last id of the page before; empty for the first page.</param>
public sealed record Paging(int Limit, Guid After)
{
    private const int LimitDefault = 100;

    /// <summary>Reads both parameters; null after the request was refused with <c>invalid_parameter</c>.</summary>
    public static async ValueTask<Paging?> ReadAsync(HttpContext context, int limitMax)
    {
        var query = context.Request.Query;
        var limit = LimitDefault;
        if (query.TryGetValue("limit", out var text)
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit >= 1 && limit <= limitMax))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, $"limit must be a whole number from 1 to {limitMax}.");
            return null;
        }

        var after = Guid.Empty;
        if (query.TryGetValue("starting_after", out var cursor) && !Guid.TryParseExact(cursor, "D", out after))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "starting_after must be the last id of the page before.");
            return null;
        }

        return new Paging(limit, after);
    }
}
