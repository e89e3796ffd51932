using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>Every statement about reconciliations, statements and findings.</summary>
internal static class ReconciliationSql
{
    /// <summary>Rows that one statement of a comparison looks at.</summary>
    public const int ChunkRows = 20_000;

    public static readonly Migration[] Migrations =
    [
        new("reconciliation-001", """
            create table reconciliation (
                id {id} primary key,
                idempotency_key text not null unique,
                from_ms bigint not null,
                until_ms bigint not null,
                is_deep bigint not null,
                state text not null,
                requested_ms bigint not null,
                ended_ms bigint not null,
                compared bigint not null,
                matched bigint not null,
                findings bigint not null,
                totals text not null,
                is_balanced bigint not null,
                detail text not null
            ) {clustered};
            create table reconciliation_finding (
                id {id} primary key,
                kind text not null,
                subject text not null,
                evidence text not null,
                state text not null,
                note text not null,
                found_ms bigint not null,
                seen_ms bigint not null,
                changed_ms bigint not null,
                unique (kind, subject)
            ) {clustered};
            create index reconciliation_finding_open on reconciliation_finding (id) where state = 'OPEN';
            create table reconciliation_seen (
                reconciliation_id {id} not null,
                finding_id {id} not null,
                primary key (reconciliation_id, finding_id)
            ) {clustered};
            create table provider_statement (
                id {id} primary key,
                idempotency_key text not null unique,
                source text not null,
                state text not null,
                from_ms bigint not null,
                until_ms bigint not null,
                lines bigint not null,
                cursor_id {id} not null,
                at_ms bigint not null
            ) {clustered};
            create table provider_line (
                statement_id {id} not null,
                line_no bigint not null,
                ref_id {id} not null,
                reference text not null,
                kind text not null,
                amount bigint not null,
                currency text not null,
                at_ms bigint not null
            );
            create index provider_line_of_reference on provider_line (ref_id, kind);
            create index provider_line_by_time on provider_line (statement_id, at_ms)
            """),
    ];

    private const string RunColumns =
        """
        r.id, r.idempotency_key, r.from_ms, r.until_ms, r.is_deep, r.state, r.requested_ms, r.ended_ms, r.compared,
        r.matched, r.findings, r.totals, r.is_balanced, r.detail
        """;

    private const string FindingColumns =
        "f.id, f.kind, f.subject, f.evidence, f.state, f.note, f.found_ms, f.seen_ms";

    private const string Loaded = "select s.id from provider_statement s where s.state = 'LOADED'";

    private static readonly Column[] LineColumns =
    [
        Column.Id("statement_id"), Column.Long("line_no"), Column.Id("ref_id"), Column.Text("reference"),
        Column.Text("kind"), Column.Long("amount"), Column.Text("currency"), Column.Long("at_ms"),
    ];

    private static readonly Column[] IdChunk =
        [Column.Id("after"), Column.Id("upto"), Column.Long("from_ms"), Column.Long("until_ms")];

    private static readonly Column[] LineChunk =
        [Column.Id("statement_id"), Column.Long("from_ms"), Column.Long("until_ms")];

    private static readonly Statement InsertRun = new(
        """
        insert into reconciliation (id, idempotency_key, from_ms, until_ms, is_deep, state, requested_ms, ended_ms,
            compared, matched, findings, totals, is_balanced, detail)
        select rows.id, rows.idempotency_key, rows.from_ms, rows.until_ms, rows.is_deep, rows.state, rows.requested_ms,
            0, 0, 0, 0, '', 1, ''
        from {rows} where true on conflict (idempotency_key) do nothing returning id
        """,
        Column.Id("id"), Column.Text("idempotency_key"), Column.Long("from_ms"), Column.Long("until_ms"),
        Column.Long("is_deep"), Column.Text("state"), Column.Long("requested_ms"));

    private static readonly Statement SelectRunByKey = new(
        $$"""select {{RunColumns}} from {rows} join reconciliation r on r.idempotency_key = rows.idempotency_key""",
        Column.Text("idempotency_key"));

    private static readonly Statement SelectRun = new(
        $$"""select {{RunColumns}} from {rows} join reconciliation r on r.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectRuns = new(
        $$"""
        select {{RunColumns}} from reconciliation r where r.id < (select rows.before from {rows})
        order by r.id desc limit (select rows.page from {rows})
        """,
        Column.Id("before"), Column.Long("page"));

    private static readonly Statement SelectWaiting = new(
        $$"""select {{RunColumns}} from reconciliation r where r.state in ('WAITING', 'RUNNING') order by r.id""");

    private static readonly Statement LastUntil = new(
        """
        select max(r.until_ms) from reconciliation r where r.state = 'DONE' and r.idempotency_key like 'timetable/%'
        """);

    private static readonly Statement UpdateRun = new(
        """
        update reconciliation set state = rows.state, until_ms = rows.until_ms, ended_ms = rows.ended_ms,
            compared = rows.compared, matched = rows.matched, findings = rows.findings, totals = rows.totals,
            is_balanced = rows.is_balanced, detail = rows.detail
        from {rows} where reconciliation.id = rows.id and reconciliation.state in ('WAITING', 'RUNNING')
        returning reconciliation.id
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("until_ms"), Column.Long("ended_ms"),
        Column.Long("compared"), Column.Long("matched"), Column.Long("findings"), Column.Text("totals"),
        Column.Long("is_balanced"), Column.Text("detail"));

    // The same error is the same finding. One that was explained or resolved is opened again by other facts only.
    private static readonly Statement UpsertFindings = new(
        """
        insert into reconciliation_finding (id, kind, subject, evidence, state, note, found_ms, seen_ms, changed_ms)
        select rows.id, rows.kind, rows.subject, rows.evidence, 'OPEN', '', rows.now_ms, rows.now_ms, rows.now_ms
        from {rows} where true
        on conflict (kind, subject) do update set seen_ms = excluded.seen_ms, evidence = excluded.evidence,
            state = case when reconciliation_finding.evidence <> excluded.evidence then 'OPEN'
                else reconciliation_finding.state end,
            changed_ms = case when reconciliation_finding.evidence <> excluded.evidence then excluded.changed_ms
                else reconciliation_finding.changed_ms end
        returning id
        """,
        Column.Id("id"), Column.Text("kind"), Column.Text("subject"), Column.Text("evidence"), Column.Long("now_ms"));

    private static readonly Statement InsertSeen = new(
        """
        insert into reconciliation_seen (reconciliation_id, finding_id)
        select rows.reconciliation_id, rows.finding_id from {rows} where true
        on conflict (reconciliation_id, finding_id) do nothing
        """,
        Column.Id("reconciliation_id"), Column.Id("finding_id"));

    private static readonly Statement CountSeen = new(
        "select count(*) from {rows} join reconciliation_seen s on s.reconciliation_id = rows.id", Column.Id("id"));

    private static readonly Statement SelectFindingsOfRun = new(
        $$"""
        select {{FindingColumns}} from reconciliation_seen s join reconciliation_finding f on f.id = s.finding_id
        where s.reconciliation_id = (select rows.id from {rows}) and s.finding_id > (select rows.after from {rows})
        order by s.finding_id limit (select rows.page from {rows})
        """,
        Column.Id("id"), Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectFindings = new(
        $$"""
        select {{FindingColumns}} from reconciliation_finding f where f.state = (select rows.state from {rows})
            and f.id > (select rows.after from {rows})
        order by f.id limit (select rows.page from {rows})
        """,
        Column.Text("state"), Column.Id("after"), Column.Long("page"));

    private static readonly Statement UpdateFinding = new(
        $$"""
        update reconciliation_finding set state = rows.state, note = rows.note, changed_ms = rows.now_ms
        from {rows} where reconciliation_finding.id = rows.id
        returning {{FindingColumns.Replace("f.", "reconciliation_finding.")}}
        """,
        Column.Id("id"), Column.Text("state"), Column.Text("note"), Column.Long("now_ms"));

    private static readonly Statement CountOpen = new(
        "select count(*) from reconciliation_finding f where f.state = 'OPEN'");

    private static readonly Statement InsertStatement = new(
        """
        insert into provider_statement (id, idempotency_key, source, state, from_ms, until_ms, lines, cursor_id, at_ms)
        select rows.id, rows.idempotency_key, rows.source, rows.state, rows.from_ms, rows.until_ms, 0, rows.cursor_id,
            rows.at_ms
        from {rows} where true on conflict (idempotency_key) do nothing returning id
        """,
        Column.Id("id"), Column.Text("idempotency_key"), Column.Text("source"), Column.Text("state"),
        Column.Long("from_ms"), Column.Long("until_ms"), Column.Id("cursor_id"), Column.Long("at_ms"));

    private static readonly Statement SelectStatementByKey = new(
        """
        select s.id, s.source, s.from_ms, s.until_ms, s.lines, s.cursor_id, s.state
        from {rows} join provider_statement s on s.idempotency_key = rows.idempotency_key {for update}
        """,
        Column.Text("idempotency_key"));

    private static readonly Statement SelectLoaded = new(
        """
        select s.id, s.source, s.from_ms, s.until_ms, s.lines, s.cursor_id, s.state from provider_statement s
        where s.state = 'LOADED' order by s.id
        """);

    private static readonly Statement UpdateStatement = new(
        """
        update provider_statement set state = 'LOADED', from_ms = rows.from_ms, until_ms = rows.until_ms,
            lines = rows.lines, cursor_id = rows.cursor_id
        from {rows} where provider_statement.id = rows.id
        """,
        Column.Id("id"), Column.Long("from_ms"), Column.Long("until_ms"), Column.Long("lines"), Column.Id("cursor_id"));

    private static readonly Statement DeleteLines = new(
        """
        delete from provider_line where statement_id = (select rows.id from {rows})
            and at_ms <= (select coalesce((select x.at_ms from provider_line x
                where x.statement_id = (select rows.id from {rows}) order by x.at_ms limit 1 offset 20000),
                9000000000000000))
        returning line_no
        """,
        Column.Id("id"));

    private static readonly Statement DropStatement = new(
        "delete from provider_statement where id in (select rows.id from {rows}) and state = 'LOADING'",
        Column.Id("id"));

    private static readonly Statement SelectStale = new(
        """
        select s.id from {rows} join provider_statement s on s.state = 'LOADING' and s.at_ms < rows.before_ms
        """,
        Column.Long("before_ms"));

    // The very same line twice is a broken file; the same reference with other facts is the provider's own duplicate.
    private static readonly Statement SelectTwins = new(
        """
        select min(l.line_no), max(l.line_no) from provider_line l
        where l.statement_id = (select rows.id from {rows})
        group by l.ref_id, l.kind, l.amount, l.currency, l.at_ms having count(*) > 1 order by 1 limit 20
        """,
        Column.Id("id"));

    private static readonly Statement NextPayment = new(
        $$"""
        select p.id from payment p where p.id > (select rows.after from {rows})
            and p.id < (select rows.upto from {rows})
        order by p.id limit 1 offset {{ChunkRows - 1}}
        """,
        Column.Id("after"), Column.Id("upto"));

    private static readonly Statement NextOperation = new(
        $$"""
        select p.id from payment_operation p where p.id > (select rows.after from {rows})
            and p.id < (select rows.upto from {rows})
        order by p.id limit 1 offset {{ChunkRows - 1}}
        """,
        Column.Id("after"), Column.Id("upto"));

    private static readonly Statement NextLine = new(
        $$"""
        select l.at_ms from provider_line l where l.statement_id = (select rows.statement_id from {rows})
            and l.at_ms >= (select rows.from_ms from {rows}) and l.at_ms < (select rows.until_ms from {rows})
        order by l.at_ms limit 1 offset {{ChunkRows - 1}}
        """,
        LineChunk);

    private const string ChargesHere =
        """
        payment p where p.id > (select rows.after from {rows}) and p.id <= (select rows.upto from {rows})
            and p.method = 'GATEWAY' and p.is_capture = 1 and p.state not in ('REQUESTED', 'UNKNOWN', 'FAILED')
            and p.processed_ms >= (select rows.from_ms from {rows})
            and p.processed_ms < (select rows.until_ms from {rows})
        """;

    private const string OperationsHere =
        """
        payment_operation o join payment p on p.id = o.payment_id
        where o.id > (select rows.after from {rows}) and o.id <= (select rows.upto from {rows})
            and o.kind in ('CAPTURE', 'REFUND') and o.state = 'SUCCEEDED' and p.method = 'GATEWAY'
            and o.processed_ms >= (select rows.from_ms from {rows})
            and o.processed_ms < (select rows.until_ms from {rows})
        """;

    private static readonly Statement CountCharges = new($"select count(*) from {ChargesHere}", IdChunk);

    private static readonly Statement CountOperations = new($"select count(*) from {OperationsHere}", IdChunk);

    private static readonly Statement UnmatchedCharges = new(
        $$"""
        select x.id, 'CHARGE', x.captured, x.currency, x.processed_ms, coalesce(l.amount, -1),
            coalesce(l.currency, ''), coalesce(l.line_no, 0)
        from (select p.id, p.captured, p.currency, p.processed_ms from {{ChargesHere}}) x
        left join provider_line l on l.ref_id = x.id and l.kind = 'CHARGE' and l.statement_id in ({{Loaded}})
        where l.ref_id is null or l.amount <> x.captured or l.currency <> x.currency
        order by x.id
        """,
        IdChunk);

    private static readonly Statement UnmatchedOperations = new(
        $$"""
        select x.id, x.kind, x.amount, x.currency, x.processed_ms, coalesce(l.amount, -1), coalesce(l.currency, ''),
            coalesce(l.line_no, 0)
        from (select o.id, o.kind, o.amount, p.currency, o.processed_ms from {{OperationsHere}}) x
        left join provider_line l on l.ref_id = x.id and l.kind = x.kind and l.statement_id in ({{Loaded}})
        where l.ref_id is null or l.amount <> x.amount or l.currency <> x.currency
        order by x.id
        """,
        IdChunk);

    // What is in flight here is no finding: the answer is on its way. What failed here and happened there is one.
    private static readonly Statement UnknownLines = new(
        $$"""
        select l.line_no, l.reference, l.kind, l.amount, l.currency, l.at_ms from provider_line l
        where l.statement_id = (select rows.statement_id from {rows})
            and l.at_ms >= (select rows.from_ms from {rows}) and l.at_ms < (select rows.until_ms from {rows})
            and not exists (select 1 from payment p where p.id = l.ref_id and l.kind = 'CHARGE'
                and p.state <> 'FAILED' and p.method = 'GATEWAY')
            and not exists (select 1 from payment_operation o where o.id = l.ref_id and o.kind = l.kind
                and o.state <> 'FAILED')
        order by l.at_ms, l.line_no
        """,
        LineChunk);

    private static readonly Statement DuplicateLines = new(
        $$"""
        select l.line_no, l.reference, l.kind, l.amount, l.currency, l.at_ms from provider_line l
        where l.statement_id = (select rows.statement_id from {rows})
            and l.at_ms >= (select rows.from_ms from {rows}) and l.at_ms < (select rows.until_ms from {rows})
            and exists (select 1 from provider_line d where d.ref_id = l.ref_id and d.kind = l.kind
                and d.statement_id = l.statement_id and d.line_no < l.line_no)
        order by l.at_ms, l.line_no
        """,
        LineChunk);

    private static readonly Statement UnbalancedPostings = new(
        $$"""
        select e.payment_id, e.event_id, e.line / 2,
            cast(sum(case when e.line % 2 = 0 then e.amount else 0 end) as bigint),
            cast(sum(case when e.line % 2 = 1 then e.amount else 0 end) as bigint),
            min(coalesce(a.currency, '?')), max(coalesce(a.currency, '?'))
        from ledger_entry e left join ledger_account a on a.id = e.account_id
        where e.payment_id > (select rows.after from {rows}) and e.payment_id <= (select rows.upto from {rows})
            and e.at_ms >= (select rows.from_ms from {rows}) and e.at_ms < (select rows.until_ms from {rows})
        group by e.payment_id, e.event_id, e.line / 2
        having sum(case when e.line % 2 = 0 then e.amount else -e.amount end) <> 0 or count(*) <> 2
            or min(coalesce(a.currency, '?')) <> max(coalesce(a.currency, '?'))
        order by e.payment_id, e.event_id, e.line / 2
        """,
        IdChunk);

    private static readonly Statement SumEntries = new(
        """
        select coalesce(a.currency, '?'), cast(sum(case when e.line % 2 = 0 then e.amount else 0 end) as bigint),
            cast(sum(case when e.line % 2 = 1 then e.amount else 0 end) as bigint)
        from ledger_entry e left join ledger_account a on a.id = e.account_id
        where e.payment_id > (select rows.after from {rows}) and e.payment_id <= (select rows.upto from {rows})
            and e.at_ms >= (select rows.from_ms from {rows}) and e.at_ms < (select rows.until_ms from {rows})
        group by coalesce(a.currency, '?')
        """,
        IdChunk);

    public static async ValueTask<bool> InsertAsync(Tx tx, ReconciliationRun run) => (await tx.QueryAsync(
        InsertRun,
        Rows.One(run).Id(r => r.Id).Text(r => r.Key).Long(r => r.Window.FromMs).Long(r => r.Window.UntilMs)
            .Flag(r => r.IsDeep).Text(r => r.State).Long(r => r.RequestedMs),
        r => r.Id(0))).Count == 1;

    public static async ValueTask<ReconciliationRun?> FindByKeyAsync(Tx tx, string key) =>
        (await tx.QueryAsync(SelectRunByKey, Rows.One(key).Text(k => k), MapRun)).FirstOrDefault();

    public static async ValueTask<ReconciliationRun?> FindAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(SelectRun, Rows.One(id).Id(i => i), MapRun)).FirstOrDefault();

    public static ValueTask<List<ReconciliationRun>> SelectRunsAsync(Tx tx, Guid before, int max) =>
        tx.QueryAsync(SelectRuns, Rows.One(before).Id(b => b).Long(_ => max), MapRun);

    public static ValueTask<List<ReconciliationRun>> SelectWaitingAsync(Tx tx) =>
        tx.QueryAsync(SelectWaiting, Rows.None, MapRun);

    public static async ValueTask<long?> LastUntilAsync(Tx tx) =>
        (await tx.QueryAsync(LastUntil, Rows.None, r => r.LongOrNull(0)))[0];

    public static async ValueTask<bool> UpdateAsync(Tx tx, ReconciliationRun run) => (await tx.QueryAsync(
        UpdateRun,
        Rows.One(run).Id(r => r.Id).Text(r => r.State).Long(r => r.Window.UntilMs).Long(r => r.EndedMs)
            .Long(r => r.Compared).Long(r => r.Matched).Long(r => r.Findings).Text(r => r.Totals)
            .Flag(r => r.IsBalanced).Text(r => r.Detail),
        r => r.Id(0))).Count == 1;

    public static async ValueTask SaveAsync(Tx tx, Guid run, IReadOnlyList<(Guid Id, Found Found)> found, long nowMs)
    {
        var ids = await tx.QueryAsync(
            UpsertFindings,
            Rows.Over(found).Id(f => f.Id).Text(f => f.Found.Kind).Text(f => f.Found.Subject)
                .Text(f => f.Found.Evidence).Long(_ => nowMs),
            r => r.Id(0));
        tx.Queue(InsertSeen, Rows.Over(ids).Id(_ => run).Id(i => i));
    }

    public static async ValueTask<long> CountSeenAsync(Tx tx, Guid run) =>
        (await tx.QueryAsync(CountSeen, Rows.One(run).Id(r => r), r => r.Long(0)))[0];

    public static ValueTask<List<Finding>> SelectFindingsAsync(Tx tx, Guid run, Guid after, int max) =>
        tx.QueryAsync(SelectFindingsOfRun, Rows.One(run).Id(r => r).Id(_ => after).Long(_ => max), MapFinding);

    public static ValueTask<List<Finding>> SelectFindingsAsync(Tx tx, string state, Guid after, int max) =>
        tx.QueryAsync(SelectFindings, Rows.One(state).Text(s => s).Id(_ => after).Long(_ => max), MapFinding);

    public static async ValueTask<Finding?> CloseAsync(Tx tx, Guid id, FindingState state, string note, long nowMs) =>
        (await tx.QueryAsync(
            UpdateFinding,
            Rows.One(id).Id(i => i).Text(_ => Word(state)).Text(_ => note).Long(_ => nowMs),
            MapFinding)).FirstOrDefault();

    public static async ValueTask<long> CountOpenAsync(Tx tx) =>
        (await tx.QueryAsync(CountOpen, Rows.None, r => r.Long(0)))[0];

    /// <summary>False when a statement of this key is there already.</summary>
    public static async ValueTask<bool> InsertAsync(
        Tx tx, LoadedStatement statement, string key, string state, long nowMs) => (await tx.QueryAsync(
        InsertStatement,
        Rows.One(statement).Id(s => s.Id).Text(_ => key).Text(s => s.Source).Text(_ => state)
            .Long(s => s.Covers.FromMs).Long(s => s.Covers.UntilMs).Id(s => s.Cursor).Long(_ => nowMs),
        r => r.Id(0))).Count == 1;

    /// <summary>The statement of the key, locked, and whether it is whole.</summary>
    public static async ValueTask<(LoadedStatement Statement, bool IsLoaded)?> LockAsync(Tx tx, string key)
    {
        var found = await tx.QueryAsync(
            SelectStatementByKey, Rows.One(key).Text(k => k), r => (MapStatement(r), r.Text(6) == "LOADED"));
        return found.Count == 0 ? null : found[0];
    }

    public static ValueTask<List<LoadedStatement>> SelectLoadedAsync(Tx tx) =>
        tx.QueryAsync(SelectLoaded, Rows.None, MapStatement);

    public static void Update(Tx tx, LoadedStatement statement) => tx.Queue(
        UpdateStatement,
        Rows.One(statement).Id(s => s.Id).Long(s => s.Covers.FromMs).Long(s => s.Covers.UntilMs).Long(s => s.Lines)
            .Id(s => s.Cursor));

    public static ValueTask InsertAsync(Tx tx, Guid statement, IReadOnlyList<Line> lines) => tx.CopyAsync(
        "provider_line",
        LineColumns,
        Rows.Over(lines).Id(_ => statement).Long(l => l.Number).Id(l => l.ReferenceId).Text(l => l.Reference)
            .Text(l => l.Kind).Long(l => l.Amount.AmountMinor).Text(l => l.Amount.Currency.Code).Long(l => l.At.Ms));

    /// <summary>Removes some twenty thousand lines; how many.</summary>
    public static async ValueTask<int> DeleteLinesAsync(Tx tx, Guid statement) =>
        (await tx.QueryAsync(DeleteLines, Rows.One(statement).Id(s => s), r => r.Long(0))).Count;

    public static void DeleteStatement(Tx tx, Guid statement) =>
        tx.Queue(DropStatement, Rows.One(statement).Id(s => s));

    public static ValueTask<List<Guid>> SelectStaleAsync(Tx tx, long beforeMs) =>
        tx.QueryAsync(SelectStale, Rows.One(beforeMs).Long(b => b), r => r.Id(0));

    public static ValueTask<List<(long First, long Last)>> SelectTwinsAsync(Tx tx, Guid statement) =>
        tx.QueryAsync(SelectTwins, Rows.One(statement).Id(s => s), r => (r.Long(0), r.Long(1)));

    /// <summary>The last id of the next chunk after one; the end when fewer rows are left.</summary>
    public static async ValueTask<Guid> NextPaymentAsync(Tx tx, Guid after, Guid end) =>
        (await tx.QueryAsync(NextPayment, Rows.One(after).Id(a => a).Id(_ => end), r => r.Id(0)))
            .Append(end).First();

    /// <summary>As <see cref="NextPaymentAsync"/>, of operations.</summary>
    public static async ValueTask<Guid> NextOperationAsync(Tx tx, Guid after, Guid end) =>
        (await tx.QueryAsync(NextOperation, Rows.One(after).Id(a => a).Id(_ => end), r => r.Id(0)))
            .Append(end).First();

    /// <summary>The end, excluded, of the next chunk of lines.</summary>
    public static async ValueTask<long> NextLineAsync(Tx tx, Guid statement, Window window) =>
        (await tx.QueryAsync(NextLine, Of(statement, window), r => r.Long(0) + 1)).Append(window.UntilMs).First();

    public static ValueTask<List<Unmatched>> SelectUnmatchedAsync(Tx tx, bool ofCharges, IdRange range) =>
        tx.QueryAsync(
            ofCharges ? UnmatchedCharges : UnmatchedOperations,
            Of(range),
            r => new Unmatched(
                r.Id(0), r.Text(1), r.Long(2), r.Text(3), r.Long(4), r.Long(5), r.Text(6), r.Long(7)));

    public static async ValueTask<long> CountAsync(Tx tx, bool ofCharges, IdRange range) =>
        (await tx.QueryAsync(ofCharges ? CountCharges : CountOperations, Of(range), r => r.Long(0)))[0];

    public static ValueTask<List<Line>> SelectUnknownLinesAsync(Tx tx, Guid statement, Window window) =>
        tx.QueryAsync(UnknownLines, Of(statement, window), MapLine);

    public static ValueTask<List<Line>> SelectDuplicateLinesAsync(Tx tx, Guid statement, Window window) =>
        tx.QueryAsync(DuplicateLines, Of(statement, window), MapLine);

    public static ValueTask<List<Unbalanced>> SelectUnbalancedAsync(Tx tx, IdRange range) => tx.QueryAsync(
        UnbalancedPostings,
        Of(range),
        r => new Unbalanced(r.Id(0), r.Id(1), r.Long(2), r.Long(3), r.Long(4), r.Text(5), r.Text(6)));

    public static ValueTask<List<(string Currency, long Debit, long Credit)>> SumEntriesAsync(Tx tx, IdRange range) =>
        tx.QueryAsync(SumEntries, Of(range), r => (r.Text(0), r.Long(1), r.Long(2)));

    public static string Word(FindingState state) => state switch
    {
        FindingState.Open => "OPEN",
        FindingState.Explained => "EXPLAINED",
        _ => "RESOLVED",
    };

    private static Rows Of(IdRange range) => Rows.One(range).Id(r => r.After).Id(r => r.UpTo)
        .Long(r => r.Window.FromMs).Long(r => r.Window.UntilMs);

    private static Rows Of(Guid statement, Window window) =>
        Rows.One(window).Id(_ => statement).Long(w => w.FromMs).Long(w => w.UntilMs);

    private static ReconciliationRun MapRun(Row r) =>
        new(r.Id(0), r.Text(1), new(r.Long(2), r.Long(3)), r.Flag(4))
        {
            State = r.Text(5),
            RequestedMs = r.Long(6),
            EndedMs = r.Long(7),
            Compared = r.Long(8),
            Matched = r.Long(9),
            Findings = r.Long(10),
            Totals = r.Text(11),
            IsBalanced = r.Flag(12),
            Detail = r.Text(13),
        };

    private static Finding MapFinding(Row r) => new(r.Id(0), r.Text(1), r.Text(2), r.Text(3))
    {
        State = r.Text(4) switch
        {
            "OPEN" => FindingState.Open,
            "EXPLAINED" => FindingState.Explained,
            _ => FindingState.Resolved,
        },
        Note = r.Text(5),
        FoundMs = r.Long(6),
        SeenMs = r.Long(7),
    };

    private static LoadedStatement MapStatement(Row r) =>
        new(r.Id(0), r.Text(1), new(r.Long(2), r.Long(3)), r.Long(4), r.Id(5));

    private static Line MapLine(Row r) => new(
        r.Long(0), r.Text(1), r.Text(2), new Money(r.Long(3), Currency.FromStored(r.Text(4))), new(r.Long(5)));
}

/// <summary>Ids after one and up to another, and the moments that count.</summary>
internal readonly record struct IdRange(Guid After, Guid UpTo, Window Window);

/// <summary>A movement of money here and the line of a statement that does not agree; no line: amount -1.</summary>
internal readonly record struct Unmatched(
    Guid Id, string Kind, long Amount, string Currency, long AtMs, long ThereMinor, string ThereCurrency, long Line)
{
    public bool IsMissingThere => ThereMinor < 0;
}

/// <summary>A posting whose legs do not agree.</summary>
internal readonly record struct Unbalanced(
    Guid PaymentId, Guid EventId, long Number, long Debit, long Credit, string CurrencyLeast, string CurrencyMost);
