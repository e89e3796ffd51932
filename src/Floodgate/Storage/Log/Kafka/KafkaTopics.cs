using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// Whether the cluster can be reached and has the topics, with partitions enough; what is missing is created. Asked at
/// the start and every few seconds after: a cluster that is not there yet is waited for, and nothing is sent before.
/// A topic with more partitions than needed is taken as it is: a key's partition is chosen here, so the others stay
/// empty.
/// </summary>
internal sealed class KafkaTopics(
    KafkaClient client, KafkaSettings settings, IReadOnlyList<Topic> topics, LogLog log, TimeProvider time)
    : BackgroundService
{
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan CreateWithin = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string? fault = "has not been asked yet.";
    private volatile bool isRetentionTold;

    /// <summary>Completes when all topics were found for the first time.</summary>
    public Task Ready => ready.Task;

    /// <summary>What is missing now, as the end of a sentence that says what to do; null when all is there.</summary>
    public string? Fault => fault;

    /// <summary>Asks once. A cluster that does not answer is a <see cref="Fault"/>, for now.</summary>
    /// <exception cref="SettingsException">A topic has fewer partitions than needed.</exception>
    public async ValueTask LookAsync(CancellationToken cancel)
    {
        using var admin = client.Admin();
        await LookAsync(admin, cancel);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(AskEvery, time);
        using var admin = client.Admin();
        try
        {
            do
            {
                try
                {
                    await LookAsync(admin, stoppingToken);
                    await TellRetentionAsync(admin);
                }
                catch (SettingsException error)
                {
                    log.TopicsWrong(error.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async ValueTask LookAsync(IAdminClient admin, CancellationToken cancel)
    {
        var before = fault;
        try
        {
            var (missing, brokers) = await MissingAsync(admin, cancel);
            fault = missing.Count == 0 ? null : await CreateAsync(admin, missing, brokers);
            if (missing.Count > 0 && fault is null)
            {
                (missing, _) = await MissingAsync(admin, cancel);
                fault = missing.Count == 0 ? null : $"does not have topic {missing[0].Name} yet; it is asked again.";
            }
        }
        catch (KafkaException error)
        {
            fault = $"is {client.BootstrapServers}, where no broker answers ({error.Error.Reason}). Start the brokers "
                + "or correct the address; payments are taken and wait meanwhile.";
        }

        if (fault is null)
        {
            ready.TrySetResult();
        }
        else if (fault != before)
        {
            log.TopicsWrong($"Log:Kafka:BootstrapServers {fault}");
        }
    }

    private async ValueTask<(List<Topic> Missing, int Brokers)> MissingAsync(
        IAdminClient admin, CancellationToken cancel)
    {
        // The client blocks, up to its time-out.
        var found = await Task.Run(() => admin.GetMetadata(AnswerWithin), cancel);
        var partitions = found.Topics.Where(t => !t.Error.IsError).ToDictionary(t => t.Topic, t => t.Partitions.Count);
        var few = topics.Where(t => partitions.TryGetValue(t.Name, out var count) && count < t.Partitions).ToList();
        if (few.Count > 0)
        {
            fault = string.Join(" ", few.Select(topic =>
                $"is {client.BootstrapServers}, whose topic {topic.Name} has {partitions[topic.Name]} partitions where "
                + $"{topic.Partitions} are needed. Add them (kafka-topics.sh --alter --topic {topic.Name} --partitions "
                + $"{topic.Partitions}), or name another cluster."));
            throw new SettingsException([$"Log:Kafka:BootstrapServers {fault}"]);
        }

        return ([.. topics.Where(t => !partitions.ContainsKey(t.Name))], found.Brokers.Count);
    }

    private async ValueTask<string?> CreateAsync(IAdminClient admin, List<Topic> missing, int brokers)
    {
        try
        {
            await admin.CreateTopicsAsync(
                missing.Select(topic => new TopicSpecification
                {
                    Name = topic.Name,
                    NumPartitions = topic.Partitions,
                    ReplicationFactor = (short)Math.Clamp(settings.Replicas, 1, Math.Max(1, brokers)),
                    Configs = new() { ["retention.ms"] = $"{RetentionMs(topic)}" },
                }),
                new() { RequestTimeout = CreateWithin, OperationTimeout = CreateWithin });
            return null;
        }
        catch (CreateTopicsException error)
            when (error.Results.All(r => !r.Error.IsError || r.Error.Code == ErrorCode.TopicAlreadyExists))
        {
            return null; // Another node was faster.
        }
        catch (KafkaException error)
        {
            var names = string.Join(", ", missing.Select(t => $"{t.Name} ({t.Partitions} partitions)"));
            return $"is {client.BootstrapServers}, where topics are missing that could not be created "
                + $"({error.Error.Reason}). Create them or allow it: {names}.";
        }
    }

    // Events that the cluster forgot are read from the table, so this is told and not refused.
    private async ValueTask TellRetentionAsync(IAdminClient admin)
    {
        if (fault is not null || isRetentionTold)
        {
            return;
        }

        isRetentionTold = true;
        try
        {
            var found = await admin.DescribeConfigsAsync(
                topics.Select(t => new ConfigResource { Name = t.Name, Type = ResourceType.Topic }),
                new() { RequestTimeout = CreateWithin });
            foreach (var topic in topics)
            {
                var entries = found.Single(f => f.ConfigResource.Name == topic.Name).Entries;
                if (entries.TryGetValue("retention.ms", out var entry)
                    && long.TryParse(entry.Value, out var ms) && ms >= 0 && ms < RetentionMs(topic))
                {
                    log.RetentionShort(topic.Name, ms, RetentionMs(topic));
                }
            }
        }
        catch (KafkaException error)
        {
            log.OfClient($"retention could not be asked for: {error.Error.Reason}");
        }
    }

    private static long RetentionMs(Topic topic) => (long)TimeSpan.FromDays(topic.RetentionDays).TotalMilliseconds;
}
