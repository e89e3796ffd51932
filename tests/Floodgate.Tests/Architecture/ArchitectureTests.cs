using Floodgate.Vocabulary;
using Mono.Cecil;
using Xunit;

namespace Floodgate.Tests.Architecture;

/// <summary>
/// Goal: the folders stay true, so that a module can be read, changed and moved knowing only what is above it.
/// Method: read the compiled assemblies. Each rule is also run on <c>PlantedModules.cs</c>, where it must find
/// exactly what was planted.
/// </summary>
public sealed class ArchitectureTests
{
    private const string Planted = "Floodgate.Tests.Architecture.Planted";

    /// <summary>Seams whose second implementation is still to come: none.</summary>
    private static readonly string[] AwaitedInterfaces = [];

    private static readonly AssemblyDefinition Product = Read(typeof(Money).Assembly.Location);
    private static readonly AssemblyDefinition Tests = Read(typeof(ArchitectureTests).Assembly.Location);
    private static readonly Rules ProductRules = new(Product, "Floodgate");
    private static readonly Rules PlantedRules = new(Tests, Planted);

    // Goal: the next stage is reached through the log, never by a call. Method: every type use against the table.
    [Fact]
    public void Modules_use_only_what_is_above_them() => Holds(ProductRules.ModulesUseOnlyWhatIsAboveThem());

    // Goal: a module can change its inside alone. Method: no use of another module's internal type.
    [Fact]
    public void Other_modules_are_used_through_their_public_doors() =>
        Holds(ProductRules.OtherModulesAreUsedThroughTheirDoors());

    // Goal: nothing escapes the table by a new namespace. Method: every type has a module.
    [Fact]
    public void Every_type_is_in_a_module_of_the_table() => Holds(ProductRules.EveryTypeIsInAModule());

    // Goal: no layers of pass-through interfaces. Method: count implementations.
    [Fact]
    public void Interfaces_have_two_implementations() =>
        Holds(ProductRules.InterfacesHaveTwoImplementations(AwaitedInterfaces));

    // Goal: one place knows the drivers. Method: uses of their assemblies.
    [Fact]
    public void Database_drivers_are_used_only_by_the_database_module() =>
        Holds(ProductRules.DriversStayAtHome());

    // Goal: the auditor shares no code with what it audits. Method: assembly references, both ways.
    [Fact]
    public void The_load_tool_and_the_server_share_nothing()
    {
        var folder = Path.GetDirectoryName(Product.MainModule.FileName)!;
        var load = new Rules(Read(Path.Combine(folder, "floodgate-load.dll")), "Floodgate.Load");
        Holds(load.ReferencesNone("Floodgate").Concat(ProductRules.ReferencesNone("floodgate-load")));
    }

    // Goal: the order of modules is really checked. Method: uses planted in a body, an attribute, a generic
    // argument, an async method and a lambda; all are found and nothing else is.
    [Fact]
    public void A_use_of_a_module_below_is_caught() => Catches(
        PlantedRules.ModulesUseOnlyWhatIsAboveThem(),
        "Vocabulary.KnowsStorage -> Storage.Database.Tables: Vocabulary may not use Storage.Database",
        "Storage.Log.KnowsLedger -> Payment.Ledger.Journal: Storage.Log may not use Payment.Ledger",
        "Payment.Ledger.KnowsCharges -> Payment.Charges.Providers.Answer: Payment.Ledger may not use Payment.Charges",
        "Checkout.Orders.OrdersModule -> Settlement.Batch: Checkout.Orders may not use Settlement");

    // Goal: doors are really checked. Method: an internal type and an internal one nested in a public one.
    [Fact]
    public void A_use_of_another_modules_internal_type_is_caught() => Catches(
        PlantedRules.OtherModulesAreUsedThroughTheirDoors(),
        "Access.ReachesIntoDatabase -> Storage.Database.Hidden: internal is private to Storage.Database",
        "Access.ReachesIntoDatabase -> Storage.Database.Tables.Row: internal is private to Storage.Database");

    // Goal: the table is really complete. Method: a namespace that it has not.
    [Fact]
    public void A_type_outside_the_table_is_caught() => Catches(
        PlantedRules.EveryTypeIsInAModule(),
        $"Elsewhere.Stray: namespace {Planted}.Elsewhere is no module of the table");

    // Goal: lonely interfaces are caught, awaited ones pass until their second implementation is there. Method: both.
    [Fact]
    public void A_lonely_interface_and_a_needless_allowance_are_caught() => Catches(
        PlantedRules.InterfacesHaveTwoImplementations(["IAwaited", "IRanked"]),
        "Signals.IRanked: has its 2 implementations, so take it off the awaited ones",
        "Signals.ILonely: an interface with 1 implementations; use the class itself",
        "Signals.ISeldom: an interface with 1 implementations; use the class itself");

    // Goal: the driver rule really looks. Method: a driver in Signals; the one in Storage.Database is right.
    [Fact]
    public void A_driver_outside_the_database_module_is_caught() => Catches(
        PlantedRules.DriversStayAtHome(),
        "Signals.Driven -> Npgsql.NpgsqlDataSource: Npgsql is used only in Storage.Database");

    // Goal: the reference rule really looks. Method: the tests reference both programs.
    [Fact]
    public void A_reference_between_the_programs_is_caught() => Assert.Equal(
        2, new Rules(Tests, Planted).ReferencesNone("Floodgate", "Floodgate.Tests", "Mono.Cecil").Count());

    private static void Holds(IEnumerable<string> violations) =>
        Assert.True(!violations.Any(), string.Join('\n', violations.Prepend("Violations:")));

    private static void Catches(IEnumerable<string> violations, params string[] planted) => Assert.Equal(
        planted.Order(StringComparer.Ordinal),
        violations.Select(violation => violation
                .Replace($"namespace {Planted}", "namespace :")
                .Replace($"{Planted}.", "")
                .Replace("namespace :", $"namespace {Planted}"))
            .Order(StringComparer.Ordinal));

    private static AssemblyDefinition Read(string path) => AssemblyDefinition.ReadAssembly(path);
}
