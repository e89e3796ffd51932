using System.Runtime.InteropServices;

namespace Floodgate.Load.Reports;

/// <summary>Finds out what machine this is.</summary>
internal static class Machine
{
    /// <summary>
    /// Cores, CPU, memory and system of this machine; what cannot be found out is said to be unknown.
    /// </summary>
    public static MachineFacts Facts() => new(
        Environment.ProcessorCount,
        CpuModel(),
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription);

    private static string CpuModel()
    {
        const string cpus = "/proc/cpuinfo";
        var line = File.Exists(cpus)
            ? File.ReadLines(cpus).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line?[(line.IndexOf(':') + 1)..].Trim() ?? $"unknown {RuntimeInformation.ProcessArchitecture}";
    }
}
