using System.Runtime.InteropServices;

namespace Floodgate.Load.Traffic;

/// <summary>
/// Calls at a constant rate, each at its own moment: number <c>i</c> is due <c>i / rate</c> seconds after the start,
/// whatever happened to those before it. It rests until a moment is due and then hands over all that are.
/// </summary>
/// <param name="time">The clock of the schedule.</param>
/// <param name="rest">Waits for about the given span on this thread; the next look at the clock tells how long.</param>
internal sealed class Pacer(TimeProvider time, Action<TimeSpan> rest)
{
    /// <summary>The longest rest, so that a cancelled run ends soon.</summary>
    private static readonly TimeSpan RestMax = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Blocks its thread until all <paramref name="count"/> arrivals were handed to <paramref name="arrive"/> with
    /// their scheduled timestamps, in order, or until cancelled. Returns how many were.
    /// </summary>
    public int Run(int ratePerSecond, int count, Action<long> arrive, CancellationToken cancel)
    {
        var start = time.GetTimestamp();
        var handed = 0;
        while (handed < count && !cancel.IsCancellationRequested)
        {
            var now = time.GetTimestamp();
            var due = start + DueAfter(handed, ratePerSecond, time.TimestampFrequency);
            if (due <= now)
            {
                arrive(due);
                handed++;
                continue;
            }

            var wait = time.GetElapsedTime(now, due);
            rest(wait < RestMax ? wait : RestMax);
        }

        return handed;
    }

    /// <summary>When arrival <paramref name="number"/> is due, in clock ticks after the start. Never drifts.</summary>
    public static long DueAfter(long number, int ratePerSecond, long ticksPerSecond) =>
        (number / ratePerSecond * ticksPerSecond) + (number % ratePerSecond * ticksPerSecond / ratePerSecond);
}

/// <summary>
/// Rests far shorter than the timers of .NET (1 ms) can, without spinning: nanosleep with the kernel's timer slack of
/// this thread cut from 50 microseconds to 1. Spinning would take a core away from the server under test.
/// </summary>
internal static partial class PreciseRest
{
    private const int SetTimerSlack = 29;
    private static readonly EventWaitHandle Never = new(false, EventResetMode.ManualReset);

    /// <summary>Asks Linux to wake the calling thread on time; elsewhere it does nothing.</summary>
    public static void PrepareThread()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Prctl(SetTimerSlack, 1, 0, 0, 0);
        }
    }

    /// <summary>Rests for about <paramref name="span"/>, on Linux to some 10 microseconds.</summary>
    public static void For(TimeSpan span)
    {
        if (OperatingSystem.IsLinux())
        {
            var request = new TimeSpec { Seconds = span.Ticks / TimeSpan.TicksPerSecond };
            request.Nanoseconds = span.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick;
            _ = Nanosleep(in request, IntPtr.Zero);
        }
        else if (span >= TimeSpan.FromMilliseconds(2))
        {
            Never.WaitOne(span - TimeSpan.FromMilliseconds(1));
        }
        else
        {
            Thread.Yield();
        }
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Nanosleep(in TimeSpec request, IntPtr remaining);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Prctl(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
