using System.Globalization;
using Floodgate.Storage.Database;

namespace Floodgate.Access;

/// <summary>A page asked for by <c>limit</c> and <c>starting_after</c>.</summary>
/// <param name="Limit">How many, at least 1.</param>
/// <param name="After">The last id of the page before; empty for the first page.</param>
public sealed record Paging(int Limit, Guid After)
{
    private const int LimitDefault = 100;
    private const string AfterName = "starting_after";

    /// <summary>Reads both parameters; null after the request was refused with <c>invalid_parameter</c>.</summary>
    public static async ValueTask<Paging?> ReadAsync(HttpContext context, int limitMax)
    {
        if (await ReadLimitAsync(context, limitMax) is not { } limit)
        {
            return null;
        }

        var after = Guid.Empty;
        if (context.Request.Query.TryGetValue(AfterName, out var cursor) && !Guid.TryParseExact(cursor, "D", out after))
        {
            await RefuseAfterAsync(context);
            return null;
        }

        return new Paging(limit, after);
    }

    /// <summary>Reads both where ids are texts; empty for the first page, null after the request was refused.</summary>
    public static async ValueTask<(int Limit, string After)?> ReadTextAsync(HttpContext context, int limitMax)
    {
        if (await ReadLimitAsync(context, limitMax) is not { } limit)
        {
            return null;
        }

        var after = context.Request.Query[AfterName].ToString();
        if (!Rows.CanKeep(after))
        {
            await RefuseAfterAsync(context);
            return null;
        }

        return (limit, after);
    }

    private static async ValueTask<int?> ReadLimitAsync(HttpContext context, int limitMax)
    {
        var limit = LimitDefault;
        if (context.Request.Query.TryGetValue("limit", out var text)
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                && limit >= 1 && limit <= limitMax))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, $"limit must be a whole number from 1 to {limitMax}.");
            return null;
        }

        return limit;
    }

    private static Task RefuseAfterAsync(HttpContext context) => Problem.WriteAsync(
        context, Problems.InvalidParameter, $"{AfterName} must be the last id of the page before.");
}

/// <summary>The <c>{id}</c> of a path.</summary>
public static class RouteId
{
    /// <summary>Reads it; null after the request was refused with this problem, because it is none of ours.</summary>
    public static async ValueTask<Guid?> ReadAsync(HttpContext context, ProblemKind unknown)
    {
        if (Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id))
        {
            return id;
        }

        await Problem.WriteAsync(context, unknown, "The id in the path is not one that was given out here.");
        return null;
    }
}
