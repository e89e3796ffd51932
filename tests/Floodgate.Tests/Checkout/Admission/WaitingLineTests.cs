using Floodgate.Checkout.Admission;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: whatever joins, leaves, is admitted, runs out, is used or is left alone, also over restarts, the line tells the
// right position of everybody and never loses count of the places inside. Method: random steps against a plain list;
// FsCheck prints the seed. The line is made to grow and to be sorted again and again.
public sealed class WaitingLineTests
{
    private const int Buyers = 12;
    private const int PassMs = 5_000;
    private const int AbandonedSeconds = 4;

    private enum Act
    {
        Join,
        JoinAhead,
        Admit,
        Leave,
        Use,
        Touch,
        Wait,
        Restart,
    }

    private sealed record Step(Act Act, int Number)
    {
        public override string ToString() => $"{Act} {Number}";
    }

    [Fact]
    public void Every_sequence_keeps_positions_exact_and_places_counted()
    {
        var act = Gen.Frequency(
            (6, Gen.Constant(Act.Join)), (2, Gen.Constant(Act.JoinAhead)), (3, Gen.Constant(Act.Admit)),
            (2, Gen.Constant(Act.Leave)), (2, Gen.Constant(Act.Use)), (2, Gen.Constant(Act.Touch)),
            (2, Gen.Constant(Act.Wait)), (1, Gen.Constant(Act.Restart)));
        var steps = from one in act from number in Gen.Choose(0, 1_000) select new Step(one, number);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(400).WithEndSize(120),
            Prop.ForAll(steps.ListOf().ToArbitrary(), story =>
            {
                var model = new Model();
                foreach (var step in story)
                {
                    model.Do(step);
                    model.Compare();
                }

                return true;
            }));
    }

    // Goal: the sizes that a sale has. Method: many in random places, then a position here and there by counting.
    [Fact]
    public void Positions_of_a_hundred_thousand_are_those_of_their_places()
    {
        const int count = 100_000;
        var places = Enumerable.Range(0, count).Select(i => (long)(uint)(i * 2_654_435_761)).ToArray();
        var line = new WaitingLine();
        for (var i = 0; i < count; i++)
        {
            line.Add(new(IdOf(i), Guid.Empty, $"platform/{i}", places[i]), 0);
        }

        var order = Enumerable.Range(0, count).OrderBy(i => places[i]).ToArray();
        for (var rank = 0; rank < count; rank += 977)
        {
            Assert.Equal(rank + 1, line.PositionOf(IdOf(order[rank])));
        }

        var admitted = line.First(500);
        Assert.Equal(order.Take(500).Select(i => IdOf(i)), admitted);
        admitted.ForEach(id => Assert.True(line.Change(id, TicketState.Active, 1)));
        Assert.Equal((count - 500, 500), (line.Waiting, line.Active));
        Assert.Equal(1, line.PositionOf(IdOf(order[500])));
    }

    // Goal: the order survives a clock that goes back and a restart that knows fewer places. Method: rules as a table.
    [Fact]
    public void Places_after_the_opening_follow_those_before_and_only_grow()
    {
        var random = new Random(7);
        var last = 0L;
        foreach (var ms in new[] { 1_700_000_000_000, 1_700_000_000_000, 1_600_000_000_000, 1_700_000_000_001 })
        {
            var next = Places.After(last, ms);
            Assert.True(next > last);
            Assert.InRange(Places.Draw(random), 0, Places.FirstInLine - 1);
            Assert.True(next >= Places.FirstInLine);
            last = next;
        }

        Assert.True(Places.After(0, 1_700_000_000_002) > last);
    }

    private static Guid IdOf(int number) => new(number, 1, 2, BitConverter.GetBytes(number * 31L));

    private sealed class Entry(Guid id, string buyer, long place)
    {
        public Guid Id => id;

        public string Buyer => buyer;

        public long Place => place;

        public TicketState State { get; set; }

        public long ExpiresMs { get; set; }

        public int Seen { get; set; }
    }

    private sealed class Model
    {
        private readonly List<Entry> all = [];
        private WaitingLine line = new(slotsMin: 2);
        private int seconds = 10;
        private int made;
        private long admitted;
        private long freed;

        private List<Entry> Waiting => [.. Of(TicketState.Waiting).OrderBy(one => one.Place)];

        public void Do(Step step)
        {
            switch (step.Act)
            {
                case Act.Join or Act.JoinAhead:
                    Join(step);
                    break;
                case Act.Admit:
                    Admit(step.Number % 4);
                    break;
                case Act.Leave when Some(step.Number) is { } one:
                    Move(one, TicketState.Left);
                    break;
                case Act.Use when Some(step.Number) is { State: not TicketState.Waiting } one:
                    Move(one, TicketState.Used);
                    break;
                case Act.Touch when Some(step.Number) is { } one:
                    one.Seen = seconds;
                    line.Touch(one.Id, seconds);
                    break;
                case Act.Wait:
                    Wait(step.Number % 3);
                    break;
                case Act.Restart:
                    Restart(step.Number);
                    break;
                default:
                    break;
            }
        }

        public void Compare()
        {
            var waiting = Waiting;
            Assert.Equal((waiting.Count, Of(TicketState.Active).Count), (line.Waiting, line.Active));
            Assert.Equal((admitted, freed), (line.Admitted, line.Freed));
            Assert.Equal(waiting.Select(one => one.Id), line.First(int.MaxValue));
            Assert.Equal(waiting.Select((_, i) => i + 1), waiting.Select(one => line.PositionOf(one.Id)));
            Assert.All(all.Where(one => !one.State.IsFinal()), one =>
            {
                Assert.Equal(new Waiter(one.Id, one.State, one.ExpiresMs), line.Find(one.Id));
                Assert.Equal(one.Id, line.FindLive(one.Buyer)!.Value.Id);
                Assert.Equal(one.Buyer, line.BuyerOf(one.Id));
            });
            Assert.All(all.Where(one => one.State.IsFinal()), one =>
            {
                Assert.Equal(0, line.PositionOf(one.Id));
                Assert.True(line.Find(one.Id) is not { State: var state } || state == one.State);
                Assert.False(line.Change(one.Id, TicketState.Active, 1));
            });
            Assert.Null(line.Find(IdOf(-1)));
        }

        private List<Entry> Of(TicketState state) => all.FindAll(one => one.State == state);

        private Entry? Some(int number) => all.Count == 0 ? null : all[number % all.Count];

        // Ahead: a place before all that were given out, as a draw that is committed late.
        private void Join(Step step)
        {
            var buyer = $"platform/b{step.Number % Buyers}";
            if (all.Exists(one => one.Buyer == buyer && !one.State.IsFinal()))
            {
                return;
            }

            made++;
            var entry = new Entry(IdOf(made), buyer, step.Act == Act.Join ? made : -made) { Seen = seconds };
            all.Add(entry);
            line.Add(new(entry.Id, Guid.Empty, buyer, entry.Place), seconds);
            line.Add(new(entry.Id, Guid.Empty, buyer, entry.Place), seconds); // News may come twice.
        }

        private void Admit(int count)
        {
            var first = Waiting.Take(count).ToList();
            Assert.Equal(first.Select(one => one.Id), line.First(count));
            foreach (var one in first)
            {
                one.ExpiresMs = (seconds * 1_000) + PassMs;
                Move(one, TicketState.Active);
            }
        }

        private void Move(Entry one, TicketState next)
        {
            var may = one.State.MayBecome(next);
            Assert.Equal(may, line.Change(one.Id, next, one.ExpiresMs));
            if (!may)
            {
                return;
            }

            freed += one.State == TicketState.Active ? 1 : 0;
            admitted += next == TicketState.Active ? 1 : 0;
            one.State = next;
        }

        private void Wait(int more)
        {
            seconds += more;
            var overdue = Of(TicketState.Active).FindAll(one => one.ExpiresMs <= seconds * 1_000);
            Assert.Equal(overdue.Select(one => one.Id).Order(), line.Overdue(seconds * 1_000).Order());
            var unseen = Waiting.FindAll(one => one.Seen < seconds - AbandonedSeconds);
            Assert.Equal(
                unseen.Select(one => one.Id).Order(), line.Unseen(seconds - AbandonedSeconds, int.MaxValue).Order());
            overdue.Concat(unseen).ToList().ForEach(one => Move(one, TicketState.Expired));
        }

        // Only the live rows are read, in an order that has nothing to do with their places; all get a fresh grace.
        private void Restart(int seed)
        {
            line = new WaitingLine(slotsMin: 2);
            (admitted, freed) = (0, 0);
            var rows = all.FindAll(one => !one.State.IsFinal()).ToArray();
            new Random(seed).Shuffle(rows);
            foreach (var one in rows)
            {
                one.Seen = seconds;
                line.Add(new(one.Id, Guid.Empty, one.Buyer, one.Place, one.State, one.ExpiresMs), seconds);
            }
        }
    }
}
