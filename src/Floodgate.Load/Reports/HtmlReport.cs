namespace Floodgate.Load.Reports;
internal static class HtmlReport { public static string Write(RunReport report) => ""; }
