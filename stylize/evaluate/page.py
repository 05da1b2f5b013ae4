"""The frame of the HTML report: one file, its style sheet within it, nothing fetched."""

STYLE = """
:root{color-scheme:light dark;--page:#f6f6f4;--card:#fff;--ink:#1e1f22;--soft:#5d6068;--rule:#e2e2de;
--good:#1a7f37;--bad:#c4232f;--unsure:#8f5f00}
@media (prefers-color-scheme:dark){:root{--page:#101113;--card:#18191c;--ink:#ececea;--soft:#a0a3ab;
--rule:#2f3136;--good:#4cc26a;--bad:#ff8078;--unsure:#e0ac4b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font-size:16px;line-height:1.5;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 20px 64px}
h1{font-size:clamp(1.5rem,1.2rem + 1.6vw,2.1rem);line-height:1.2;letter-spacing:-.015em;margin:0 0 8px;
text-wrap:balance}
h2{font-size:1.12rem;margin:0 0 4px}h3{font-size:.95rem;margin:18px 0 6px}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:22px 26px;
margin:0 0 18px}
p{margin:0 0 12px;max-width:72ch}
.aside{color:var(--soft);font-size:.9rem}
code{font:.88em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.table{overflow-x:auto;margin:0 -4px;padding:0 4px}
.table:focus-visible{outline:2px solid currentColor;outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:7px 14px 7px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:.82rem;font-weight:600;vertical-align:bottom;white-space:normal}
tbody th{font-weight:600;position:sticky;left:0;background:var(--card)}
thead th:first-child,tbody th{text-align:left}tbody tr:last-child>*{border-bottom:0}
.good{color:var(--good)}.bad{color:var(--bad)}.unsure{color:var(--unsure)}
td.good,td.bad,td.unsure{font-weight:600}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:6px}
.strip img{display:block;width:100%;height:auto;aspect-ratio:1;border-radius:4px}
.strip .original{outline:2px solid var(--soft);outline-offset:-2px}
@media (max-width:600px){main{padding:24px 12px 40px}section{padding:18px 16px;border-radius:10px}
.goals thead{display:none}.goals tr{display:block;padding:10px 0;border-bottom:1px solid var(--rule)}
.goals tbody th{display:block;border:0;padding:0 0 4px;white-space:normal}
.goals td{display:flex;justify-content:space-between;border:0;padding:1px 0}
.goals td::before{content:attr(data-label);color:var(--soft)}
.strip{grid-template-columns:repeat(auto-fill,minmax(82px,1fr));gap:4px}}
@media print{body{background:#fff}section{break-inside:avoid}}
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>
<h1>{title}</h1>
{sections}
</main></body>
</html>
"""
"""To be filled with an escaped title, the style sheet, and sections of HTML."""
