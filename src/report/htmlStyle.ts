/** Colours and spacing of report pages. Text meets a contrast of 4.5:1 in both schemes. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2328; --muted: #59636e; --line: #d8dee4; --soft: #f4f6f8; --accent: #0060a8; --mark: #d55e00;
  --cell: 48px;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #101418; --ink: #e6eaee; --muted: #9aa6b2; --line: #2d353d; --soft: #191f25; --accent: #6cb6f5; --mark: #ff8c42; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.page { max-width: 1240px; margin: 0 auto; padding: 0 clamp(16px, 4vw, 48px); }
header.page { padding-top: clamp(28px, 6vw, 64px); }
h1 { margin: 0; font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.2; letter-spacing: -0.02em; font-weight: 650; }
h2 { margin: 0 0 12px; font-size: 1.3rem; line-height: 1.3; letter-spacing: -0.01em; font-weight: 620; }
p { max-width: 46rem; margin: 0 0 12px; overflow-wrap: anywhere; }
.subtitle { margin-top: 10px; color: var(--muted); font-size: 1.08rem; }
.caption, figcaption, .notes, .legend, .zoom { color: var(--muted); font-size: 0.9rem; }
section { margin-top: clamp(36px, 6vw, 64px); scroll-margin-top: 16px; }
details section { margin-top: 24px; }
a { color: var(--accent); text-underline-offset: 3px; text-decoration-thickness: 1px; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 20px 0 0; padding: 12px 0; border-block: 1px solid var(--line); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
table.data { min-width: 100%; font-size: 0.94rem; }
table.data th, table.data td { padding: 9px 14px; border-bottom: 1px solid var(--line); white-space: nowrap; }
table.data thead th { vertical-align: bottom; color: var(--muted); font-weight: 550; border-bottom-width: 2px; }
table.data tbody th { font-weight: 600; }
table.data tbody tr:hover > * { background: var(--soft); }
.left { text-align: left; } .right { text-align: right; }
th:first-child { position: sticky; left: 0; background: var(--paper); z-index: 1; }
table.data th:first-child { padding-left: 0; }
strong { color: var(--accent); font-weight: 680; }
.unit { display: block; color: var(--muted); font-size: 0.82em; font-weight: 400; line-height: 1.35; }
.notes { margin: 12px 0 0; padding-left: 1.2em; max-width: 56rem; overflow-wrap: anywhere; }

table.pictures { font-size: 0.88rem; }
table.pictures th { padding: 3px 4px; font-weight: 400; color: var(--muted); vertical-align: bottom; }
table.pictures thead .unit { max-width: var(--cell); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
table.pictures tbody th { padding: 0 18px 0 0; color: var(--ink); font-weight: 600; vertical-align: middle; white-space: nowrap; line-height: 1.35; }
table.pictures td { padding: 3px 2px; line-height: 0; }
table.pictures img { width: var(--cell); height: auto; image-rendering: pixelated; border-radius: 3px; background: var(--soft); }
table.pictures td.marked { position: relative; }
.mark, td.marked::after { content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: var(--mark); border: 1.5px solid #fff; }
td.marked::after { position: absolute; top: 4px; right: 4px; }
.mark { vertical-align: 0; }
.tools { display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: center; margin-bottom: 10px; }
.zoom { display: inline-flex; align-items: center; gap: 10px; } .zoom[hidden] { display: none; }
.zoom input { accent-color: var(--accent); width: 140px; }

.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 350px), 1fr)); gap: 20px; align-items: start; }
.figures.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure > svg { display: block; width: 100%; max-width: 720px; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 8px; }
figcaption { margin-top: 8px; }
details { border: 1px solid var(--line); border-radius: 8px; padding: 12px 18px; }
summary { cursor: pointer; font-weight: 550; } details[open] > summary { margin-bottom: 12px; }
pre { margin: 0 0 12px; padding: 14px 18px; background: var(--soft); border-radius: 8px; overflow-x: auto; font: 0.86rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
details > pre { margin-bottom: 0; max-height: 30rem; }
footer.page { margin-top: clamp(48px, 8vw, 88px); padding-bottom: 64px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 600px) {
  body { font-size: 15px; }
  :root { --cell: 40px; }
  table.data th, table.data td { padding: 8px 10px; }
  table.pictures tbody th { white-space: normal; min-width: 116px; max-width: 128px; padding-right: 8px; overflow-wrap: anywhere; font-size: 0.8rem; }
}
@media print { .zoom { display: none; } section { break-inside: avoid; } }
`;

/** Makes the sliders work that set the size of pictures; without scripts they stay hidden. */
export const zoomScript = `
for (const label of document.querySelectorAll("label.zoom")) {
  const slider = label.querySelector("input");
  const region = label.closest("section");
  label.hidden = false;
  slider.value = parseFloat(getComputedStyle(region).getPropertyValue("--cell"));
  slider.addEventListener("input", () => region.style.setProperty("--cell", slider.value + "px"));
}
`;
