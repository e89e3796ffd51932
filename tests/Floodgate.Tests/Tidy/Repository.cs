namespace Floodgate.Tests.Tidy;

/// <summary>
/// The files of the repository that this test was built from, without what builds and runs leave there.
/// </summary>
public static class Repository
{
    private static readonly string[] Leftovers =
        ["bin", "obj", "data", "report", "node_modules", "TestResults", ".git", ".vs", ".idea", "dist"];

    private static readonly string[] Extensions =
    [
        ".cs", ".md", ".csv", ".csproj", ".props", ".targets", ".slnx", ".json", ".yml", ".yaml", ".sh", ".ts", ".vue",
        ".css",
    ];

    private static readonly string[] Scripts = ["floodgate", "test", "run", "cluster", "drill"];

    /// <summary>The folder of the repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Every text file that somebody wrote, sorted by path.</summary>
    public static IReadOnlyList<SourceFile> Files { get; } = Read(Root);

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Floodgate.slnx")))
        {
            folder = Path.GetDirectoryName(folder) ??
                throw new InvalidOperationException("The tests run from below the repository that they check.");
        }

        return folder;
    }

    private static SourceFile[] Read(string root) =>
    [
        .. Walk(new DirectoryInfo(root))
            .Where(file => Extensions.Contains(file.Extension) || Scripts.Contains(file.Name))
            .Select(file => new SourceFile(
                Path.GetRelativePath(root, file.FullName).Replace('\\', '/'),
                File.ReadAllText(file.FullName),
                path => Path.Exists(Path.Combine(root, path))))
            .OrderBy(file => file.Path, StringComparer.Ordinal),
    ];

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder) => folder
        .EnumerateDirectories()
        .Where(inner => !Leftovers.Contains(inner.Name))
        .SelectMany(Walk)
        .Concat(folder.EnumerateFiles());
}
