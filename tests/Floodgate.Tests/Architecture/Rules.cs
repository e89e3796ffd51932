using Mono.Cecil;

namespace Floodgate.Tests.Architecture;

/// <summary>
/// The rules about who may use what, over one assembly and the namespace its modules live under; each returns its
/// violations as <c>who -> what: why</c>. The root namespace is a parameter so that the rules also run on planted
/// ones.
/// </summary>
public sealed class Rules(AssemblyDefinition assembly, string root)
{
    private static readonly (string Driver, string Home)[] Drivers =
    [
        ("Npgsql", "Storage.Database"),
        ("Microsoft.Data.Sqlite", "Storage.Database"),
        ("SQLitePCLRaw", "Storage.Database"),
        ("StackExchange.Redis", "Storage.Coordination"),
    ];

    private readonly IReadOnlyList<TypeUse> uses = TypeUse.In(assembly, root);

    /// <summary>
    /// A module uses itself and modules above it in <see cref="Modules.LowestFirst"/>, nothing below.
    /// </summary>
    public IEnumerable<string> ModulesUseOnlyWhatIsAboveThem() => Crossings()
        .Where(crossing => Modules.Rank(crossing.To) > Modules.Rank(crossing.From))
        .Select(crossing => $"{crossing.Use}: {crossing.From} may not use {crossing.To}");

    /// <summary>Another module's internal types are private to it; only the composition root sees them.</summary>
    public IEnumerable<string> OtherModulesAreUsedThroughTheirDoors() => Crossings()
        .Where(crossing => crossing.From != Modules.Root && !IsPublic(crossing.Use.To))
        .Select(crossing => $"{crossing.Use}: internal is private to {crossing.To}");

    /// <summary>A type below the root namespace lives in a module of the table.</summary>
    public IEnumerable<string> EveryTypeIsInAModule() => OwnTypes()
        .Where(type => Modules.Of(type.Namespace, root) is null)
        .Select(type => $"{type.FullName}: namespace {type.Namespace} is no module of the table");

    /// <summary>
    /// An interface has two implementations here, or is <paramref name="awaited"/>; nothing awaited in vain.
    /// </summary>
    /// <param name="awaited">Names, without namespace, of interfaces whose second one is still to come.</param>
    public IEnumerable<string> InterfacesHaveTwoImplementations(IReadOnlyCollection<string> awaited)
    {
        var all = OwnTypes().SelectMany(WithNested).ToList();
        foreach (var seam in all.Where(type => type.IsInterface))
        {
            var count = all.Count(type => type is { IsInterface: false, IsAbstract: false } && Implements(type, seam));
            if (count < 2 && !awaited.Contains(seam.Name))
            {
                yield return $"{seam.FullName}: an interface with {count} implementations; use the class itself";
            }
            else if (count >= 2 && awaited.Contains(seam.Name))
            {
                yield return $"{seam.FullName}: has its {count} implementations, so take it off the awaited ones";
            }
        }
    }

    /// <summary>Npgsql and SQLite are known to Storage.Database alone, Redis to Storage.Coordination.</summary>
    public IEnumerable<string> DriversStayAtHome() =>
        from use in uses
        from driver in Drivers
        where use.To.Scope.Name.StartsWith(driver.Driver, StringComparison.Ordinal)
            && Modules.Of(use.From.Namespace, root) != driver.Home
        select $"{use}: {driver.Driver} is used only in {driver.Home}";

    /// <summary>The assembly references none of the named ones.</summary>
    public IEnumerable<string> ReferencesNone(params string[] assemblies) => assembly.MainModule.AssemblyReferences
        .Where(reference => assemblies.Contains(reference.Name))
        .Select(reference => $"{assembly.Name.Name} -> {reference.Name}: the two know each other only over HTTP");

    private IEnumerable<(TypeUse Use, string From, string To)> Crossings() =>
        from use in uses
        where use.To.Scope == assembly.MainModule && TypeUse.IsBelow(use.To, root)
        let @from = Modules.Of(use.From.Namespace, root)
        let to = Modules.Of(TypeUse.Outermost(use.To).Namespace, root)
        where @from is not null && to is not null && @from != to
        select (use, @from, to);

    private IEnumerable<TypeDefinition> OwnTypes() =>
        assembly.MainModule.Types.Where(type => TypeUse.IsBelow(type, root));

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) =>
        type.NestedTypes.SelectMany(WithNested).Prepend(type);

    private static bool IsPublic(TypeReference type) =>
        type.Resolve() is var definition && definition.DeclaringType is { } declaring
            ? definition.IsNestedPublic && IsPublic(declaring)
            : definition.IsPublic;

    private static bool Implements(TypeDefinition? type, TypeDefinition seam) =>
        type is not null && (
            type == seam ||
            type.Interfaces.Any(one => Implements(InSameAssembly(one.InterfaceType, seam), seam)) ||
            Implements(InSameAssembly(type.BaseType, seam), seam));

    private static TypeDefinition? InSameAssembly(TypeReference? type, TypeDefinition seam) =>
        type?.Scope == seam.Module ? type.Resolve() : null;
}
