using System.Text.Json;
using Floodgate.Access;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>The refusals of imports; clients branch on the codes.</summary>
internal static class ImportProblems
{
    public static readonly ProblemKind Refused = new(
        422, "import_refused", "The file has faults, so nothing of it was imported.");
}

/// <summary>
/// The route of imports. It needs no <c>Idempotency-Key</c>: refs make a repeat change nothing. A node reads one file
/// at a time, so the memory for them is bounded, and a slow sender is not waited for longer than a minute.
/// </summary>
internal sealed class ImportsHttp(ImportBook book, CatalogSettings settings, TimeProvider time)
{
    private const int RetryAfterSeconds = 2;
    private const int UploadSecondsMax = 60;

    private int isImporting;

    /// <summary>Registers it.</summary>
    public void Map(Routes routes) =>
        routes.Map("POST", "/v1/catalogue/imports", Who.MerchantOrAdmin, ImportAsync);

    private async Task ImportAsync(HttpContext context, Caller caller)
    {
        if (Interlocked.Exchange(ref isImporting, 1) == 1)
        {
            await Problem.WriteAsync(
                context, Problems.Unavailable, "Another file is being imported. Send yours again.", RetryAfterSeconds);
            return;
        }

        try
        {
            if (await ReadFormatAsync(context) is { } format
                && await ReadDryRunAsync(context) is { } isDryRun
                && await ReadBodyAsync(context) is { } bytes)
            {
                var result = await book.ImportAsync(
                    new(caller.MerchantId), bytes, format, isDryRun, context.RequestAborted);
                await AnswerAsync(context, result, isDryRun);
            }
        }
        finally
        {
            Volatile.Write(ref isImporting, 0);
        }
    }

    private static Task AnswerAsync(HttpContext context, ImportResult result, bool isDryRun) => result.FaultCount == 0
        ? Answer.WriteAsync(context, 200, (result, isDryRun), static (json, answer) =>
        {
            json.WriteStartObject();
            ImportReport.Write(json, answer.result, answer.isDryRun);
            json.WriteEndObject();
        })
        : Problem.WriteAsync(
            context, ImportProblems.Refused,
            $"{ImportReport.Summary(result, isDryRun)} The first is at {result.Faults[0].At}: {result.Faults[0].Says}",
            more: json => ImportReport.WriteFaults(json, result));

    private static async ValueTask<ImportFormat?> ReadFormatAsync(HttpContext context)
    {
        if (MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type)
            && (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            && context.Request.Headers.ContentEncoding.Count == 0)
        {
            if (type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            {
                return ImportFormat.Json;
            }

            if (type.MediaType.Equals("text/csv", StringComparison.OrdinalIgnoreCase))
            {
                return ImportFormat.Csv;
            }
        }

        await Problem.WriteAsync(context, Problems.UnsupportedMediaType,
            "Send the file as UTF-8 with Content-Type: application/json or text/csv and without Content-Encoding.");
        return null;
    }

    private static async ValueTask<bool?> ReadDryRunAsync(HttpContext context)
    {
        var text = context.Request.Query["dryRun"].ToString();
        if (text is "" or "true" or "false")
        {
            return text == "true";
        }

        await Problem.WriteAsync(context, Problems.InvalidParameter, "dryRun must be true or false.");
        return null;
    }

    private async ValueTask<byte[]?> ReadBodyAsync(HttpContext context)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(UploadSecondsMax), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        var (kind, detail) = (Problems.BodyTooLarge,
            $"The file has more than {settings.ImportBytesMax} bytes (setting Catalog:ImportBytesMax). Divide it.");
        try
        {
            if (await ReadFileAsync(context, either.Token) is { } file)
            {
                return file;
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            (kind, detail) = (Problems.RequestTimeout, $"The file did not arrive within {UploadSecondsMax} s.");
        }

        // The rest is not read, so the connection cannot be used again: say so, or the next request is lost.
        context.Response.Headers.Connection = "close";
        await Problem.WriteAsync(context, kind, detail);
        return null;
    }

    // Files are larger than other bodies, so they have a limit of their own; null beyond it.
    private async ValueTask<byte[]?> ReadFileAsync(HttpContext context, CancellationToken cancel)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        using var file = new MemoryStream();
        var reader = context.Request.BodyReader;
        while (context.Request.ContentLength is not { } length || length <= settings.ImportBytesMax)
        {
            var read = await reader.ReadAsync(cancel);
            if (file.Length + read.Buffer.Length > settings.ImportBytesMax)
            {
                break;
            }

            foreach (var part in read.Buffer)
            {
                file.Write(part.Span);
            }

            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return file.ToArray();
            }
        }

        return null;
    }
}

/// <summary>What the route and the command tell of an import.</summary>
internal static class ImportReport
{
    /// <summary>A sentence or two for people.</summary>
    public static string Summary(ImportResult result, bool isDryRun)
    {
        if (result.FaultCount > 0)
        {
            return $"Nothing was imported: {result.FaultCount} faults.";
        }

        var would = isDryRun ? "A dry run, so nothing was stored. " : "";
        return result.IsChanged
            ? $"{would}Sales: {Shown(result.Sales)}. Products: {Shown(result.Products)}."
            : $"{would}Nothing to change: {result.Sales.Unchanged} sales and {result.Products.Unchanged} products were "
                + "imported before.";
    }

    /// <summary>The fields of an answer.</summary>
    public static void Write(Utf8JsonWriter json, ImportResult result, bool isDryRun)
    {
        json.WriteBoolean("dryRun", isDryRun);
        json.WriteBoolean("changed", result.IsChanged);
        Write(json, "sales", result.Sales);
        Write(json, "products", result.Products);
        json.WriteStartArray("saleList");
        foreach (var sale in result.SaleList)
        {
            json.WriteStartObject();
            json.WriteString("ref", sale.Ref);
            if (!isDryRun || sale.Change != ImportChange.Created)
            {
                json.WriteString("id", sale.Id);
            }

            json.WriteNumber("version", sale.Version);
            json.WriteString("change", sale.Change.ToString().ToUpperInvariant());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>The fields that tell what is wrong.</summary>
    public static void WriteFaults(Utf8JsonWriter json, ImportResult result)
    {
        json.WriteNumber("faultCount", result.FaultCount);
        json.WriteStartArray("faults");
        foreach (var fault in result.Faults)
        {
            json.WriteStartObject();
            json.WriteString("at", fault.At);
            json.WriteString("code", fault.Code);
            json.WriteString("detail", fault.Says);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Shown(ImportCounts counts) =>
        $"{counts.Created} created, {counts.Updated} updated, {counts.Unchanged} unchanged";

    private static void Write(Utf8JsonWriter json, string name, ImportCounts counts)
    {
        json.WriteStartObject(name);
        json.WriteNumber("created", counts.Created);
        json.WriteNumber("updated", counts.Updated);
        json.WriteNumber("unchanged", counts.Unchanged);
        json.WriteEndObject();
    }
}
