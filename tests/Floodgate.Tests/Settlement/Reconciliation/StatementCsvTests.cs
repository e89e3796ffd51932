using System.Text;
using Floodgate.Settlement.Reconciliation;
using Xunit;

namespace Floodgate.Tests.Settlement.Reconciliation;

// Goal: a wrong file is refused with its lines, a right one is read as it is meant. Method: a table of files.
public sealed class StatementCsvTests
{
    private const string Head = "reference,kind,amount,currency,at";

    [Theory]
    [InlineData(Head, "r-1,CHARGE,100,KRW,2030-01-01T00:00:00Z", "r-1 CHARGE 100 KRW")]
    [InlineData(Head, "r-1,refund,100,KRW,2030-01-01T00:00:00Z", "r-1 REFUND 100 KRW")]
    [InlineData(Head, "\"r,\"\"1\",CHARGE,100,KRW,2030-01-01T00:00:00Z", "r,\"1 CHARGE 100 KRW")]
    [InlineData("At,Amount,X,Currency,Kind,Reference", "2030-01-01,5,,EUR,CAPTURE,z", "z CAPTURE 5 EUR")]
    [InlineData(Head + ",status", "r-1,CHARGE,100,KRW,2030-01-01T00:00:00Z,DECLINED", null)]
    [InlineData(Head, "r-1,AUTHORIZE,100,KRW,2030-01-01T00:00:00Z", null)]
    [InlineData(Head, "", null)]
    public void A_right_line_is_read_as_it_is_meant(string head, string text, string? read)
    {
        var csv = new StatementCsv(new());
        Assert.Null(csv.Take(Encoding.UTF8.GetBytes("\uFEFF" + head + "\r")));
        var line = csv.Take(Encoding.UTF8.GetBytes(text + "\r"));
        Assert.Empty(csv.Faults);
        Assert.Equal(read, line is { } l ? $"{l.Reference} {l.Kind} {l.Amount}" : null);
    }

    [Theory]
    [InlineData("r-1,CHARGE,100,KRW", "Line 2 has 4 fields; at least 5 are needed.")]
    [InlineData(",CHARGE,100,KRW,2030-01-01", "Line 2 has a reference of 0 characters; 1 to 100 are allowed.")]
    [InlineData("r,STEAL,100,KRW,2030-01-01", "Line 2 has the kind \"STEAL\"; ")]
    [InlineData("r,CHARGE,1.5,KRW,2030-01-01", "Line 2 has the amount \"1.5\"; write minor units as a whole number.")]
    [InlineData("r,CHARGE,-1,KRW,2030-01-01", "Line 2 has the amount \"-1\"; ")]
    [InlineData("r,CHARGE,99999999999999999,KRW,2030-01-01", "Line 2 has the amount \"99999999999999999\"; ")]
    [InlineData("r,CHARGE,1,WON,2030-01-01", "Line 2 has the currency \"WON\"; write a code such as KRW.")]
    [InlineData("r,CHARGE,1,KRW,yesterday", "Line 2 has the at \"yesterday\"; ")]
    [InlineData("\"r,CHARGE,1,KRW,2030-01-01", "Line 2 has a quote that does not end")]
    [InlineData("r\0,CHARGE,1,KRW,2030-01-01", "Line 2 has a quote that does not end, or a character that no text has")]
    public void A_wrong_line_is_told_with_its_number(string text, string fault)
    {
        var csv = new StatementCsv(new());
        csv.Take(Encoding.UTF8.GetBytes(Head));
        Assert.Null(csv.Take(Encoding.UTF8.GetBytes(text)));
        Assert.StartsWith(fault, Assert.Single(csv.Faults));
        Assert.False(csv.IsHopeless);
    }

    [Fact]
    public void Missing_columns_are_named_with_how_to_map_them()
    {
        var csv = new StatementCsv(new(Reference: "id"));
        csv.Take("txn,kind,betrag"u8);
        Assert.StartsWith("Line 1 has no column id, amount, currency, at; it has txn, kind, betrag. Name yours as ?",
            Assert.Single(csv.Faults));
        Assert.True(csv.IsHopeless);
    }

    [Fact]
    public void Another_encoding_is_told_at_once()
    {
        var csv = new StatementCsv(new());
        csv.Take("reference,kind,amount,currency,at"u8);
        csv.Take([0x72, 0xE9, 0x66]);
        Assert.Equal(["Line 2 is not UTF-8. Save the file as UTF-8."], csv.Faults);
        Assert.True(csv.IsHopeless);
    }

    [Fact]
    public void Only_so_many_faults_are_gathered()
    {
        var csv = new StatementCsv(new());
        csv.Take(Encoding.UTF8.GetBytes(Head));
        for (var i = 0; !csv.IsHopeless; i++)
        {
            Assert.True(i <= StatementCsv.FaultsMax);
            csv.Take("wrong"u8);
        }

        Assert.Equal(StatementCsv.FaultsMax, csv.Faults.Count);
    }
}
