using System.Runtime.InteropServices;

namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>
/// The provider's lines in an append-only file, so that its memory survives kill -9 of the process: what was handed to
/// the operating system does, without fsync. Does not survive the machine's power; a simulated provider need not.
/// One process owns a journal at a time.
/// </summary>
internal sealed class ProviderJournal : IDisposable
{
    private const int LinesPerRead = 4096;

    private readonly int lineCountMax;
    private readonly Microsoft.Win32.SafeHandles.SafeFileHandle file;

    // Under the book's lock: lines that are not in the file yet.
    private readonly List<BookLine> pending = [];

    // Under the write gate: the list that is being written, and the length of the file up to its last whole line.
    private readonly Lock writeGate = new();
    private readonly List<BookLine> writing = [];
    private long length;
    private int written;

    /// <summary>
    /// Opens or creates the file. Throws IOException when another process has it open, and
    /// <see cref="InvalidDataException"/> when it is something else than a journal. It takes as many lines as a book.
    /// </summary>
    public ProviderJournal(string path, int lineCountMax = ProviderBook.LineCountMax)
    {
        this.lineCountMax = lineCountMax;
        file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        if (RandomAccess.GetLength(file) < Magic.Length)
        {
            // New, or killed while the first bytes were written: no line can have been answered.
            RandomAccess.SetLength(file, 0);
            RandomAccess.Write(file, Magic, 0);
        }

        Span<byte> magic = stackalloc byte[Magic.Length];
        RandomAccess.Read(file, magic, 0);
        if (!magic.SequenceEqual(Magic))
        {
            file.Dispose();
            throw new InvalidDataException($"{path} is not a provider journal; name another file or remove it.");
        }

        length = Magic.Length;
    }

    private static ReadOnlySpan<byte> Magic => "FGBOOK1\n"u8;

    /// <summary>
    /// Hands over every line in order, once, before the first append. A torn last line was never answered; the next
    /// write goes over it.
    /// </summary>
    public void ReadAll(Action<BookLine> take)
    {
        var lines = new BookLine[LinesPerRead];
        int whole;
        do
        {
            whole = ReadSome(MemoryMarshal.AsBytes(lines.AsSpan())) / BookLine.Bytes;
            foreach (var line in lines.AsSpan(0, whole))
            {
                if (!line.IsPlausible)
                {
                    throw new InvalidDataException(
                        $"The provider journal holds bytes that are no line, after line {written}; remove the file.");
                }

                take(line);
                written++;
            }

            length += (long)whole * BookLine.Bytes;
        }
        while (whole == LinesPerRead);
    }

    /// <summary>Adds a line that <see cref="WriteThrough"/> will write. The caller holds the book's lock.</summary>
    public void Append(BookLine line) => pending.Add(line);

    /// <summary>
    /// Returns when the line with this number is in the file; whoever comes first writes for all. Throws IOException
    /// when the file is full or cannot be written; the lines stay for the next try.
    /// </summary>
    public void WriteThrough(int line, Lock bookGate)
    {
        if (Volatile.Read(ref written) > line)
        {
            return;
        }

        lock (writeGate)
        {
            if (written > line)
            {
                return;
            }

            // Behind the lines of a failed try, if there was one.
            TakePending(bookGate);
            if (written + writing.Count > lineCountMax)
            {
                throw new IOException($"The provider's journal holds {lineCountMax} lines and takes no more.");
            }

            RandomAccess.Write(file, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(writing)), length);
            length += (long)writing.Count * BookLine.Bytes;
            Volatile.Write(ref written, written + writing.Count);
            writing.Clear();
        }
    }

    /// <summary>Closes the file. Lines that no answer waited for are lost, as by a kill.</summary>
    public void Dispose() => file.Dispose();

    private void TakePending(Lock bookGate)
    {
        lock (bookGate)
        {
            writing.AddRange(pending);
            pending.Clear();
        }
    }

    private int ReadSome(Span<byte> into)
    {
        var filled = 0;
        while (filled < into.Length)
        {
            var read = RandomAccess.Read(file, into[filled..], length + filled);
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled;
    }
}
