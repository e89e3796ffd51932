using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>Every statement of the embedded log.</summary>
internal static class LogSql
{
    public static readonly Migration[] Migrations =
    [
        new("log-001", """
            create table log_partition (
                id bigint primary key,
                topic text not null,
                partition_no bigint not null,
                next_offset bigint not null,
                unique (topic, partition_no)
            ) {room for updates};
            create table log_event (
                partition_id bigint not null,
                at_offset bigint not null,
                key text not null,
                type text not null,
                payload text not null,
                at_ms bigint not null,
                primary key (partition_id, at_offset)
            ) {clustered};
            create table log_group_offset (
                group_name text not null,
                partition_id bigint not null,
                next_offset bigint not null,
                primary key (group_name, partition_id)
            ) {room for updates};
            create table log_dead_letter (
                id {id} primary key,
                group_name text not null,
                topic text not null,
                partition_no bigint not null,
                at_offset bigint not null,
                key text not null,
                type text not null,
                payload text not null,
                error text not null,
                attempts bigint not null,
                state text not null check (state in ('OPEN', 'REPLAYED', 'DISCARDED')),
                at_ms bigint not null,
                closed_ms bigint not null,
                unique (group_name, topic, partition_no, at_offset)
            );
            create index log_dead_letter_state on log_dead_letter (state, id)
            """),
    ];

    private static readonly Statement InsertPartitions = new(
        """
        insert into log_partition (id, topic, partition_no, next_offset)
        select rows.id, rows.topic, rows.partition_no, 0 from {rows} where true on conflict do nothing
        """,
        Column.Long("id"), Column.Text("topic"), Column.Long("partition_no"));

    // What is stored under the topic's name, or under its number.
    private static readonly Statement SelectTopics = new(
        """
        select p.topic, min(p.id), count(*)
        from {rows} join log_partition p on p.topic = rows.topic or p.id between rows.first_id and rows.last_id
        group by p.topic order by p.topic
        """,
        Column.Text("topic"), Column.Long("first_id"), Column.Long("last_id"));

    private static readonly Statement LockHeads = new(
        "select p.id from {rows} join log_partition p on p.id = rows.id order by p.id {for update}",
        Column.Long("id"));

    private static readonly Statement AdvanceHeads = new(
        """
        update log_partition set next_offset = next_offset + rows.added
        from {rows} where log_partition.id = rows.id
        returning log_partition.id, log_partition.next_offset
        """,
        Column.Long("id"), Column.Long("added"));

    private static readonly Statement InsertEvents = new(
        """
        insert into log_event (partition_id, at_offset, key, type, payload, at_ms)
        select rows.partition_id, rows.at_offset, rows.key, rows.type, rows.payload, rows.at_ms from {rows}
        """,
        Column.Long("partition_id"), Column.Long("at_offset"), Column.Text("key"), Column.Text("type"),
        Column.Text("payload"), Column.Long("at_ms"));

    // One range scan of the primary key for each partition, however large the table and whatever the planner
    // believes about it. A join would let PostgreSQL scan the table and SQLite sort all that is left of the partition
    // (both do); a lateral limit and scalar subqueries leave them no choice.
    internal static readonly Statement SelectEvents = new(
        """
        select e.partition_id, e.at_offset, e.key, e.type, e.payload, e.at_ms
        from {rows} cross join lateral (
            select v.partition_id, v.at_offset, v.key, v.type, v.payload, v.at_ms from log_event v
            where v.partition_id = rows.partition_id and v.at_offset >= rows.from_offset
            order by v.at_offset limit rows.events_max) e
        order by e.partition_id, e.at_offset
        """,
        """
        select e.partition_id, e.at_offset, e.key, e.type, e.payload, e.at_ms from log_event e
        where e.partition_id = (select rows.partition_id from {rows})
            and e.at_offset >= (select rows.from_offset from {rows})
        order by e.at_offset limit (select rows.events_max from {rows})
        """,
        [Column.Long("partition_id"), Column.Long("from_offset"), Column.Long("events_max")]);

    private static readonly Statement SelectHead = new(
        "select p.next_offset from {rows} join log_partition p on p.id = rows.id", Column.Long("id"));

    // A new group begins with the oldest event there is.
    private static readonly Statement InsertGroup = new(
        """
        insert into log_group_offset (group_name, partition_id, next_offset)
        select rows.group_name, p.id,
            coalesce((select min(e.at_offset) from log_event e where e.partition_id = p.id), p.next_offset)
        from {rows} join log_partition p on p.id = rows.partition_id where true
        on conflict (group_name, partition_id) do nothing
        """,
        Column.Text("group_name"), Column.Long("partition_id"));

    private static readonly Statement SelectOffsets = new(
        """
        select o.partition_id, o.next_offset, p.next_offset
        from {rows} join log_group_offset o on o.group_name = rows.group_name
        join log_partition p on p.id = o.partition_id order by o.partition_id
        """,
        Column.Text("group_name"));

    // A group that has not read yet has everything before it.
    private static readonly Statement SelectLags = new(
        """
        select p.next_offset - coalesce(o.next_offset, 0)
        from {rows} join log_partition p on p.topic = rows.topic
        left join log_group_offset o on o.group_name = rows.group_name and o.partition_id = p.id
        """,
        Column.Text("group_name"), Column.Text("topic"));

    // As many rows as there are groups and topics.
    private static readonly Statement SelectTopicLags = new(
        """
        select o.group_name, p.topic, cast(sum(p.next_offset - o.next_offset) as bigint)
        from log_group_offset o join log_partition p on p.id = o.partition_id
        group by o.group_name, p.topic order by o.group_name, p.topic
        """);

    private static readonly Statement LockOffsets = new(
        """
        select o.partition_id from {rows} join log_group_offset o
            on o.group_name = rows.group_name and o.partition_id = rows.partition_id
        order by o.partition_id {for update}
        """,
        Column.Text("group_name"), Column.Long("partition_id"));

    private static readonly Statement UpdateOffsets = new(
        """
        update log_group_offset set next_offset = rows.next_offset from {rows}
        where log_group_offset.group_name = rows.group_name
            and log_group_offset.partition_id = rows.partition_id
            and log_group_offset.next_offset < rows.next_offset
        """,
        Column.Text("group_name"), Column.Long("partition_id"), Column.Long("next_offset"));

    // Only the oldest are looked at, so a sweep that finds nothing costs the same however many events there are.
    private static readonly Statement SelectOldestRead = new(
        """
        select e.at_offset, e.at_ms from log_event e
        where e.partition_id = (select rows.partition_id from {rows}) and e.at_offset < (
            select coalesce(min(o.next_offset), 9223372036854775807)
            from log_group_offset o where o.partition_id = (select rows.partition_id from {rows}))
        order by e.at_offset limit 1000
        """,
        Column.Long("partition_id"));

    private static readonly Statement DeleteUpTo = new(
        """
        delete from log_event where partition_id = (select rows.partition_id from {rows})
            and at_offset <= (select rows.last_offset from {rows})
        """,
        Column.Long("partition_id"), Column.Long("last_offset"));

    private static readonly Statement InsertDeadLetters = new(
        """
        insert into log_dead_letter (id, group_name, topic, partition_no, at_offset, key, type, payload,
            error, attempts, state, at_ms, closed_ms)
        select rows.id, rows.group_name, rows.topic, rows.partition_no, rows.at_offset, rows.key, rows.type,
            rows.payload, rows.error, rows.attempts, 'OPEN', rows.at_ms, 0
        from {rows} where true on conflict (group_name, topic, partition_no, at_offset) do nothing
        """,
        Column.Id("id"), Column.Text("group_name"), Column.Text("topic"), Column.Long("partition_no"),
        Column.Long("at_offset"), Column.Text("key"), Column.Text("type"), Column.Text("payload"),
        Column.Text("error"), Column.Long("attempts"), Column.Long("at_ms"));

    private static readonly Statement SelectDeadLetters = new(
        """
        select d.id, d.group_name, d.topic, d.partition_no, d.at_offset, d.key, d.type, d.payload, d.error,
            d.attempts, d.state, d.at_ms
        from {rows} join log_dead_letter d on d.state = rows.state and d.id > rows.after
        order by d.id limit 200
        """,
        Column.Text("state"), Column.Id("after"));

    private static readonly Statement CloseDeadLetter = new(
        """
        update log_dead_letter set state = rows.state, closed_ms = rows.now_ms from {rows}
        where log_dead_letter.id = rows.id and log_dead_letter.state = 'OPEN'
        returning log_dead_letter.id, log_dead_letter.group_name, log_dead_letter.topic,
            log_dead_letter.partition_no, log_dead_letter.at_offset, log_dead_letter.key, log_dead_letter.type,
            log_dead_letter.payload, log_dead_letter.error, log_dead_letter.attempts, log_dead_letter.state,
            log_dead_letter.at_ms
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("now_ms"));

    private static readonly Statement CountOpenDeadLetters = new(
        "select count(*) from log_dead_letter where state = 'OPEN'");

    public static void CreatePartitions(Tx tx, Topic topic) => tx.Queue(
        InsertPartitions,
        Rows.Over(Enumerable.Range(0, topic.Partitions).ToList())
            .Long(p => topic.PartitionId(p)).Text(_ => topic.Name).Long(p => p));

    /// <summary>The topics that are stored under this one's name or number, and their partitions.</summary>
    public static ValueTask<List<(string Name, long FirstId, long Partitions)>> SelectTopicsAsync(
        Tx tx, Topic topic) =>
        tx.QueryAsync(
            SelectTopics,
            Rows.One(topic).Text(t => t.Name).Long(t => t.PartitionId(0))
                .Long(t => t.PartitionId(Topic.PartitionsMax - 1)),
            r => (r.Text(0), r.Long(1), r.Long(2)));

    /// <summary>Locks the partitions' heads in order and moves them; the first new offset of each.</summary>
    public static async ValueTask<Dictionary<long, long>> AdvanceAsync(
        Tx tx, IReadOnlyList<(long Partition, int Added)> heads)
    {
        tx.Queue(LockHeads, Rows.Over(heads).Long(h => h.Partition));
        var moved = await tx.QueryAsync(
            AdvanceHeads,
            Rows.Over(heads).Long(h => h.Partition).Long(h => h.Added),
            r => (Partition: r.Long(0), Next: r.Long(1)));
        Invariant.Check(moved.Count == heads.Count, "topics are created before events are appended to them");
        var next = moved.ToDictionary(m => m.Partition, m => m.Next);
        return heads.ToDictionary(h => h.Partition, h => next[h.Partition] - h.Added);
    }

    public static void Insert(Tx tx, IReadOnlyList<(long Partition, long Offset, NewEvent Event)> events, long nowMs) =>
        tx.Queue(
            InsertEvents,
            Rows.Over(events).Long(e => e.Partition).Long(e => e.Offset).Text(e => e.Event.Key)
                .Text(e => e.Event.Type).Text(e => e.Event.Payload).Long(_ => nowMs));

    public static ValueTask<List<T>> SelectAsync<T>(
        Tx tx, IReadOnlyList<(long Partition, long From, int Max)> ranges, Func<Row, T> map) => tx.QueryAsync(
            SelectEvents, Rows.Over(ranges).Long(r => r.Partition).Long(r => r.From).Long(r => r.Max), map);

    /// <summary>The offset that the partition's next event will get; 0 for one that is not there.</summary>
    public static async ValueTask<long> HeadAsync(Tx tx, long partition) =>
        (await tx.QueryAsync(SelectHead, Rows.One(partition).Long(p => p), r => r.Long(0))).FirstOrDefault();

    /// <summary>The heads are locked so that no sweep deletes what the new group begins with.</summary>
    public static void CreateGroup(Tx tx, string group, IReadOnlyList<long> partitions)
    {
        tx.Queue(LockHeads, Rows.Over(partitions).Long(p => p));
        tx.Queue(InsertGroup, Rows.Over(partitions).Text(_ => group).Long(p => p));
    }

    public static ValueTask<List<(long Partition, long Committed, long Head)>> SelectOffsetsAsync(
        Tx tx, string group) => tx.QueryAsync(
            SelectOffsets, Rows.One(group).Text(g => g), r => (r.Long(0), r.Long(1), r.Long(2)));

    public static async ValueTask<long> LagAsync(Tx tx, string group, IReadOnlyList<Topic> topics) =>
        (await tx.QueryAsync(SelectLags, Rows.Over(topics).Text(_ => group).Text(t => t.Name), r => r.Long(0))).Sum();

    public static ValueTask<List<TopicLag>> SelectTopicLagsAsync(Tx tx) =>
        tx.QueryAsync(SelectTopicLags, Rows.None, r => new TopicLag(r.Text(0), r.Text(1), r.Long(2)));

    public static void CommitOffsets(Tx tx, string group, IReadOnlyList<GroupOffset> offsets)
    {
        tx.Queue(LockOffsets, Rows.Over(offsets).Text(_ => group).Long(o => o.Topic.PartitionId(o.Partition)));
        tx.Queue(
            UpdateOffsets,
            Rows.Over(offsets).Text(_ => group).Long(o => o.Topic.PartitionId(o.Partition))
                .Long(o => o.NextOffset));
    }

    /// <summary>
    /// Deletes the oldest events of a partition, up to the first that is young or unread; a limited number at a
    /// time, because appenders wait for the lock. How many went.
    /// </summary>
    public static async ValueTask<int> DeleteOldAsync(Tx tx, long partition, long beforeMs)
    {
        tx.Queue(LockHeads, Rows.One(partition).Long(p => p));
        var oldest = await tx.QueryAsync(
            SelectOldestRead, Rows.One(partition).Long(p => p), r => (Offset: r.Long(0), AtMs: r.Long(1)));
        var old = oldest.TakeWhile(e => e.AtMs < beforeMs).ToList();
        if (old.Count > 0)
        {
            tx.Queue(DeleteUpTo, Rows.One(partition).Long(p => p).Long(_ => old[^1].Offset));
        }

        return old.Count;
    }

    public static void Insert(Tx tx, IReadOnlyList<DeadLetter> letters) => tx.Queue(
        InsertDeadLetters,
        Rows.Over(letters).Id(d => d.Id).Text(d => d.Group).Text(d => d.Topic).Long(d => d.Partition)
            .Long(d => d.Offset).Text(d => d.Key).Text(d => d.Type).Text(d => d.Payload).Text(d => d.Error)
            .Long(d => d.Attempts).Long(d => d.AtMs));

    public static ValueTask<List<DeadLetter>> SelectAsync(Tx tx, string state, Guid after) => tx.QueryAsync(
        SelectDeadLetters, Rows.One(state).Text(s => s).Id(_ => after), MapDeadLetter);

    public static async ValueTask<DeadLetter?> CloseAsync(Tx tx, Guid id, string state, long nowMs) =>
        (await tx.QueryAsync(
            CloseDeadLetter, Rows.One(id).Id(i => i).Text(_ => state).Long(_ => nowMs), MapDeadLetter))
        .FirstOrDefault();

    public static async ValueTask<long> CountOpenAsync(Tx tx) =>
        (await tx.QueryAsync(CountOpenDeadLetters, Rows.None, r => r.Long(0)))[0];

    private static DeadLetter MapDeadLetter(Row r) => new(
        r.Id(0), r.Text(1), r.Text(2), (int)r.Long(3), r.Long(4), r.Text(5), r.Text(6), r.Text(7), r.Text(8),
        (int)r.Long(9), r.Text(10), r.Long(11));
}
