using Floodgate.Access;

namespace Floodgate.Supervision;

/// <summary>One order's whole story, for operators.</summary>
internal sealed class AuditHttp(StoryBook book)
{
    private static readonly ProblemKind OrderNotFound = new(404, "order_not_found", "There is no such order.");

    /// <summary>Registers the route.</summary>
    public void Map(Routes routes) => routes.Map("GET", "/v1/ops/orders/{id}/story", Who.Admin, ShowAsync);

    private async Task ShowAsync(HttpContext context, Caller caller)
    {
        if (await RouteId.ReadAsync(context, OrderNotFound) is not { } id)
        {
            return;
        }

        if (await book.TellAsync(id, context.RequestAborted) is { } story)
        {
            await Answer.WritePageAsync(context, story, hasMore: false, static (json, line) => line.Write(json));
            return;
        }

        await Problem.WriteAsync(context, OrderNotFound, "GET /v1/orders lists those that are there.");
    }
}
