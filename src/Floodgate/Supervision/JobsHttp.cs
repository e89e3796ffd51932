using System.Text.Json;
using Floodgate.Access;
using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>The operator's view of jobs: when they are due, how they ended, and a start by hand.</summary>
internal sealed class JobsHttp(JobBoard board)
{
    private static readonly ProblemKind JobNotFound = new(404, "job_not_found", "There is no such job.");
    private static readonly Guid Newest = new("ffffffff-ffff-ffff-ffff-ffffffffffff");

    private const int PageMax = 200;

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/ops/jobs", Who.Admin, ListAsync);
        routes.Map("GET", "/v1/ops/jobs/{name}/runs", Who.Admin, ListRunsAsync);
        routes.Map("POST", "/v1/ops/jobs/{name}/runs", Who.Admin, StartAsync);
    }

    /// <summary>Writes a run.</summary>
    public static void Write(Utf8JsonWriter json, JobRun run)
    {
        json.WriteStartObject();
        json.WriteString("id", run.Id);
        json.WriteString("job", run.Job);
        json.WriteBoolean("manual", run.IsManual);
        json.WriteString("dueAt", new UtcInstant(run.DueMs).ToString());
        json.WriteString("state", run.State.ToString().ToUpperInvariant());
        json.WriteNumber("attempts", run.Attempts);
        json.WriteNumber("token", run.Token);
        json.WriteString("node", run.Node);
        WriteMoment(json, "startedAt", run.StartedMs);
        WriteMoment(json, "endedAt", run.EndedMs);
        if (run.EndedMs > 0)
        {
            json.WriteNumber("durationMs", run.EndedMs - run.StartedMs);
        }
        else
        {
            json.WriteNull("durationMs");
        }

        json.WriteString("detail", run.Detail);
        json.WriteEndObject();
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        var jobs = await board.ListAsync(context.RequestAborted);
        await Answer.WritePageAsync(context, jobs, hasMore: false, static (json, status) =>
        {
            json.WriteStartObject();
            json.WriteString("name", status.Job.Name);
            json.WriteString("schedule", status.Job.Schedule?.Text);
            json.WriteString("timeZone", status.Job.Schedule?.Zone.Id);
            json.WriteString("nextDueAt", status.NextDue?.ToString());
            json.WritePropertyName("lastRun");
            if (status.LastRun is { } run)
            {
                Write(json, run);
            }
            else
            {
                json.WriteNullValue();
            }

            json.WriteEndObject();
        });
    }

    private async Task ListRunsAsync(HttpContext context, Caller caller)
    {
        if (await NameAsync(context) is { } name && await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            var before = paging.After == Guid.Empty ? Newest : paging.After;
            var found = await board.RunsAsync(name, before, paging.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, paging.Limit)], found.Count > paging.Limit, Write);
        }
    }

    private async Task StartAsync(HttpContext context, Caller caller)
    {
        if (await NameAsync(context) is { } name
            && await board.StartAsync(name, context.RequestAborted) is { } run)
        {
            await Answer.WriteAsync(context, 202, run, Write);
        }
    }

    private async ValueTask<string?> NameAsync(HttpContext context)
    {
        var name = (string?)context.Request.RouteValues["name"];
        if (board.Find(name ?? "") is { } job)
        {
            return job.Name;
        }

        await Problem.WriteAsync(
            context, JobNotFound, $"The jobs are {string.Join(", ", board.Jobs.Select(job => job.Name))}.");
        return null;
    }

    private static void WriteMoment(Utf8JsonWriter json, string name, long ms)
    {
        if (ms > 0)
        {
            json.WriteString(name, new UtcInstant(ms).ToString());
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
