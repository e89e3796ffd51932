using Floodgate.Payment.Charges.Providers;
using Floodgate.Vocabulary;

namespace Floodgate.Tests.Payment.Charges.Providers;

/// <summary>Calls for tests, with ids that tests can predict.</summary>
internal static class Calls
{
    public static Guid Id(int number) => new(number, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8);

    public static Money Amount(long minor, string code = "KRW") => new(minor, Currency.FromStored(code));

    public static ProviderCall Charge(int id, long minor = 100) => Of(id, id, ProviderAction.Charge, minor);

    public static ProviderCall Of(int id, int payment, ProviderAction action, long minor, string code = "KRW") =>
        new(Id(id), Id(1_000_000 + payment), action, Amount(minor, code));

    /// <summary>The settings of providers as a start would read them, and what is wrong with them.</summary>
    public static (ProviderSettings Settings, IReadOnlyList<string> Errors) ReadSettings(
        Dictionary<string, string> given)
    {
        var source = new SettingsSource([SettingsLayer.Of("test", given)]);
        var settings = ProviderSettings.Read(source, journalDefault: "");
        try
        {
            source.Complete();
            return (settings, []);
        }
        catch (SettingsException refused)
        {
            return (settings, refused.Errors);
        }
    }
}

/// <summary>A directory that is gone after the test.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("floodgate-");

    public string File(string name) => Path.Combine(directory.FullName, name);

    public void Dispose() => directory.Delete(recursive: true);
}
