using Floodgate.Load.Reports;

namespace Floodgate.Load.Target;

/// <summary>Measures what server and load tool use while something runs.</summary>
internal sealed class UseMeter(Session session)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs <paramref name="work"/> and returns its result beside what it used.</summary>
    public async Task<(T Done, ResourceUse Use)> WhileAsync<T>(Func<Task<T>> work, CancellationToken cancel)
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        var toolBefore = process.TotalProcessorTime;
        var before = await session.Api.UseAsync(cancel);
        var peak = before?.ResidentBytes;
        var running = work();
        using var ticks = new PeriodicTimer(LookEvery, session.Time);
        while (await Task.WhenAny(running, ticks.WaitForNextTickAsync(cancel).AsTask()) != running)
        {
            peak = Larger(peak, await TryUseAsync());
        }

        var done = await running;
        process.Refresh();
        var tool = (process.TotalProcessorTime - toolBefore).TotalSeconds;
        var after = await TryUseAsync();
        return (done, new ResourceUse(after?.CpuSeconds - before?.CpuSeconds, Larger(peak, after), tool));
    }

    private static long? Larger(long? peak, ServerUse? use) =>
        use is { } known ? Math.Max(peak ?? 0, known.ResidentBytes) : peak;

    private async Task<ServerUse?> TryUseAsync()
    {
        try
        {
            return await session.Api.UseAsync(CancellationToken.None);
        }
        catch (CannotRunException)
        {
            return null;
        }
    }
}
