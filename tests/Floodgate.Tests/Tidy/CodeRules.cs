using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Floodgate.Tests.Tidy;

using Findings = IEnumerable<(int Line, string What)>;

/// <summary>The rules about C#. They look at syntax, so names in strings and comments are no findings.</summary>
public static partial class CodeRules
{
    private const int MethodLinesMax = 70;

    private static readonly string[] BannedSuffixes =
        ["Manager", "Helper", "Helpers", "Util", "Utils", "Common", "Base", "Impl", "Data", "Info", "Dto"];

    /// <summary>Every rule about C#.</summary>
    public static IReadOnlyList<TidyRule> All { get; } =
    [
        Code("clock", Clock),
        Code("ids", IdSource),
        Code("sleep", Sleep),
        Code("blocking", Blocking),
        Code("catch", Catch),
        Code("money", MoneyType),
        Code("chance", Chance),
        Code("region", Region),
        Code("sealed", Sealed),
        Code("method-length", MethodLength),
        Code("name", Name),
        Code("select-star", SelectStar),
        Code("unfinished-code", Unfinished),
    ];

    private static TidyRule Code(string name, Func<SourceFile, Findings> find) =>
        new(name, file => file.IsCode ? find(file) : []);

    private static Findings Clock(SourceFile file) =>
        Members(file, ["DateTime", "DateTimeOffset"], ["Now", "UtcNow", "Today"], "take the time from TimeProvider");

    private static Findings IdSource(SourceFile file) => Members(
        file, ["Guid"], file.Name == "Ids.cs" ? ["NewGuid"] : ["NewGuid", "CreateVersion7"], "take ids from Ids");

    private static Findings Sleep(SourceFile file) =>
    [
        .. Members(file, ["Thread"], ["Sleep"], "never sleep; wait for what happens"),
        .. file.IsTest ? Members(file, ["Task"], ["Delay"], "tests wait for what happens, with a deadline") : [],
    ];

    private static Findings Blocking(SourceFile file) =>
        from access in Nodes<MemberAccessExpressionSyntax>(file)
        let called = access.Parent is InvocationExpressionSyntax
        let name = access.Name.Identifier.Text
        where name == "Result"
            ? !called && access.Parent is not AwaitExpressionSyntax
            : called && (name is "Wait" or "GetResult")
        select (file.LineOf(access.Name), $"{name} blocks a thread; await instead");

    private static Findings Catch(SourceFile file) =>
        from clause in Nodes<CatchClauseSyntax>(file)
        let caught = clause.Declaration
        where caught is null || (LastName(caught.Type) == "Exception" && !IsNarrowed(clause, caught))
        where clause.Block.Statements.LastOrDefault() is not ThrowStatementSyntax { Expression: null }
        where caught is null || !TellsItsEdge(clause)
        select (file.LineOf(clause), "only the edge of a loop or request catches all, with a comment that says so");

    /// <summary>A filter that looks at the exception picks the expected ones; another only picks the moment.</summary>
    private static bool IsNarrowed(CatchClauseSyntax clause, CatchDeclarationSyntax caught) => clause.Filter?
        .DescendantNodes()
        .OfType<IdentifierNameSyntax>()
        .Any(name => name.Identifier.Text == caught.Identifier.Text) == true;

    private static bool TellsItsEdge(CatchClauseSyntax clause) => clause
        .DescendantTrivia()
        .Concat(clause.GetFirstToken().GetPreviousToken().TrailingTrivia)
        .Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia) &&
            trivia.ToString().Contains("edge", StringComparison.OrdinalIgnoreCase));

    private static Findings MoneyType(SourceFile file)
    {
        var declared = Nodes<SyntaxNode>(file).SelectMany(node => node switch
        {
            VariableDeclarationSyntax some => some.Variables.Select(one => (some.Type, Name: one.Identifier.Text)),
            ParameterSyntax { Type: { } type } one => [(type, one.Identifier.Text)],
            PropertyDeclarationSyntax one => [(one.Type, one.Identifier.Text)],
            MethodDeclarationSyntax one => [(one.ReturnType, one.Identifier.Text)],
            CastExpressionSyntax one => [(one.Type, LastName(one.Expression))],
            _ => [],
        });
        return declared
            .Where(one => one.Type.ToString().TrimEnd('?') is "double" or "decimal" or "float")
            .Where(one => MoneyName().IsMatch(one.Name))
            .Select(one => (file.LineOf(one.Type), $"{one.Name} is money: checked long in minor units"));
    }

    private static Findings Chance(SourceFile file) =>
    [
        .. Members(file, ["Random"], ["Shared"], "inject the source of chance"),
        .. from creation in Nodes<BaseObjectCreationExpressionSyntax>(file)
           where creation.ArgumentList is null or { Arguments.Count: 0 } && CreatedType(creation) == "Random"
           select (file.LineOf(creation), "give Random a seed that is injected and printed"),
    ];

    private static string CreatedType(BaseObjectCreationExpressionSyntax creation) => creation switch
    {
        ObjectCreationExpressionSyntax one => LastName(one.Type),
        { Parent.Parent.Parent: VariableDeclarationSyntax one } => LastName(one.Type),
        { Parent.Parent: PropertyDeclarationSyntax one } => LastName(one.Type),
        _ => "",
    };

    private static Findings Region(SourceFile file) =>
        from trivia in file.Syntax.DescendantTrivia()
        where trivia.IsKind(SyntaxKind.RegionDirectiveTrivia)
        select (file.LineOf(trivia.Span), "split the type instead");

    private static Findings Sealed(SourceFile file) =>
        from type in Nodes<TypeDeclarationSyntax>(file)
        where type is ClassDeclarationSyntax or RecordDeclarationSyntax { RawKind: (int)SyntaxKind.RecordDeclaration }
        where !type.Modifiers.Any(modifier => modifier.Kind() is
            SyntaxKind.SealedKeyword or SyntaxKind.AbstractKeyword or SyntaxKind.StaticKeyword)
        select (file.LineOf(type.Identifier), $"{type.Identifier} is sealed until something derives from it");

    private static Findings MethodLength(SourceFile file) =>
        from method in Nodes<SyntaxNode>(file)
        where method is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax
        let span = method.SyntaxTree.GetLineSpan(method.Span)
        let lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1
        where lines > MethodLinesMax
        select (file.LineOf(method), $"{lines} lines; over {MethodLinesMax} needs a reason");

    private static Findings Name(SourceFile file) =>
        from type in Nodes<BaseTypeDeclarationSyntax>(file)
        let suffix = Array.Find(BannedSuffixes, one => type.Identifier.Text.EndsWith(one, StringComparison.Ordinal))
        where suffix is not null
        select (file.LineOf(type.Identifier), $"{type.Identifier}: {suffix} says nothing; use the field's word");

    private static Findings SelectStar(SourceFile file) =>
        from token in file.Syntax.DescendantTokens()
        where token.Kind() is SyntaxKind.StringLiteralToken or SyntaxKind.InterpolatedStringTextToken or
            SyntaxKind.SingleLineRawStringLiteralToken or SyntaxKind.MultiLineRawStringLiteralToken
        where SelectAll().IsMatch(token.Text)
        select (file.LineOf(token), "name the columns");

    private static Findings Unfinished(SourceFile file) =>
    [
        .. from name in Nodes<IdentifierNameSyntax>(file)
           where name.Identifier.Text == "NotImplementedException"
           select (file.LineOf(name), "write it or leave it out"),
        .. from argument in Nodes<AttributeArgumentSyntax>(file)
           where argument.NameEquals?.Name.Identifier.Text == "Skip"
           select (file.LineOf(argument), "a test that is not run is not a test"),
    ];

    private static Findings Members(SourceFile file, string[] types, string[] members, string instead) =>
        from access in Nodes<MemberAccessExpressionSyntax>(file)
        let type = LastName(access.Expression)
        where types.Contains(type) && members.Contains(access.Name.Identifier.Text)
        select (file.LineOf(access), $"{type}.{access.Name}: {instead}");

    private static IEnumerable<T> Nodes<T>(SourceFile file)
        where T : SyntaxNode => file.Syntax.DescendantNodes().OfType<T>();

    /// <summary>The rightmost identifier: <c>Now</c> of <c>System.DateTime.Now</c>.</summary>
    private static string LastName(SyntaxNode node) => node switch
    {
        MemberAccessExpressionSyntax one => one.Name.Identifier.Text,
        QualifiedNameSyntax one => one.Right.Identifier.Text,
        SimpleNameSyntax one => one.Identifier.Text,
        _ => "",
    };

    [GeneratedRegex("(amount|money|price|fee|balance|minor|payout|commission)(?!.*(ratio|rate|share)s?$)",
        RegexOptions.IgnoreCase)]
    private static partial Regex MoneyName();

    [GeneratedRegex(@"\bselect\s+(\w+\.)?\*", RegexOptions.IgnoreCase)]
    private static partial Regex SelectAll();
}
