using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// The system's librdkafka under the managed client. The client's package would bring a library for each platform;
/// only its managed part is referenced (docs/DEPENDENCIES.md), and pointed at the one of the system. Nothing is loaded
/// before Kafka is configured.
/// </summary>
internal static class KafkaNative
{
    /// <summary>The file that Debian's package <c>librdkafka1</c> has.</summary>
    public const string Library = "librdkafka.so.1";

    private const int TextBytes = 512;
    private const int Taken = 0;

    private static readonly Lazy<string?> LoadingFault = new(Load);

    /// <summary>Why the library cannot be used, and what to do; null when it is loaded.</summary>
    public static string? Fault => LoadingFault.Value;

    /// <summary>What librdkafka says against a property's value; null when it takes it. Needs the library.</summary>
    public static string? FaultOf(string property, string value)
    {
        var conf = rd_kafka_conf_new();
        try
        {
            var text = new byte[TextBytes];
            return rd_kafka_conf_set(conf, property, value, text, TextBytes) == Taken ? null : TextOf(text);
        }
        finally
        {
            rd_kafka_conf_destroy(conf);
        }
    }

    /// <summary>A text that the library wrote, up to its NUL.</summary>
    public static string TextOf(byte[] text) => Encoding.UTF8.GetString(text.AsSpan(0, Array.IndexOf(text, (byte)0)));

    private static string? Load()
    {
        if (!NativeLibrary.TryLoad(Library, out _))
        {
            return $"needs {Library}, which is not on this machine. Install it: sudo apt-get install librdkafka1";
        }

        NativeLibrary.SetDllImportResolver(typeof(Error).Assembly, static (name, _, _) =>
            name.StartsWith("librdkafka", StringComparison.Ordinal) ? NativeLibrary.Load(Library)
            : name.StartsWith("libdl", StringComparison.Ordinal) ? NativeLibrary.Load("libdl.so.2")
            : 0);
        Confluent.Kafka.Library.Load(Library);
        return null;
    }

    [DllImport(Library)]
    private static extern nint rd_kafka_conf_new();

    [DllImport(Library)]
    private static extern int rd_kafka_conf_set(
        nint conf,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string name,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string value,
        [Out] byte[] error,
        nint errorBytes);

    [DllImport(Library)]
    private static extern void rd_kafka_conf_destroy(nint conf);
}
