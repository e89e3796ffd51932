using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Floodgate.Tests.Architecture;

/// <summary>One type mentions another, anywhere: signature, body, attribute, generic argument.</summary>
/// <param name="From">The outermost type, so that closures and state machines count for who wrote them.</param>
/// <param name="To">The mentioned type, without array, pointer and generic dressing.</param>
public sealed record TypeUse(TypeDefinition From, TypeReference To)
{
    /// <summary>For messages: <c>Holds.HoldBook -> Orders.Order</c> with full names.</summary>
    public override string ToString() => $"{From.FullName} -> {To.FullName.Replace('/', '.')}";

    /// <summary>
    /// Every use by the types of <paramref name="assembly"/> in or below namespace <paramref name="root"/>.
    /// </summary>
    public static IReadOnlyList<TypeUse> In(AssemblyDefinition assembly, string root) =>
        [.. assembly.MainModule.Types.Where(type => IsBelow(type, root)).SelectMany(Of)];

    /// <summary>
    /// Whether the type was written in or below the namespace. Code that generators put elsewhere is nobody's, and
    /// so is a <c>Program</c> of top-level statements: it composes everything anyway.
    /// </summary>
    public static bool IsBelow(TypeReference type, string root)
    {
        var @namespace = Outermost(type).Namespace;
        return @namespace == root || @namespace.StartsWith($"{root}.", StringComparison.Ordinal);
    }

    /// <summary>The type that this one is nested in, over all levels, or itself.</summary>
    public static TypeReference Outermost(TypeReference type) =>
        type.DeclaringType is { } declaring ? Outermost(declaring) : type;

    private static IEnumerable<TypeUse> Of(TypeDefinition type) => WithNested(type)
        .SelectMany(Mentions)
        .SelectMany(Undress)
        .DistinctBy(mentioned => mentioned.FullName)
        .Select(mentioned => new TypeUse(type, mentioned));

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) =>
        type.NestedTypes.SelectMany(WithNested).Prepend(type);

    private static IEnumerable<TypeReference?> Mentions(TypeDefinition type) =>
    [
        type.BaseType,
        .. type.Interfaces.Select(implementation => implementation.InterfaceType),
        .. Constraints(type),
        .. Attributes(type),
        .. type.Fields.SelectMany(field => Attributes(field).Append(field.FieldType)),
        .. type.Properties.SelectMany(property => Attributes(property).Append(property.PropertyType)),
        .. type.Events.Select(@event => @event.EventType),
        .. type.Methods.SelectMany(Mentions),
    ];

    private static IEnumerable<TypeReference?> Mentions(MethodDefinition method) =>
    [
        .. Signature(method),
        .. Constraints(method),
        .. Attributes(method),
        .. method.Parameters.SelectMany(Attributes),
        .. method.HasBody ? Mentions(method.Body) : [],
    ];

    private static IEnumerable<TypeReference?> Mentions(MethodBody body) =>
    [
        .. body.Variables.Select(variable => variable.VariableType),
        .. body.ExceptionHandlers.Select(handler => handler.CatchType),
        .. body.Instructions.SelectMany(Mentions),
    ];

    private static IEnumerable<TypeReference?> Mentions(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod method => [method.DeclaringType, .. Signature(method), .. method.GenericArguments],
        MethodReference method => [method.DeclaringType, .. Signature(method)],
        _ => [],
    };

    private static IEnumerable<TypeReference> Signature(MethodReference method) =>
        method.Parameters.Select(parameter => parameter.ParameterType).Prepend(method.ReturnType);

    private static IEnumerable<TypeReference> Constraints(IGenericParameterProvider generic) => generic
        .GenericParameters.SelectMany(parameter => parameter.Constraints)
        .Select(constraint => constraint.ConstraintType);

    private static IEnumerable<TypeReference> Attributes(ICustomAttributeProvider owner) => owner
        .CustomAttributes.SelectMany(attribute => attribute.ConstructorArguments
            .Select(argument => argument.Value as TypeReference)
            .OfType<TypeReference>()
            .Prepend(attribute.AttributeType));

    /// <summary>
    /// The named types in a reference: element types and generic arguments; generic parameters have no name.
    /// </summary>
    private static IEnumerable<TypeReference> Undress(TypeReference? type) => type switch
    {
        null or GenericParameter => [],
        GenericInstanceType generic => generic.GenericArguments.SelectMany(Undress).Append(generic.ElementType),
        RequiredModifierType modified => Undress(modified.ElementType).Append(modified.ModifierType),
        TypeSpecification dressed => Undress(dressed.ElementType),
        _ => [type],
    };
}
