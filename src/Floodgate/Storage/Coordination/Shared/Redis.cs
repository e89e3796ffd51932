using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Floodgate.Vocabulary;
using StackExchange.Redis;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>
/// The Redis that all nodes of an installation share. Nothing is kept there that is not also in the database or may be
/// lost, so nobody waits for it long: a call that fails or takes too long makes it <see cref="IsAway"/>, and from then
/// on calls answer null at once until the line works again in both directions.
/// </summary>
/// <remarks>
/// Whether it works is asked twice a second by a message to ourselves through the channel: that needs the line that
/// sends and the one that listens, so a server that hangs is noticed as well as one that is gone.
/// </remarks>
internal sealed class Redis : IAsyncDisposable
{
    /// <summary>How often the line is tried.</summary>
    public static readonly TimeSpan ProbeEvery = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan ProbeKept = TimeSpan.FromMinutes(1);

    private const int ConnectMs = 1_000;
    private const int ReconnectMs = 250;
    private const int HeartbeatMs = 250;

    // Set once.
    private readonly ConfigurationOptions options;
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;
    private readonly CoordinationLog log;
    private readonly CancellationTokenSource stopping = new();

    // Written by the start, read by all.
    private volatile ConnectionMultiplexer? line;
    private string prefix = "";
    private RedisChannel channel;
    private Task probing = Task.CompletedTask;

    // Written under the gate, read by all.
    private readonly Lock gate = new();
    private volatile bool isAway = true;
    private string reason = "it was not asked yet";

    // Of the one loop that probes, and of the messages that come in.
    private bool isSubscribed;
    private long beat = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))); // No other node's.
    private volatile Beat? awaited;

    /// <summary>What the settings name; nothing is opened yet.</summary>
    /// <exception cref="SettingsException">The text is no configuration of Redis.</exception>
    public Redis(CoordinationSettings settings, TimeProvider time, CoordinationLog log)
    {
        (this.time, this.log) = (time, log);
        timeout = TimeSpan.FromMilliseconds(settings.RedisTimeoutMs);
        options = CoordinationSettings.ParseRedis(settings.Redis, out var fault)
            ?? throw new SettingsException([$"Coordination:Redis is no configuration of Redis: {fault}"]);
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = ConnectMs;
        options.AsyncTimeout = settings.RedisTimeoutMs;
        options.SyncTimeout = settings.RedisTimeoutMs;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(ReconnectMs);
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(HeartbeatMs);
        options.ClientName = "floodgate";
    }

    /// <summary>True while it does not answer, or what others send does not arrive.</summary>
    public bool IsAway => isAway;

    /// <summary>Why it is away, as the end of a sentence.</summary>
    public string Reason
    {
        get
        {
            lock (gate)
            {
                return reason;
            }
        }
    }

    /// <summary>It is there again, or for the first time: whatever was sent meanwhile may have been missed.</summary>
    public event Action? Returned;

    /// <summary>A message of the channel, also our own; never called by two at once.</summary>
    public event Action<ReadOnlyMemory<byte>>? Heard;

    /// <summary>
    /// Connects, and goes on trying behind. Keys and channel of two installations on one Redis never meet, because they
    /// begin with the installation's code.
    /// </summary>
    public async Task StartAsync(string code)
    {
        prefix = $"floodgate:{code}:";
        channel = RedisChannel.Literal(prefix + "news");
        try
        {
            await ProbeAsync();
        }
        catch (Exception error) when (IsOfRedis(error))
        {
            Lose(error.Message);
        }

        probing = Task.Run(ProbeOnAsync);
    }

    /// <summary>
    /// Runs a script on keys of this installation; all of it happens, or nothing. Null when Redis is away: then it may
    /// have run or not.
    /// </summary>
    public async ValueTask<RedisResult?> RunAsync(string script, IReadOnlyList<string> keys, RedisValue[] values)
    {
        if (isAway || line is not { } open)
        {
            return null;
        }

        try
        {
            var names = new RedisKey[keys.Count];
            for (var i = 0; i < names.Length; i++)
            {
                names[i] = prefix + keys[i];
            }

            return await open.GetDatabase().ScriptEvaluateAsync(script, names, values).WaitAsync(timeout, time);
        }
        catch (Exception error) when (IsOfRedis(error))
        {
            Lose(error.Message);
            return null;
        }
    }

    /// <summary>Sends to all nodes that listen; false when it is away: then it may have arrived or not.</summary>
    public async ValueTask<bool> SendAsync(ReadOnlyMemory<byte> message)
    {
        if (isAway || line is not { } open)
        {
            return false;
        }

        try
        {
            await open.GetSubscriber().PublishAsync(channel, message).WaitAsync(timeout, time);
            return true;
        }
        catch (Exception error) when (IsOfRedis(error))
        {
            Lose(error.Message);
            return false;
        }
    }

    /// <summary>Ends the connection; twice is harmless.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await probing;
        if (line is { } open)
        {
            line = null;
            isAway = true;
            await open.DisposeAsync();
        }
    }

    private async Task ProbeOnAsync()
    {
        using var timer = new PeriodicTimer(ProbeEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                try
                {
                    await ProbeAsync();
                }
                catch (Exception error) when (IsOfRedis(error))
                {
                    Lose(error.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async Task ProbeAsync()
    {
        var open = line ??= await ConnectAsync();
        var subscriber = open.GetSubscriber();
        if (!isSubscribed)
        {
            // Again from the start: what is left of a subscription that never came about would hear everything twice.
            // One that did is made again by the client on each new line.
            await subscriber.UnsubscribeAsync(channel).WaitAsync(timeout, time);
            (await subscriber.SubscribeAsync(channel).WaitAsync(timeout, time)).OnMessage(Hear);
            isSubscribed = true;
        }

        // A replica that only reads would pass the message on and refuse everything else.
        var mine = new Beat(++beat);
        await open.GetDatabase().StringSetAsync(prefix + "probe", mine.Number, ProbeKept).WaitAsync(timeout, time);
        awaited = mine;
        await subscriber.PublishAsync(channel, BitConverter.GetBytes(mine.Number)).WaitAsync(timeout, time);
        await mine.Heard.Task.WaitAsync(timeout, time);
        Return();
    }

    private async Task<ConnectionMultiplexer> ConnectAsync()
    {
        var opened = await ConnectionMultiplexer.ConnectAsync(options);
        opened.ConnectionFailed += (_, lost) => Lose($"the connection broke ({lost.FailureType})");
        return opened;
    }

    // A beat is shorter than any news.
    private void Hear(ChannelMessage message)
    {
        var body = (ReadOnlyMemory<byte>)message.Message;
        if (body.Length == sizeof(long))
        {
            if (awaited is { } mine && mine.Number == BitConverter.ToInt64(body.Span))
            {
                mine.Heard.TrySetResult();
            }

            return;
        }

        try
        {
            Heard?.Invoke(body);
        }
        catch (Exception error) // The edge of the loop: one message that is not understood costs no other.
        {
            log.NewsFailed(error);
        }
    }

    private void Return()
    {
        lock (gate)
        {
            if (!isAway)
            {
                return;
            }

            (isAway, reason) = (false, "");
        }

        log.RedisIs(away: false, "");
        Returned?.Invoke();
    }

    private void Lose(string why)
    {
        lock (gate)
        {
            if (isAway || stopping.IsCancellationRequested)
            {
                reason = isAway ? why : reason;
                return;
            }

            (isAway, reason) = (true, why);
        }

        log.RedisIs(away: true, why);
    }

    private static bool IsOfRedis([NotNullWhen(true)] Exception? error) =>
        error is RedisException or TimeoutException or RedisCommandException or ObjectDisposedException;

    private sealed record Beat(long Number)
    {
        public TaskCompletionSource Heard { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
