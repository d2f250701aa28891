"""How the page looks: in light and in dark, on a phone and on paper."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f5f2, #161615); --card: light-dark(#ffffff, #20201e); --ink: light-dark(#1d1d1b, #ecebe6);
  --soft: light-dark(#62615c, #a3a29b); --line: light-dark(#e2e0da, #363532); --track: light-dark(#e9e7e1, #33322f);
  --accent: light-dark(#2b6cb0, #7db3ea); --changed: light-dark(#fbe3a4, #5c4813);
  --succeeded: #2f8f6f; --invalid: #d19a2a; --refused: #8a67c2; --failed: #c9473c; --skipped: #9b9a94;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h1 code { font: inherit; }
h2 { font-size: 1.1rem; margin: 36px 0 10px; }
p { margin: 8px 0; max-width: 80ch; color: var(--soft); font-size: .9em; overflow-wrap: anywhere; }
code { font: .92em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; unicode-bidi: isolate; overflow-wrap: anywhere; }
ul, .scroll { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
ul { margin: 18px 0 0; padding: 12px 18px 12px 36px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 8px 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px; border-top: 1px solid var(--line); }
th { border-top: 0; font-weight: 560; color: var(--soft); font-size: .82rem; }
th::first-letter { text-transform: uppercase; }
td { overflow-wrap: break-word; min-width: 5em; }
.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.wide th, .wide td { padding: 7px 8px; }
.wide td { min-width: 4.2em; } .wide td:first-child, .wide td:last-child { min-width: 10em; }
small { display: block; font-size: .74rem; color: var(--soft); }
svg { display: block; } .bar { margin: 4px 0 0 auto; width: 86px; border-radius: 3px; } .bar.interval { width: 170px; }
.mark { fill: var(--accent); } .rail { fill: var(--track); }
.succeeded { --mark: var(--succeeded); } .invalid { --mark: var(--invalid); } .refused { --mark: var(--refused); }
.failed { --mark: var(--failed); } .skipped { --mark: var(--skipped); }
:is(.succeeded, .invalid, .refused, .failed, .skipped)::before {
  content: ""; display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .5em; background: var(--mark);
}
.succeeded ~ td .mark { fill: var(--succeeded); } .invalid ~ td .mark { fill: var(--invalid); }
.refused ~ td .mark { fill: var(--refused); } .failed ~ td .mark { fill: var(--failed); } .skipped ~ td .mark { fill: var(--skipped); }
.facts thead { display: none; }
.facts tbody { display: grid; grid-template-columns: repeat(4, 1fr); }
.facts tr { padding: 10px 14px; box-shadow: 1px 1px var(--line); } /* a border would scroll */
.facts td { display: block; padding: 0; border: 0; text-align: left; }
.facts td:first-child { font-size: .82rem; color: var(--soft); } .facts td:first-child::first-letter { text-transform: uppercase; }
.facts td:last-child { font-size: 1.2rem; font-weight: 620; } .facts .bar { margin-left: 0; }
details { margin: 8px 0; } summary { cursor: pointer; padding: 2px 0; }
a { color: var(--accent); text-underline-offset: 2px; } a:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.outcomes { width: 100%; height: 14px; border-radius: 7px; margin: 14px 0 8px; }
.outcomes :is(.succeeded, .invalid, .refused, .failed, .skipped) { fill: var(--mark); } .outcomes .to-come { fill: var(--track); }
.to-come { --mark: var(--track); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 22px; list-style: none; margin: 0; padding: 0; background: none; border: 0; font-size: .92rem; }
.legend li::before { content: ""; display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .5em; background: var(--mark); }
.legend b { font-variant-numeric: tabular-nums; } .legend small { display: inline; font-size: inherit; }
figure { margin: 12px 0; } figcaption { font-size: .82rem; color: var(--soft); margin-bottom: 4px; }
pre { margin: 0; padding: 10px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; font: .86rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { font: inherit; } mark { background: var(--changed); color: inherit; border-radius: 3px; }
.passage pre { max-height: 32em; overflow-y: auto; } .command { position: relative; } .command pre { padding-right: 6em; }
button { font: inherit; font-size: .82rem; padding: 3px 12px; border: 1px solid var(--line); border-radius: 6px; background: var(--page); color: var(--ink); cursor: pointer; }
.command button { position: absolute; right: 8px; bottom: 8px; }
:where(.outcomes) rect { fill: var(--soft); } .outcomes .rail { fill: var(--track); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 12px; margin: 8px 0; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; margin: 8px 0; min-width: 0; }
.charts > * { margin: 0; align-self: start; } .chart details { margin: 4px 0 0; font-size: .82rem; } .chart .scroll { border: 0; } .chart td, .chart .n { min-width: 0; } .chart .bar { width: 48px; } .chart .bar.interval { width: 72px; } .chart figcaption { color: var(--ink); overflow-wrap: anywhere; }
.chart p { margin: 4px 0 0; font-size: .78rem; } .plot { overflow: visible; margin-top: 6px; }
.plot text { fill: var(--soft); paint-order: stroke; stroke: var(--card); stroke-width: 4px; font: 11px system-ui, "Segoe UI", Roboto, sans-serif; }
.plot line { stroke: var(--soft); } .plot .grid, .plot .tick { stroke: var(--line); } .plot .line { stroke: var(--ink); stroke-dasharray: 2 3; }
.plot .ideal { stroke-dasharray: 4 4; } .plot .whisker { stroke: var(--accent); stroke-width: 2; opacity: .6; }
.misses tbody { border-top: 1px solid var(--line); } .misses td { border: 0; } .misses td:not(:first-child) { width: 42%; } .misses td > code { white-space: pre-wrap; }
.misses .source td { width: auto; padding-top: 0; } .misses .source details { margin: 0; } .misses .source small { display: inline; }
.misses summary { font-size: .86rem; list-style-position: outside; margin-left: 1em; }
.misses q { display: block; quotes: none; color: var(--soft); overflow-wrap: anywhere; } .misses q mark { color: var(--ink); }
.misses [open] > summary q { display: none; } .misses pre { max-height: 24em; overflow: auto; margin-top: 6px; background: var(--page); }
@media screen and (max-width: 820px) {
  main { padding: 20px 12px 40px; } h1 { font-size: 1.25rem; } th, td { padding: 6px; }
  td { min-width: 3em; } .n { min-width: 2em; } td:first-child { min-width: 6.5em; } .bar { width: 52px; } .bar.interval { width: 72px; }
  .facts tbody { grid-template-columns: repeat(2, 1fr); }
  .wide, .wide tbody, .wide tr, .wide td { display: block; } .wide thead, .wide .empty { display: none; }
  .wide tr { border-top: 1px solid var(--line); padding: 8px 0; }
  .wide td { border: 0; padding: 2px 14px 2px 9em; position: relative; min-height: 1.8em; text-align: left; }
  .wide td:first-child { padding-left: 14px; } .wide .bar { margin-left: 0; }
  .wide td:not(:first-child)::before { content: attr(data-name); position: absolute; left: 14px; color: var(--soft); }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --track: #ddd; --accent: #2b6cb0;
  }
  button { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  html { font-size: 10.5px; } body { font-size: 1rem; } main { max-width: none; padding: 0; } .scroll { overflow: visible; } th, td { padding: 3px 6px; }
  tr, li { break-inside: avoid; } h2 { break-after: avoid; } thead { display: table-header-group; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .source details::details-content { content-visibility: hidden; block-size: 0; } /* the line around the value is there */
  figure, .misses tbody, .facts { break-inside: avoid; } .wide td { min-width: 0; } .wide td:is(:first-child, :last-child) { min-width: 8em; } .wide :is(th, td) { padding: 3px 6px; }
  .bars { width: 90px; } .bar { width: 60px; } .bar.interval { width: 100px; } .plot text { font-size: 9px; } .misses [open] > summary q { display: block; } .misses [open] > pre { display: none; }
}
"""
