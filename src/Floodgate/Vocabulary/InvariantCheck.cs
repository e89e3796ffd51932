namespace Floodgate.Vocabulary;

/// <summary>One live check of a rule about money over stored rows, with what was compared.</summary>
/// <param name="Name">The rule, stable.</param>
/// <param name="Holds">True when it holds now.</param>
/// <param name="Detail">The figures that were compared; where it does not hold, what to look at.</param>
public sealed record InvariantCheck(string Name, bool Holds, string Detail);
