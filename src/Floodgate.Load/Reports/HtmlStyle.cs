namespace Floodgate.Load.Reports;

/// <summary>The style sheet of the HTML report: light and dark after the reader's system, nothing fetched.</summary>
internal static class HtmlStyle
{
    /// <summary>The text of the style element.</summary>
    public const string Sheet = """
        :root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #17202a; --soft: #5b6672;
          --rule: #dde2e8; --good: #0a7d43; --bad: #c0262d; --warn: #a15c00; --band: #c0262d1f;
          --c0: #1f5fd0; --c1: #c2570c; --c2: #0f7f72; --c3: #9333a8; }
        @media (prefers-color-scheme: dark) { :root { --page: #11151a; --card: #1a2027; --ink: #e6eaee; --soft: #98a4b0;
          --rule: #2e3741; --good: #4ccb8a; --bad: #ff7b7f; --warn: #f0b35e; --band: #ff7b7f26;
          --c0: #72a7ff; --c1: #ffa15c; --c2: #4fd1c0; --c3: #d48be6; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        main { max-width: 1160px; margin: 0 auto; padding: 32px 20px 64px; }
        h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 12px; }
        p { margin: 4px 0; } .soft { color: var(--soft); }
        code { font: 13px/1.5 ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
        .verdict { display: inline-block; padding: 3px 12px; border-radius: 99px; font-weight: 600; margin: 12px 0 4px;
          border: 1.5px solid currentColor; }
        .good { color: var(--good); } .bad { color: var(--bad); }
        .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; }
        .tile, figure, .table { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
        .tile { padding: 12px 14px; } .tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
        .tile span { color: var(--soft); font-size: 13px; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 14px; }
        figure { margin: 0; padding: 14px 14px 8px; } figcaption { font-weight: 600; margin-bottom: 6px; }
        svg { width: 100%; height: auto; display: block; }
        svg text { fill: var(--soft); font-size: 12px; } svg .y { text-anchor: end; } svg .x { text-anchor: middle; }
        svg .name { font-size: 12.5px; } svg .note { fill: var(--bad); }
        .grid { stroke: var(--rule); } .tick { stroke: var(--soft); } .band { fill: var(--band); }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line.c0 { stroke: var(--c0); } .line.c1 { stroke: var(--c1); }
        .line.c2 { stroke: var(--c2); } .line.c3 { stroke: var(--c3); }
        circle.c0 { fill: var(--c0); } circle.c1 { fill: var(--c1); }
        circle.c2 { fill: var(--c2); } circle.c3 { fill: var(--c3); }
        rect.closed { fill: var(--good); } rect.half { fill: var(--warn); }
        rect.open { fill: var(--bad); } rect.away { fill: var(--soft); }
        .key { font-weight: 400; font-size: 13px; color: var(--soft); margin-left: 14px; }
        .key::before { content: ""; display: inline-block; width: 12px; height: 12px; border-radius: 3px;
          margin-right: 5px; vertical-align: -1px; background: currentColor; }
        .key.c0::before { background: var(--c0); } .key.c1::before { background: var(--c1); }
        .key.c2::before { background: var(--c2); } .key.c3::before { background: var(--c3); }
        .key.closed::before { background: var(--good); } .key.half::before { background: var(--warn); }
        .key.open::before { background: var(--bad); }
        .table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
        th, td { text-align: left; padding: 8px 14px; border-top: 1px solid var(--rule); vertical-align: top; }
        tr:first-child > * { border-top: 0; } th { font-size: 13px; color: var(--soft); font-weight: 600; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        """;
}
