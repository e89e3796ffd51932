using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>Every statement of the relays; events and offsets are those of the table (<see cref="LogSql"/>).</summary>
internal static class KafkaSql
{
    public static readonly Migration[] Migrations =
    [
        new("log-002", """
            create table log_relay (
                node text not null primary key,
                seen_ms bigint not null
            ) {room for updates}
            """),
    ];

    private static readonly Statement UpsertRelay = new(
        """
        insert into log_relay (node, seen_ms) select rows.node, rows.seen_ms from {rows} where true
        on conflict (node) do update set seen_ms = excluded.seen_ms
        """,
        Column.Text("node"), Column.Long("seen_ms"));

    private static readonly Statement DeleteSilent = new(
        "delete from log_relay where seen_ms < (select rows.before_ms from {rows})", Column.Long("before_ms"));

    private static readonly Statement DeleteRelay = new(
        "delete from log_relay where node = (select rows.node from {rows})", Column.Text("node"));

    private static readonly Statement SelectRelays = new("select r.node from log_relay r");

    private static readonly Statement SelectHeads = new("select p.id, p.next_offset from log_partition p");

    private static readonly Statement DeleteGroup = new(
        "delete from log_group_offset where group_name = (select rows.group_name from {rows})",
        Column.Text("group_name"));

    /// <summary>
    /// Tells that the node is alive, forgets those that were silent for long, and answers who is left.
    /// </summary>
    public static async ValueTask<List<string>> MeetAsync(Tx tx, string node, long nowMs, long silentMs)
    {
        tx.Queue(UpsertRelay, Rows.One(node).Text(n => n).Long(_ => nowMs));
        tx.Queue(DeleteSilent, Rows.One(nowMs - silentMs).Long(ms => ms));
        return await tx.QueryAsync(SelectRelays, Rows.None, r => r.Text(0));
    }

    public static void Leave(Tx tx, string node) => tx.Queue(DeleteRelay, Rows.One(node).Text(n => n));

    /// <summary>The next offset of every partition there is.</summary>
    public static ValueTask<List<(long Partition, long Next)>> SelectHeadsAsync(Tx tx) =>
        tx.QueryAsync(SelectHeads, Rows.None, r => (r.Long(0), r.Long(1)));

    public static void ForgetGroup(Tx tx, string group) => tx.Queue(DeleteGroup, Rows.One(group).Text(g => g));
}
