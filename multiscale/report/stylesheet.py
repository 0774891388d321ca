"""How the page looks: one narrow column of text, wide figures, light or dark, or on paper."""

from __future__ import annotations

STYLESHEET = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #22262b; --muted: #5d656d; --rule: #dde1e5; --wash: #f5f7f9;
  --link: #005a9c;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16191d; --ink: #e3e6e9; --muted: #a0a8b0; --rule: #343a41; --wash: #1f2429;
    --link: #7fbdf0; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 "Charter", "Source Serif 4", "Cambria", "Georgia", "Liberation Serif", serif; }
main { max-width: 1160px; margin: 0 auto; padding: 3.5rem 1.25rem 6rem;
  counter-reset: figure; }
header, nav, section { max-width: 720px; margin-left: auto; margin-right: auto; }
h1, h2, nav, table, figcaption, .stamp, summary {
  font-family: "Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; line-height: 1.3; letter-spacing: -0.01em; margin: 0 0 1rem;
  padding-top: 1.4rem; border-top: 1px solid var(--rule); }
section { margin-top: 2.6rem; }
.stamp { color: var(--muted); font-size: .85rem; margin: 0; overflow-wrap: anywhere; }
nav { margin-top: 1.6rem; font-size: .88rem; }
nav ol { columns: 2; column-gap: 2rem; padding-left: 1.4rem; margin: 0; color: var(--muted); }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
p { margin: 0 0 1rem; }
.absent { color: var(--muted); font-style: italic; }
ul.headline { list-style: none; padding: 0; margin: 0; }
ul.headline li { padding: .45rem 0 .45rem 1rem; border-left: 3px solid #0072b2;
  margin-bottom: .5rem; }
ul.headline li:first-child { font-weight: 600; }
figure { margin: 1.6rem 0 1.8rem; counter-increment: figure; }
figure.wide { width: min(1120px, 100vw - 2.5rem); margin-left: 50%; transform: translateX(-50%); }
figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
@media (prefers-color-scheme: dark) { figure img { padding: .6rem; filter: brightness(.93); } }
figcaption { max-width: 720px; margin: .7rem auto 0; font-size: .86rem; line-height: 1.5;
  color: var(--muted); }
figcaption::before { content: "Figure " counter(figure) ". "; font-weight: 600; color: var(--ink); }
figcaption > div { display: inline; }
.table { width: min(1120px, 100vw - 2.5rem); margin: 1rem 0 1.4rem 50%;
  transform: translateX(-50%); overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; line-height: 1.4; margin: 0 auto;
  min-width: min(720px, 100%); font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: var(--muted); vertical-align: bottom;
  border-bottom: 1px solid var(--muted); }
th, td { padding: .34rem .7rem; }
th.figure, td.figure { text-align: right; }
th.word, td.word { text-align: left; }
th { white-space: normal; }
table.data td { white-space: nowrap; }
table.prose td.word { overflow-wrap: anywhere; }
table.prose td.word:not(:last-child) { overflow-wrap: normal; }
table.prose td.word:nth-child(-n+2):not(:last-child) { white-space: nowrap; }
td { border-bottom: 1px solid var(--rule); vertical-align: top; }
code, pre { font-family: "SF Mono", "Consolas", "Liberation Mono", monospace; font-size: .86em; }
pre { background: var(--wash); padding: 1rem; overflow-x: auto; border-radius: 4px;
  line-height: 1.45; }
details { margin: 0 0 1.2rem; }
summary { cursor: pointer; font-size: .88rem; color: var(--link); }
@media (max-width: 600px) { nav ol { columns: 1; } body { font-size: 16px; } }
@media print {
  :root { --paper: #fff; --ink: #000; --muted: #444; --rule: #ccc; --wash: #f6f6f6; --link: #000; }
  body { font-size: 10.5pt; }
  main { padding: 0; max-width: none; }
  nav { display: none; }
  header, section, figcaption { max-width: none; }
  figure.wide, .table { width: 100%; margin-left: 0; transform: none; }
  figure, tr { break-inside: avoid; }
  figure img { width: auto; max-width: 100%; max-height: 215mm; margin: 0 auto; }
  .table { overflow: visible; }
  table { font-size: 7pt; min-width: 0; width: 100%; }
  table.data td { white-space: normal; }
  th, td { padding: .2rem .3rem; }
  h2 { break-after: avoid; }
  section { margin-top: 1.2rem; }
}
"""
"""Style sheet of the page; it names no font or image that would be fetched."""
