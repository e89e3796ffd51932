using FsCheck;
using FsCheck.Fluent;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: the offset that is committed is never above an unfinished event, and never stays behind without a reason.
/// Method: random runs against a model that keeps every event in a list; planted models show that it can fail.
/// </summary>
public sealed class OffsetTrackerTests
{
    private const long First = 70;

    // Goal: equal to the model always. Method: start (single, many, after a gap), finish, ask "with these".
    [Fact]
    public void Never_moves_above_an_unfinished_event()
    {
        var property = Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), steps => Agrees(steps, (tracker, _) => tracker));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000).WithEndSize(300), property);
    }

    // Goal: the check above is one. Method: a tracker that believes the last event it was told of.
    [Fact]
    public void The_model_notices_a_tracker_that_commits_what_was_finished_last()
    {
        var property = Prop.ForAll(
            ArbMap.Default.ArbFor<int[]>(), steps => Agrees(steps, (tracker, finished) => finished ?? tracker));
        Assert.ThrowsAny<Exception>(() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), property));
    }

    // Goal: the ring grows and wraps. Method: 100,000 in work at once, finished from the end, in two rounds.
    [Fact]
    public void Keeps_any_number_of_events_in_work()
    {
        var tracker = new OffsetTracker(5);
        for (var round = 0; round < 2; round++)
        {
            var from = tracker.FirstUnfinished;
            for (var i = 0; i < 100_000; i++)
            {
                tracker.Start(from + i);
            }

            for (var i = 99_999; i > 0; i--)
            {
                tracker.Finish(from + i);
            }

            Assert.Equal(from, tracker.FirstUnfinished);
            Assert.Equal(from + 100_000, tracker.FirstUnfinishedWith([from]));
            tracker.Finish(from);
            Assert.Equal(from + 100_000, tracker.FirstUnfinished);
        }
    }

    // Goal: the reader's promise is checked, not assumed. Method: start an offset again.
    [Fact]
    public void Refuses_events_out_of_order()
    {
        var tracker = new OffsetTracker(5);
        tracker.Start(5);
        Assert.Throws<InvariantViolatedException>(() => tracker.Start(5));
    }

    private static bool Agrees(int[] steps, Func<long, long?, long> reported)
    {
        var tracker = new OffsetTracker(First);
        var model = new SortedDictionary<long, bool>(); // Offset -> finished.
        var end = First;
        long? last = null;
        foreach (var step in steps)
        {
            var size = Math.Abs((long)step) / 5;
            switch (Math.Abs((long)step) % 5)
            {
                case 0:
                    end += size % 3; // A gap of 0 to 2 deleted events.
                    Start(tracker, model, ref end);
                    break;
                case 1:
                    for (var i = 0; i < 400; i++)
                    {
                        Start(tracker, model, ref end);
                    }

                    break;
                case 2 when model.Count > 0:
                    var offset = model.Keys.ElementAt((int)(size % model.Count));
                    model[offset] = true;
                    tracker.Finish(offset);
                    last = offset + 1;
                    break;
                case 3:
                    var given = model.Keys.Where(o => (o * 31 + size) % 3 != 0).ToList();
                    if (tracker.FirstUnfinishedWith(given) != FirstUnfinished(model, given))
                    {
                        return false;
                    }

                    break;
                case 4:
                    foreach (var o in model.Keys.Take((int)(size % 500)).ToList())
                    {
                        model[o] = true;
                        tracker.Finish(o);
                    }

                    break;
            }

            if (reported(tracker.FirstUnfinished, last) != FirstUnfinished(model, []))
            {
                return false;
            }
        }

        return true;
    }

    private static void Start(OffsetTracker tracker, SortedDictionary<long, bool> model, ref long end)
    {
        tracker.Start(end);
        model.Add(end, false);
        end++;
    }

    private static long FirstUnfinished(SortedDictionary<long, bool> model, List<long> given)
    {
        var also = given.ToHashSet();
        foreach (var (offset, isFinished) in model)
        {
            if (!isFinished && !also.Contains(offset))
            {
                return offset;
            }
        }

        return model.Count == 0 ? First : model.Keys.Last() + 1;
    }
}
