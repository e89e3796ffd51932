using Floodgate.Storage.Database;

namespace Floodgate.Settlement.Batches;

/// <summary>
/// The tables of the module, and every statement of a run and of what is read of it. Lines are settled where they are:
/// none comes to this process.
/// </summary>
internal static class BatchesSql
{
    // Lines and fees have one key, which is the order in which ranges are cut, settled and read: what is inserted goes
    // to the end of the index, and a range is one scan of it.
    public static readonly Migration[] Migrations =
    [
        new("settlement-001", """
            create table settlement_calendar (
                id bigint primary key check (id = 1),
                closed_through bigint not null
            );
            insert into settlement_calendar (id, closed_through) values (1, 0);
            create table settlement_account (
                id {auto id},
                merchant_id text not null,
                currency text not null,
                unique (merchant_id, currency)
            );
            create table settlement_line (
                day bigint not null,
                account_id bigint not null,
                event_id {id} not null,
                line bigint not null,
                payment_id {id} not null,
                is_refund bigint not null,
                class text not null,
                amount bigint not null check (amount between 1 and 1000000000000),
                order_id text,
                at_ms bigint not null,
                origin_day bigint not null,
                origin_amount bigint not null,
                refunded_before bigint not null,
                primary key (day, account_id, event_id, line),
                check (origin_day <= day and refunded_before >= 0
                    and refunded_before + amount <= origin_amount and origin_amount <= 1000000000000)
            ) {clustered};
            create unique index settlement_line_of_event on settlement_line (payment_id, event_id, line);
            create table settlement_day_total (
                day bigint not null,
                account_id bigint not null,
                class text not null,
                lines bigint not null,
                captured bigint not null,
                refunded bigint not null,
                primary key (day, account_id, class)
            ) {clustered} {room for updates};
            create table commission_policy (
                id {id} primary key,
                merchant_id text,
                product_class text,
                currency text,
                basis_points bigint not null check (basis_points between 0 and 10000),
                fixed bigint not null,
                fee_min bigint not null,
                fee_max bigint not null check (fee_max >= fee_min),
                tiers text not null,
                valid_from bigint not null,
                valid_until bigint not null
            ) {clustered};
            create index commission_policy_of_merchant on commission_policy (merchant_id);
            create table settlement_run (
                day bigint primary key,
                state text not null,
                opened_ms bigint not null,
                settled_ms bigint not null,
                ranges bigint not null,
                lines bigint not null,
                payouts bigint not null
            ) {clustered};
            create table settlement_rate (
                day bigint not null,
                account_id bigint not null,
                class text not null,
                basis_points bigint not null,
                fixed bigint not null,
                fee_min bigint not null,
                fee_max bigint not null,
                policy_id {id},
                primary key (day, account_id, class)
            ) {clustered};
            create table settlement_range (
                day bigint not null,
                number bigint not null,
                after_account bigint not null,
                after_event {id} not null,
                after_line bigint not null,
                last_account bigint not null,
                last_event {id} not null,
                last_line bigint not null,
                lines bigint not null,
                done_ms bigint not null,
                primary key (day, number)
            ) {clustered};
            create table settlement_sum (
                day bigint not null,
                account_id bigint not null,
                range_number bigint not null,
                captures bigint not null,
                refunds bigint not null,
                captured bigint not null,
                refunded bigint not null,
                fee bigint not null,
                fee_returned bigint not null,
                primary key (day, account_id, range_number)
            ) {clustered};
            create table settled_line (
                day bigint not null,
                account_id bigint not null,
                event_id {id} not null,
                line bigint not null,
                amount bigint not null,
                fee bigint not null,
                primary key (day, account_id, event_id, line)
            ) {clustered};
            create table payout (
                id {id} primary key,
                account_id bigint not null,
                day bigint not null,
                merchant_id text not null,
                currency text not null,
                captures bigint not null,
                refunds bigint not null,
                captured bigint not null,
                refunded bigint not null,
                fee bigint not null,
                fee_returned bigint not null,
                carried_in bigint not null,
                amount bigint not null,
                carried_out bigint not null,
                created_ms bigint not null,
                unique (account_id, day),
                check (amount >= 0 and carried_out <= 0
                    and captured - fee - refunded + fee_returned + carried_in = amount + carried_out)
            ) {clustered};
            create index payout_of_merchant on payout (merchant_id, id);
            create index payout_of_day on payout (day, account_id)
            """),
    ];

    private const string RangeColumns =
        """
        r.number, r.after_account, r.after_event, r.after_line, r.last_account, r.last_event, r.last_line, r.lines
        """;

    private const string PayoutColumns =
        """
        p.id, p.account_id, p.day, p.merchant_id, p.currency, p.captures, p.refunds, p.captured, p.refunded, p.fee,
        p.fee_returned, p.carried_in, p.amount, p.carried_out, p.created_ms
        """;

    private const string InRange =
        """
        l.day = (select rows.day from {rows})
            and (l.account_id, l.event_id, l.line)
                > (select rows.after_account, rows.after_event, rows.after_line from {rows})
            and (l.account_id, l.event_id, l.line)
                <= (select rows.last_account, rows.last_event, rows.last_line from {rows})
        """;

    private static readonly Column[] RangeRow =
    [
        Column.Long("day"), Column.Long("number"), Column.Long("after_account"), Column.Id("after_event"),
        Column.Long("after_line"), Column.Long("last_account"), Column.Id("last_event"), Column.Long("last_line"),
    ];

    // The first event that is not handled tells: within a partition they are in the order of time.
    private static readonly Statement CountBehind = new(
        """
        select count(*) from log_partition p
        left join log_group_offset o on o.partition_id = p.id and o.group_name = 'settlement'
        where p.topic in ('payment.captured', 'payment.refunded') and (
            select e.at_ms from log_event e where e.partition_id = p.id and e.at_offset >= coalesce(o.next_offset, 0)
            order by e.at_offset limit 1) < (select rows.before_ms from {rows})
        """,
        Column.Long("before_ms"));

    private static readonly Statement SelectOpenDays = new(
        """
        select distinct t.day from settlement_day_total t
        where t.day > (select rows.closed_through from {rows}) and t.day <= (select rows.day from {rows})
        order by t.day
        """,
        Column.Long("closed_through"), Column.Long("day"));

    private static readonly Statement InsertRuns = new(
        """
        insert into settlement_run (day, state, opened_ms, settled_ms, ranges, lines, payouts)
        select rows.day, 'PLANNING', rows.now_ms, 0, 0, 0, 0 from {rows} where true on conflict (day) do nothing
        """,
        Column.Long("day"), Column.Long("now_ms"));

    private const string RunColumns =
        """
        r.day, r.state, r.opened_ms, r.settled_ms, r.ranges, r.lines, r.payouts,
            (select count(*) from settlement_range g where g.day = r.day and g.done_ms > 0),
            (select cast(coalesce(sum(g.lines), 0) as bigint) from settlement_range g
                where g.day = r.day and g.done_ms > 0)
        """;

    private static readonly Statement SelectUnfinished = new(
        $$"""
        select {{RunColumns}} from settlement_run r
        where r.state <> 'SETTLED' and r.day <= (select rows.day from {rows}) order by r.day limit 1
        """,
        Column.Long("day"));

    private static readonly Statement SelectRun = new(
        $$"""select {{RunColumns}} from {rows} join settlement_run r on r.day = rows.day""", Column.Long("day"));

    private static readonly Statement SelectRuns = new(
        $$"""
        select {{RunColumns}} from settlement_run r where r.day < (select rows.before from {rows})
        order by r.day desc limit (select rows.page from {rows})
        """,
        Column.Long("before"), Column.Long("page"));

    private static readonly Statement SelectTotals = new(
        """
        select p.currency, cast(sum(p.captured) as bigint), cast(sum(p.refunded) as bigint),
            cast(sum(p.fee) as bigint), cast(sum(p.fee_returned) as bigint), cast(sum(p.carried_in) as bigint),
            cast(sum(p.amount) as bigint), cast(sum(p.carried_out) as bigint)
        from payout p where p.day = (select rows.day from {rows}) group by p.currency order by p.currency
        """,
        Column.Long("day"));

    private static readonly Statement SelectClasses = new(
        """
        select t.account_id, a.merchant_id, a.currency, t.class from settlement_day_total t
        join settlement_account a on a.id = t.account_id
        where t.day = (select rows.day from {rows})
            and (t.account_id, t.class) > (select rows.after_account, rows.after_class from {rows})
        order by t.account_id, t.class limit (select rows.page from {rows})
        """,
        Column.Long("day"), Column.Long("after_account"), Column.Text("after_class"), Column.Long("page"));

    private static readonly Statement SelectVolumes = new(
        """
        select t.account_id, cast(sum(t.captured) as bigint) from settlement_day_total t
        where t.day between (select rows.first_day from {rows}) and (select rows.day from {rows})
            and t.account_id between (select rows.first_account from {rows}) and (select rows.last_account from {rows})
        group by t.account_id
        """,
        Column.Long("first_day"), Column.Long("day"), Column.Long("first_account"), Column.Long("last_account"));

    private static readonly Statement InsertRates = new(
        """
        insert into settlement_rate (day, account_id, class, basis_points, fixed, fee_min, fee_max, policy_id)
        select rows.day, rows.account_id, rows.class, rows.basis_points, rows.fixed, rows.fee_min, rows.fee_max,
            case when rows.is_policy = 1 then rows.policy_id else null end
        from {rows} where true on conflict (day, account_id, class) do nothing
        """,
        Column.Long("day"), Column.Long("account_id"), Column.Text("class"), Column.Long("basis_points"),
        Column.Long("fixed"), Column.Long("fee_min"), Column.Long("fee_max"), Column.Long("is_policy"),
        Column.Id("policy_id"));

    private static readonly Column[] CutRow =
    [
        Column.Long("day"), Column.Long("after_account"), Column.Id("after_event"), Column.Long("after_line"),
        Column.Long("range_max"),
    ];

    private const string KeysAfter =
        """
        select l.account_id, l.event_id, l.line from settlement_line l
        where l.day = (select rows.day from {rows})
            and (l.account_id, l.event_id, l.line)
                > (select rows.after_account, rows.after_event, rows.after_line from {rows})
        order by l.account_id, l.event_id, l.line
        """;

    // The place of the last line of a full range: a walk over the key alone. No count over a window: that is ten times
    // as slow, because the rows are gathered for it.
    private static readonly Statement SelectBoundary = new(
        $"{KeysAfter} limit 1 offset (select rows.range_max from {{rows}}) - 1", CutRow);

    // What is left after the last full range: at most one line less than a range.
    private static readonly Statement SelectRest = new(
        $"{KeysAfter} limit (select rows.range_max from {{rows}})", CutRow);

    private static readonly Statement CountLines = new(
        """
        select cast(coalesce(sum(t.lines), 0) as bigint) from settlement_day_total t
        where t.day = (select rows.day from {rows})
        """,
        Column.Long("day"));

    private static readonly Statement StartRun = new(
        """
        update settlement_run set state = 'RUNNING', ranges = rows.ranges, lines = rows.lines
        from {rows} where settlement_run.day = rows.day and settlement_run.state = 'PLANNING' returning 1
        """,
        Column.Long("day"), Column.Long("ranges"), Column.Long("lines"));

    private static readonly Statement InsertRanges = new(
        """
        insert into settlement_range (day, number, after_account, after_event, after_line, last_account, last_event,
            last_line, lines, done_ms)
        select rows.day, rows.number, rows.after_account, rows.after_event, rows.after_line, rows.last_account,
            rows.last_event, rows.last_line, rows.lines, 0 from {rows}
        """,
        [.. RangeRow, Column.Long("lines")]);

    // A range that another runner is at is passed over; SQLite has one writer, so there none is.
    private const string Claim =
        $$"""
        select {{RangeColumns}} from settlement_range r
        where r.day = (select rows.day from {rows}) and r.done_ms = 0 order by r.number limit 1
        """;

    private static readonly Statement ClaimRange = new(
        Claim + " for update skip locked", Claim, [Column.Long("day")]);

    private static readonly Statement CountUndone = new(
        """
        select count(*) from settlement_range r where r.day = (select rows.day from {rows}) and r.done_ms = 0
        """,
        Column.Long("day"));

    // The same as Rate.FeeOf and Fees.ReturnedBy, in whole numbers that cannot overflow: an amount is below 2^40, so
    // amount times basis points is below 2^54, and the product of two amounts is divided in two steps of 20 bits. Half
    // to even is half up, less one where the half was exact and the number below it even.
    private const string SettleText =
        """
        insert into settled_line (day, account_id, event_id, line, amount, fee)
        select f.day, f.account_id, f.event_id, f.line,
            case when f.is_refund = 0 then f.amount else -f.amount end,
            case when f.is_refund = 0 then f.fee else {share before} - {share after} end
        from (
            select l.day, l.account_id, l.event_id, l.line, l.is_refund, l.amount, l.origin_amount, l.refunded_before,
                {least}({greatest}({least}(
                    (l.origin_amount * r.basis_points + 5000) / 10000
                        - case when l.origin_amount * r.basis_points % 20000 = 5000 then 1 else 0 end + r.fixed,
                    r.fee_max), r.fee_min), l.origin_amount) as fee
            from settlement_line l
            -- Not an inner join: rates first would walk every line before the range, again for each range.
            left join settlement_rate r on r.day = l.origin_day and r.account_id = l.account_id and r.class = l.class
            where {in range}) f
        """;

    // The scalar functions have other names.
    private static readonly Statement SettleRange = new(
        Settled("least", "greatest"), Settled("min", "max"), RangeRow);

    private static readonly Statement SumRange = new(
        $$"""
        insert into settlement_sum (day, account_id, range_number, captures, refunds, captured, refunded, fee,
            fee_returned)
        select l.day, l.account_id, (select rows.number from {rows}),
            count(*) filter (where l.amount > 0), count(*) filter (where l.amount < 0),
            coalesce(sum(l.amount) filter (where l.amount > 0), 0),
            coalesce(-sum(l.amount) filter (where l.amount < 0), 0),
            coalesce(sum(l.fee) filter (where l.amount > 0), 0), coalesce(-sum(l.fee) filter (where l.amount < 0), 0)
        from settled_line l where {{InRange}} group by l.day, l.account_id
        """,
        RangeRow);

    private static readonly Statement EndRange = new(
        """
        update settlement_range set done_ms = rows.now_ms from {rows}
        where settlement_range.day = rows.day and settlement_range.number = rows.number and settlement_range.done_ms = 0
        """,
        Column.Long("day"), Column.Long("number"), Column.Long("now_ms"));

    private static readonly Statement SelectNets = new(
        """
        select s.account_id, a.merchant_id, a.currency, cast(sum(s.captures) as bigint),
            cast(sum(s.refunds) as bigint), cast(sum(s.captured) as bigint), cast(sum(s.refunded) as bigint),
            cast(sum(s.fee) as bigint), cast(sum(s.fee_returned) as bigint)
        from settlement_sum s join settlement_account a on a.id = s.account_id
        where s.day = (select rows.day from {rows}) and s.account_id > (select rows.after_account from {rows})
        group by s.account_id, a.merchant_id, a.currency order by s.account_id
        limit (select rows.page from {rows})
        """,
        Column.Long("day"), Column.Long("after_account"), Column.Long("page"));

    private static readonly Statement SelectDayTotals = new(
        """
        select t.account_id, cast(sum(t.lines) as bigint), cast(sum(t.captured) as bigint),
            cast(sum(t.refunded) as bigint)
        from settlement_day_total t where t.day = (select rows.day from {rows})
            and t.account_id between (select rows.first_account from {rows}) and (select rows.last_account from {rows})
        group by t.account_id order by t.account_id
        """,
        Column.Long("day"), Column.Long("first_account"), Column.Long("last_account"));

    private static readonly Statement SelectCarried = new(
        """
        select p.account_id, p.carried_out from {rows}
        join payout p on p.account_id = rows.account_id and p.day = (
            select max(q.day) from payout q where q.account_id = rows.account_id and q.day < rows.day)
        """,
        Column.Long("account_id"), Column.Long("day"));

    private static readonly Statement InsertPayouts = new(
        """
        insert into payout (id, account_id, day, merchant_id, currency, captures, refunds, captured, refunded, fee,
            fee_returned, carried_in, amount, carried_out, created_ms)
        select rows.id, rows.account_id, rows.day, rows.merchant_id, rows.currency, rows.captures, rows.refunds,
            rows.captured, rows.refunded, rows.fee, rows.fee_returned, rows.carried_in, rows.amount, rows.carried_out,
            rows.created_ms
        from {rows} where true on conflict do nothing returning id
        """,
        Column.Id("id"), Column.Long("account_id"), Column.Long("day"), Column.Text("merchant_id"),
        Column.Text("currency"), Column.Long("captures"), Column.Long("refunds"), Column.Long("captured"),
        Column.Long("refunded"), Column.Long("fee"), Column.Long("fee_returned"), Column.Long("carried_in"),
        Column.Long("amount"), Column.Long("carried_out"), Column.Long("created_ms"));

    private static readonly Statement SelectRunSums = new(
        """
        select r.lines,
            (select cast(coalesce(sum(g.lines), 0) as bigint) from settlement_range g
                where g.day = r.day and g.done_ms > 0),
            (select cast(coalesce(sum(p.captures + p.refunds), 0) as bigint) from payout p where p.day = r.day),
            (select count(*) from payout p where p.day = r.day)
        from {rows} join settlement_run r on r.day = rows.day
        """,
        Column.Long("day"));

    private static readonly Statement EndRun = new(
        """
        update settlement_run set state = 'SETTLED', settled_ms = rows.now_ms, payouts = rows.payouts
        from {rows} where settlement_run.day = rows.day and settlement_run.state = 'RUNNING'
        """,
        Column.Long("day"), Column.Long("now_ms"), Column.Long("payouts"));

    private static readonly Statement SelectPayout = new(
        $$"""select {{PayoutColumns}} from {rows} join payout p on p.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectPayouts = new(
        $$"""
        select {{PayoutColumns}} from payout p where p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page from {rows})
        """,
        Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectPayoutsOf = new(
        $$"""
        select {{PayoutColumns}} from payout p where p.merchant_id = (select rows.merchant_id from {rows})
            and p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page from {rows})
        """,
        Column.Text("merchant_id"), Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectStatement = new(
        """
        select l.event_id, l.line, l.payment_id, l.is_refund, l.class, l.amount, s.fee, l.order_id, l.at_ms
        from settled_line s join settlement_line l
            on l.day = s.day and l.account_id = s.account_id and l.event_id = s.event_id and l.line = s.line
        where s.day = (select rows.day from {rows}) and s.account_id = (select rows.account_id from {rows})
            and (s.event_id, s.line) > (select rows.after_event, rows.after_line from {rows})
        order by s.event_id, s.line limit (select rows.page from {rows})
        """,
        Column.Long("day"), Column.Long("account_id"), Column.Id("after_event"), Column.Long("after_line"),
        Column.Long("page"));

    /// <summary>True while facts of before this moment are not lines yet.</summary>
    public static async ValueTask<bool> IsBehindAsync(Tx tx, long beforeMs) =>
        (await tx.QueryAsync(CountBehind, Rows.One(beforeMs).Long(b => b), r => r.Long(0))).Single() > 0;

    public static ValueTask<List<long>> OpenDaysAsync(Tx tx, long closedThrough, long day) => tx.QueryAsync(
        SelectOpenDays, Rows.One(day).Long(_ => closedThrough).Long(d => d), r => r.Long(0));

    public static void Open(Tx tx, IReadOnlyList<long> days, long nowMs) =>
        tx.Queue(InsertRuns, Rows.Over(days).Long(d => d).Long(_ => nowMs));

    /// <summary>The earliest run up to a day that is not settled, or null.</summary>
    public static async ValueTask<SettlementRun?> FindUnfinishedAsync(Tx tx, long day) =>
        (await tx.QueryAsync(SelectUnfinished, Rows.One(day).Long(d => d), MapRun)).FirstOrDefault();

    public static async ValueTask<SettlementRun?> FindRunAsync(Tx tx, long day) =>
        (await tx.QueryAsync(SelectRun, Rows.One(day).Long(d => d), MapRun)).FirstOrDefault();

    /// <summary>Runs of before a day, the latest first.</summary>
    public static ValueTask<List<SettlementRun>> SelectRunsAsync(Tx tx, long before, int page) =>
        tx.QueryAsync(SelectRuns, Rows.One(before).Long(b => b).Long(_ => page), MapRun);

    /// <summary>The sums of a day's payouts by currency.</summary>
    public static ValueTask<List<SettlementTotals>> TotalsAsync(Tx tx, long day) => tx.QueryAsync(
        SelectTotals,
        Rows.One(day).Long(d => d),
        r => new SettlementTotals(
            r.Text(0), r.Long(1), r.Long(2), r.Long(3), r.Long(4), r.Long(5), r.Long(6), r.Long(7)));

    /// <summary>A page of what is to be settled, by account and class.</summary>
    public static ValueTask<List<ClassOfDay>> SelectClassesAsync(
        Tx tx, long day, ClassOfDay? after, int page) => tx.QueryAsync(
        SelectClasses,
        Rows.One(day).Long(d => d).Long(_ => after?.Account.Id ?? 0).Text(_ => after?.Class ?? "").Long(_ => page),
        r => new ClassOfDay(new(r.Long(0), r.Text(1), r.Text(2)), r.Text(3)));

    /// <summary>What accounts captured in the days from the first to the last, both with.</summary>
    public static async ValueTask<Dictionary<long, long>> VolumesAsync(
        Tx tx, (long First, long Last) days, (long First, long Last) accounts) => (await tx.QueryAsync(
            SelectVolumes,
            Rows.One(days).Long(d => d.First).Long(d => d.Last).Long(_ => accounts.First).Long(_ => accounts.Last),
            r => (Account: r.Long(0), Volume: r.Long(1))))
        .ToDictionary(v => v.Account, v => v.Volume);

    public static void Insert(Tx tx, long day, IReadOnlyList<(ClassOfDay Of, Rate Rate, Guid? PolicyId)> rates) =>
        tx.Queue(
            InsertRates,
            Rows.Over(rates).Long(_ => day).Long(r => r.Of.Account.Id).Text(r => r.Of.Class)
                .Long(r => r.Rate.BasisPoints).Long(r => r.Rate.Fixed).Long(r => r.Rate.FeeMin)
                .Long(r => r.Rate.FeeMax).Flag(r => r.PolicyId is not null).Id(r => r.PolicyId ?? Guid.Empty));

    /// <summary>The end of the range that begins after a line; null when no line is left.</summary>
    public static async ValueTask<(LineKey Last, long Lines)?> FindBoundaryAsync(
        Tx tx, long day, LineKey after, int rangeMax)
    {
        var from = Rows.One(after).Long(_ => day).Long(a => a.AccountId).Id(a => a.EventId).Long(a => a.Number)
            .Long(_ => rangeMax);
        if ((await tx.QueryAsync(SelectBoundary, from, MapKey)) is [var last])
        {
            return (last, rangeMax);
        }

        var rest = await tx.QueryAsync(SelectRest, from, MapKey);
        return rest.Count == 0 ? null : (rest[^1], rest.Count);
    }

    public static async ValueTask<long> CountLinesAsync(Tx tx, long day) =>
        (await tx.QueryAsync(CountLines, Rows.One(day).Long(d => d), r => r.Long(0))).Single();

    /// <summary>Ends the planning with these ranges; false when another runner did.</summary>
    public static async ValueTask<bool> StartAsync(Tx tx, long day, IReadOnlyList<LineRange> ranges)
    {
        var started = await tx.QueryAsync(
            StartRun,
            Rows.One(day).Long(d => d).Long(_ => ranges.Count).Long(_ => ranges.Sum(r => r.Lines)),
            r => true);
        if (started.Count > 0)
        {
            tx.Queue(InsertRanges, RowsOf(day, ranges).Long(r => r.Lines));
        }

        return started.Count > 0;
    }

    /// <summary>Locks the first range that is neither settled nor another runner's; null when there is none.</summary>
    public static async ValueTask<LineRange?> ClaimAsync(Tx tx, long day) =>
        (await tx.QueryAsync(ClaimRange, Rows.One(day).Long(d => d), r => new LineRange(
            r.Long(0), new(r.Long(1), r.Id(2), r.Long(3)), new(r.Long(4), r.Id(5), r.Long(6)), r.Long(7))))
        .FirstOrDefault();

    public static async ValueTask<long> CountUndoneAsync(Tx tx, long day) =>
        (await tx.QueryAsync(CountUndone, Rows.One(day).Long(d => d), r => r.Long(0))).Single();

    /// <summary>Settles the lines of a locked range: fees, sums by account, and the mark that it is done.</summary>
    public static void Settle(Tx tx, long day, LineRange range, long nowMs)
    {
        tx.Queue(
            SettleRange, RowsOf(day, [range]), checked((int)range.Lines), "every line of a range is settled once");
        tx.Queue(SumRange, RowsOf(day, [range]));
        tx.Queue(
            EndRange,
            Rows.One(range).Long(_ => day).Long(r => r.Number).Long(_ => nowMs),
            1,
            "a range is settled by one runner");
    }

    /// <summary>A page of accounts with the sums of all their ranges.</summary>
    public static ValueTask<List<Net>> SelectNetsAsync(Tx tx, long day, long afterAccount, int page) => tx.QueryAsync(
        SelectNets,
        Rows.One(day).Long(d => d).Long(_ => afterAccount).Long(_ => page),
        r => new Net(
            new(r.Long(0), r.Text(1), r.Text(2)), r.Long(3), r.Long(4), r.Long(5), r.Long(6), r.Long(7), r.Long(8)));

    /// <summary>What the writers of lines have added up for these accounts, by account.</summary>
    public static ValueTask<List<(long AccountId, long Lines, long Captured, long Refunded)>> SelectDayTotalsAsync(
        Tx tx, long day, (long First, long Last) accounts) => tx.QueryAsync(
        SelectDayTotals,
        Rows.One(day).Long(d => d).Long(_ => accounts.First).Long(_ => accounts.Last),
        r => (r.Long(0), r.Long(1), r.Long(2), r.Long(3)));

    /// <summary>What accounts carried over from their last payout before a day.</summary>
    public static async ValueTask<Dictionary<long, long>> CarriedAsync(
        Tx tx, long day, IReadOnlyList<long> accountIds) => (await tx.QueryAsync(
            SelectCarried,
            Rows.Over(accountIds).Long(a => a).Long(_ => day),
            r => (Account: r.Long(0), Carried: r.Long(1))))
        .ToDictionary(c => c.Account, c => c.Carried);

    /// <summary>Writes payouts; the ids of those that were not there.</summary>
    public static async ValueTask<HashSet<Guid>> InsertAsync(Tx tx, IReadOnlyList<Payout> payouts) =>
    [
        .. await tx.QueryAsync(
            InsertPayouts,
            Rows.Over(payouts).Id(p => p.Id).Long(p => p.Net.Account.Id).Long(p => p.Day)
                .Text(p => p.Net.Account.MerchantId).Text(p => p.Net.Account.Currency).Long(p => p.Net.Captures)
                .Long(p => p.Net.Refunds).Long(p => p.Net.Captured).Long(p => p.Net.Refunded).Long(p => p.Net.Fee)
                .Long(p => p.Net.FeeReturned).Long(p => p.CarriedIn).Long(p => p.Amount).Long(p => p.CarriedOut)
                .Long(p => p.CreatedMs),
            r => r.Id(0)),
    ];

    /// <summary>Lines planned, lines in done ranges, lines in payouts, and payouts.</summary>
    public static async ValueTask<(long Planned, long Settled, long Paid, long Payouts)> RunSumsAsync(
        Tx tx, long day) => (await tx.QueryAsync(
            SelectRunSums,
            Rows.One(day).Long(d => d),
            r => (r.Long(0), r.Long(1), r.Long(2), r.Long(3)))).Single();

    public static void End(Tx tx, long day, long payouts, long nowMs) =>
        tx.Queue(EndRun, Rows.One(day).Long(d => d).Long(_ => nowMs).Long(_ => payouts));

    public static async ValueTask<Payout?> FindPayoutAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(SelectPayout, Rows.One(id).Id(i => i), MapPayout)).FirstOrDefault();

    /// <summary>Payouts after an id, of one merchant or, with null, of all.</summary>
    public static ValueTask<List<Payout>> SelectPayoutsAsync(Tx tx, string? merchantId, Guid after, int page) =>
        merchantId is null
            ? tx.QueryAsync(SelectPayouts, Rows.One(after).Id(a => a).Long(_ => page), MapPayout)
            : tx.QueryAsync(
                SelectPayoutsOf, Rows.One(after).Text(_ => merchantId).Id(a => a).Long(_ => page), MapPayout);

    /// <summary>A page of a payout's lines after one of them, by event and number.</summary>
    public static ValueTask<List<StatementLine>> SelectStatementAsync(
        Tx tx, Payout payout, (Guid EventId, long Number) after, int page) => tx.QueryAsync(
        SelectStatement,
        Rows.One(payout).Long(p => p.Day).Long(p => p.Net.Account.Id).Id(_ => after.EventId).Long(_ => after.Number)
            .Long(_ => page),
        r => new StatementLine(
            r.Id(0), r.Long(1), r.Id(2), r.Flag(3), r.Text(4), r.Long(5), r.Long(6), r.TextOrNull(7), r.Long(8)));

    private static RowsOf<LineRange> RowsOf(long day, IReadOnlyList<LineRange> ranges) => Rows.Over(ranges)
        .Long(_ => day).Long(r => r.Number).Long(r => r.After.AccountId).Id(r => r.After.EventId)
        .Long(r => r.After.Number).Long(r => r.Last.AccountId).Id(r => r.Last.EventId).Long(r => r.Last.Number);

    private static string Settled(string least, string greatest) => SettleText
        .Replace("{least}", least, StringComparison.Ordinal)
        .Replace("{greatest}", greatest, StringComparison.Ordinal)
        .Replace("{in range}", InRange, StringComparison.Ordinal)
        .Replace("{share before}", ShareOfFee("f.refunded_before"), StringComparison.Ordinal)
        .Replace("{share after}", ShareOfFee("(f.refunded_before + f.amount)"), StringComparison.Ordinal);

    /// <summary>The fee times a part of the captured line, divided by it: in two steps, half to even.</summary>
    private static string ShareOfFee(string part)
    {
        const string Whole = "f.origin_amount";
        const string Step = "1048576";
        var high = $"(f.fee * ({part} / {Step}))";
        var low = $"({high} % {Whole} * {Step} + f.fee * ({part} % {Step}))";
        var quotient = $"({high} / {Whole} * {Step} + {low} / {Whole})";
        return $"({quotient} + case when {low} % {Whole} * 2 > {Whole} "
            + $"or ({low} % {Whole} * 2 = {Whole} and {quotient} % 2 = 1) then 1 else 0 end)";
    }

    private static LineKey MapKey(Row r) => new(r.Long(0), r.Id(1), r.Long(2));

    private static SettlementRun MapRun(Row r) => new(
        DateOnly.FromDayNumber((int)r.Long(0)), Enum.Parse<RunState>(r.Text(1), ignoreCase: true), r.Long(2), r.Long(3),
        r.Long(4), r.Long(5), r.Long(6), r.Long(7), r.Long(8));

    private static Payout MapPayout(Row r) => new(
        r.Id(0),
        r.Long(2),
        new(new(r.Long(1), r.Text(3), r.Text(4)), r.Long(5), r.Long(6), r.Long(7), r.Long(8), r.Long(9), r.Long(10)),
        r.Long(11),
        r.Long(14))
    {
        Amount = r.Long(12), CarriedOut = r.Long(13),
    };
}
