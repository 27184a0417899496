"""How the page looks and the few lines of script that draw its figures."""

from __future__ import annotations

__all__ = [
    "ABSENT",
    "AMBER",
    "BLUE",
    "CATEGORY_MARKS",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "RANDOM",
    "SCRIPT",
    "SERIES",
    "STYLE",
    "TEAL",
]

INK = "#1c2530"
MUTED = "#5a6672"
GRID = "#e3e7ea"
PAPER = "#ffffff"
TEAL = "#00767c"  # the proposal
AMBER = "#b8590f"  # 5-mers
BLUE = "#2b4c8c"  # baselines, full fidelity
RANDOM = "#98a3ad"  # random architectures
ABSENT = "#d3d9de"  # what does not apply

# Of what has no colour of its own; each can be told from its neighbours.
SERIES = ("#00767c", "#d98a2b", "#2b4c8c", "#8a3f7d", "#5f8a2f", "#b8590f", "#5a6672", "#3f86c4")

# Category to its colour and, for eyes that do not tell colours apart, its symbol.
CATEGORY_MARKS = {
    "tf": ("#00767c", "circle"),
    "polymerase": ("#2b4c8c", "diamond"),
    "histone": ("#d98a2b", "square"),
    "accessibility": ("#8a3f7d", "triangle-up"),
    "other": ("#98a3ad", "cross"),
}

STYLE = """
:root { --ink: #1c2530; --muted: #5a6672; --line: #dde2e6; --soft: #f5f7f8; --teal: #00767c; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.55 "Inter", "Segoe UI",
  "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main, header.top, footer { max-width: 1180px; margin: 0 auto; padding: 0 28px; }
header.top { padding-top: 40px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 22px; line-height: 1.25; margin: 56px 0 8px; padding-top: 14px;
  border-top: 2px solid var(--ink); }
h3 { font-size: 16.5px; margin: 28px 0 6px; }
h3 .kind { font-weight: 400; color: var(--muted); }
p { margin: 8px 0; max-width: 76ch; }
a { color: var(--teal); }
.eyebrow { color: var(--muted); font-size: 14px; margin: 0 0 4px; }
.lead { font-size: 18px; line-height: 1.5; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 16px 0 0; font-size: 14.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px;
  margin: 20px 0 8px; }
.tile { border: 1px solid var(--line); border-top: 4px solid var(--mark, var(--line));
  border-radius: 4px; padding: 12px 16px 14px; }
.tile .name { font-size: 14px; font-weight: 600; }
.tile .value { font-size: 32px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile .note { font-size: 14px; color: var(--muted); line-height: 1.4; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr));
  gap: 12px 28px; }
.figures.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 220px), 1fr)); }
figure { margin: 14px 0 6px; min-width: 0; }
figcaption { font-size: 14px; line-height: 1.45; color: var(--muted); max-width: 92ch; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 14.5px; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
table.full { width: 100%; }
th, td { padding: 5px 12px 5px 0; text-align: right; vertical-align: baseline;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; white-space: normal;
  border-bottom-color: var(--ink); }
thead th.group { text-align: center; border-bottom-color: var(--line); color: var(--ink); }
th[scope=row], thead tr:first-child th:first-child { text-align: left; font-weight: 600; }
th[scope=row] { max-width: 34ch; overflow-wrap: break-word; white-space: normal; }
td.text, th.text { text-align: left; white-space: normal; overflow-wrap: break-word; }
td.best { font-weight: 700; color: var(--teal); }
td.none, .none { color: #a3acb4; }
tfoot th, tfoot td { border-top: 1px solid var(--ink); border-bottom: 0; font-weight: 600; }
.unit { display: block; font-weight: 400; font-size: 12.5px; }
.absent { border-left: 4px solid #d8a25e; background: #fdf8f0; padding: 10px 16px; margin: 14px 0; }
code, pre { font: 13.5px/1.5 "SF Mono", Consolas, "Liberation Mono", Menlo, monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--soft); padding: 14px 16px; overflow-x: auto; border-radius: 4px; }
details { margin: 12px 0; }
summary { cursor: pointer; font-weight: 600; }
summary .kind { font-weight: 400; color: var(--muted); }
select { font: inherit; padding: 4px 8px; max-width: 100%; }
.groups { display: flex; flex-wrap: wrap; gap: 0 56px; align-items: flex-start; }
.groups details { max-width: 100%; }
.layers { display: flex; flex-wrap: wrap; gap: 6px 0; list-style: none; padding: 0; margin: 8px 0; }
.layers li { display: flex; align-items: center; font-size: 14px; line-height: 1.3; }
.layers li:not(:last-child)::after { content: "\\2192"; color: #8a959f; padding: 0 7px; }
.layers span { border: 1px solid var(--line); background: var(--soft); border-radius: 4px;
  padding: 4px 9px; }
.layers .convolution { background: #e9f4f4; border-color: #b9dadb; }
.layers .dense, .layers .lstm, .layers .attention { background: #eef2fa; border-color: #c5d0e8; }
.layers .edge { background: #fff; }
.layers b { font-weight: 600; }
.motifs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr));
  gap: 8px 24px; }
.motifs figure { margin: 4px 0 10px; }
.logo { display: block; max-width: 100%; height: auto; }
.logo text { font-size: 10.5px; fill: #5a6672; }
.logo .axis { fill: none; stroke: #8a959f; stroke-width: 1; }
.outlines { position: absolute; }
footer { margin: 60px auto 40px; color: var(--muted); font-size: 14px; }
@media (max-width: 640px) {
  main, header.top, footer { padding-left: 16px; padding-right: 16px; }
  body { font-size: 15.5px; } h1 { font-size: 25px; } }
@media print {
  @page { size: A4; margin: 14mm; }
  body { font-size: 10.5pt; } table { font-size: 8.5pt; } nav, label, .modebar { display: none; }
  main, header.top, footer { max-width: none; padding: 0; }
  .groups { display: block; } .motifs { grid-template-columns: repeat(3, 1fr); }
  .scroll { overflow: visible; } th, td { padding-right: 7px; }
  figure, .tile, tr, .proposal { break-inside: avoid; } h2, h3, summary { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

SCRIPT = """
(function () {
  "use strict";
  function options(plot) {
    return { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "resetScale2d"]],
      displayModeBar: plot.closest(".small") ? false : "hover" };
  }
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  function draw(plot) {
    if (plot.drawn || !plot.offsetParent) { return; }
    plot.drawn = true;
    var figure = JSON.parse(plot.querySelector("script").textContent);
    Plotly.newPlot(plot.querySelector(".canvas"), figure.data, figure.layout, options(plot));
  }
  plots.forEach(draw);
  var folded = Array.prototype.slice.call(document.querySelectorAll("details"));
  folded.forEach(function (details) {
    details.addEventListener("toggle", function () {
      details.querySelectorAll(".plot").forEach(draw);
    });
  });
  document.querySelectorAll("select[data-for]").forEach(function (select) {
    select.addEventListener("change", function () {
      var canvas = document.querySelector("#" + select.dataset.for + " .canvas");
      var shown = canvas.data.map(function (trace) { return trace.meta === Number(select.value); });
      Plotly.restyle(canvas, { visible: shown });
    });
  });
  function width(pixels) {
    plots.forEach(function (plot) {
      if (!plot.drawn) { return; }
      var canvas = plot.querySelector(".canvas");
      var room = pixels && plot.closest(".small") ? pixels / 2 - 16 : pixels;
      // What needs more room than the paper has is made smaller as it is: a Sankey diagram that was drawn anew would
      // still be without its bands.
      if (canvas.style.minWidth) {
        plot.style.zoom = room && canvas.offsetWidth > room ? room / canvas.offsetWidth : "";
      } else if (room) { Plotly.relayout(canvas, { width: room }); }
      else { Plotly.relayout(canvas, { width: null, autosize: true }); }
    });
  }
  window.addEventListener("beforeprint", function () {
    folded.forEach(function (details) { details.wasOpen = details.open; details.open = true; });
    plots.forEach(draw);
    width(680);
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (details) { details.open = details.wasOpen; });
    width(0);
  });
})();
"""
