using Floodgate.Load.Queue;
using Xunit;

namespace Floodgate.Tests.Load;

// Goal: who was overtaken is counted exactly, and a fair draw looks like one. Method: small lines whose answer can be
// seen, and large ones made by rule.
public sealed class FairnessTests
{
    // | joins: sent, answered, turn | overtaken |
    public static TheoryData<long[][], int> Lines => new()
    {
        { [], 0 },
        { [[1, 2, 1], [3, 4, 2], [5, 6, 3]], 0 },
        { [[1, 2, 2], [3, 4, 1]], 1 },
        { [[1, 4, 2], [3, 5, 1]], 0 }, // Both were under way: no order among them.
        { [[1, 2, 7], [3, 4, 7]], 0 }, // Let in together.
        { [[1, 2, 3], [3, 4, 3], [9, 10, 1]], 2 }, // One who came last passes two.
        { [[1, 2, 9], [3, 4, 1], [5, 6, 2], [7, 8, 3]], 1 }, // Three pass the first one.
    };

    [Theory, MemberData(nameof(Lines))]
    public void Those_are_overtaken_whom_somebody_passed_who_came_after_their_answer(long[][] joins, int overtaken) =>
        Assert.Equal(overtaken, Fairness.Overtaken([.. joins.Select(j => new Wait(j[0], j[1], j[2]))]));

    [Fact]
    public void Rho_is_1_in_order_minus_1_backwards_and_near_0_for_a_draw()
    {
        var chance = new Random(7);
        var numbers = Enumerable.Range(0, 10_000).ToArray();
        Assert.Equal(1, Rho(numbers, numbers), 6);
        Assert.Equal(-1, Rho(numbers, [.. numbers.Reverse()]), 6);
        var drawn = numbers.ToArray();
        chance.Shuffle(drawn);
        Assert.InRange(Rho(numbers, drawn), -0.03, 0.03);

        // Let in by the hundred is still in order, nearly.
        Assert.InRange(Rho(numbers, [.. numbers.Select(n => n / 100)]), 0.999, 1);
        Assert.True(double.IsNaN(Rho([1], [1])));
    }

    private static double Rho(int[] arrivals, int[] turns) =>
        Fairness.Rho([.. arrivals.Zip(turns, (arrival, turn) => new Wait(arrival, arrival, turn))]);
}
