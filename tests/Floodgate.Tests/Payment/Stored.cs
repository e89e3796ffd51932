using System.Reflection;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace Floodgate.Tests.Payment;

/// <summary>Where a test's server keeps its rows.</summary>
public enum Stored
{
    /// <summary>The embedded profile.</summary>
    InSqlite,

    /// <summary>A real PostgreSQL.</summary>
    InPostgreSql,
}

/// <summary>Runs a theory once on each database: one promise, two homes.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OnBothDatabasesAttribute : DataAttribute
{
    /// <inheritdoc/>
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(
        MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([.. Enum.GetValues<Stored>().Select(stored => new TheoryDataRow(stored))]);

    /// <inheritdoc/>
    public override bool SupportsDiscoveryEnumeration() => true;
}
