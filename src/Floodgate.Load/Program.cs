using System.Security.Cryptography;
using Floodgate.Load;

// Answers are read on the thread that sees them arrive: a hop to the pool costs more than the reading. The runtime
// takes this only from the environment, and reads it when the first socket is made.
Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
var runId = RandomNumberGenerator.GetHexString(8, lowercase: true);
return await CommandLine.RunAsync(args, new Surroundings(TimeProvider.System, Console.Out, Console.Error, runId));
