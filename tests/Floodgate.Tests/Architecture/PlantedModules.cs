// Small modules that break each rule once, and some that break none; ArchitectureTests sees every rule catch its own.
using Npgsql;

namespace Floodgate.Tests.Architecture.Planted
{
    /// <summary>The composition root may use everything, private types too.</summary>
    public sealed class Composition
    {
        internal Storage.Database.Hidden? Hidden { get; init; }

        public Settlement.Batch? Batch { get; init; }
    }
}

namespace Floodgate.Tests.Architecture.Planted.Vocabulary
{
    public sealed class MentionedByAttribute(Type type) : Attribute
    {
        public Type Type => type;
    }

    [MentionedBy(typeof(Storage.Database.Tables))]
    public sealed class KnowsStorage;
}

namespace Floodgate.Tests.Architecture.Planted.Storage.Database
{
    public sealed class Tables
    {
        public NpgsqlConnection? Connection { get; init; }

        internal sealed class Row;
    }

    internal sealed class Hidden;
}

namespace Floodgate.Tests.Architecture.Planted.Storage.Log
{
    public sealed class KnowsLedger
    {
        public static async Task<string> ReadAsync()
        {
            await Task.Yield();
            var journal = new Payment.Ledger.Journal();
            return $"{journal}";
        }
    }
}

namespace Floodgate.Tests.Architecture.Planted.Payment.Ledger
{
    public sealed class Journal;

    public sealed class KnowsCharges
    {
        public IReadOnlyList<Charges.Providers.Answer[]> Answers { get; init; } = [];
    }
}

namespace Floodgate.Tests.Architecture.Planted.Payment.Charges.Providers
{
    public sealed class Answer;
}

namespace Floodgate.Tests.Architecture.Planted.Access
{
    public sealed class ReachesIntoDatabase
    {
        internal Storage.Database.Tables.Row? Row { get; init; }

        public static string Name => nameof(ReachesIntoDatabase) + new Storage.Database.Hidden();
    }
}

namespace Floodgate.Tests.Architecture.Planted.Checkout.Orders
{
    public sealed class OrderDesk
    {
        public static Payment.Ledger.Journal Open(Storage.Database.Tables tables) => new();
    }

    public sealed class OrdersModule
    {
        public static Func<object> Next => () => new Settlement.Batch();
    }
}

namespace Floodgate.Tests.Architecture.Planted.Settlement
{
    public sealed class Batch;
}

namespace Floodgate.Tests.Architecture.Planted.Signals
{
    public interface IRanked;

    public interface IAwaited;

    public interface ILonely;

    public interface ISeldom;

    public sealed class Driven(NpgsqlDataSource source) : ISeldom, ILonely
    {
        public override string ToString() => source.ConnectionString;
    }

    public abstract class Ranked : IRanked;

    public sealed class Best : Ranked;

    public sealed class Worst : Ranked, IAwaited;
}

namespace Floodgate.Tests.Architecture.Planted.Elsewhere
{
    public sealed class Stray;
}
