"""The frame of the HTML report: one page, its style sheet within it, nothing fetched."""

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1f2328;--soft:#59636e;--rule:#dfe3e8;
--good:#1a7f37;--bad:#cf222e;--unsure:#9a6700;--plot-surface:var(--card)}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--card:#151b23;--ink:#e6edf3;--soft:#9198a1;
--rule:#30363d;--good:#3fb950;--bad:#ff7b72;--unsure:#d29922}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font-size:16px;line-height:1.55;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:40px 20px 64px}
h1{font-size:clamp(1.5rem,1.2rem + 1.6vw,2.1rem);line-height:1.2;letter-spacing:-.015em;margin:0 0 18px;
text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.12rem;margin:0 0 4px}
h3{font-size:.95rem;margin:18px 0 8px;color:var(--soft)}
summary h2{display:inline;color:var(--ink)}
.table+.table{margin-top:22px}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:22px 26px;
margin:0 0 18px}
p{margin:0 0 12px;max-width:70ch}
.aside{color:var(--soft);font-size:.9rem;margin-bottom:14px}
.verdict{border-left:4px solid var(--tone)}
.verdict ul{margin:0;padding:0;list-style:none}
.verdict li{padding:10px 0 0;margin:10px 0 0;border-top:1px solid var(--rule);overflow-wrap:anywhere}
.verdict p{margin:0;overflow-wrap:anywhere}
.good{--tone:var(--good)}.bad{--tone:var(--bad)}.unsure{--tone:var(--unsure)}
.tag{display:inline-block;color:var(--tone);font-weight:600;font-size:.85rem;border:1px solid currentColor;
border-radius:99px;padding:1px 11px;margin:0 0 10px}
.plot{margin:10px 0 22px}
.table{overflow-x:auto;margin:0 -4px;padding:0 4px}
.table:focus-visible,summary:focus-visible{outline:2px solid var(--plot-1,#0b6bcb);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.85rem;padding-bottom:6px}
th,td{padding:7px 11px 7px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:last-child,td:last-child{padding-right:0}
th{font-weight:600}
thead th{color:var(--soft);font-size:.82rem;line-height:1.3;white-space:normal;vertical-align:bottom}
th[scope=row]{white-space:normal;min-width:8em;max-width:24em;overflow-wrap:anywhere;line-height:1.3}
th[scope=row],thead th:first-child{text-align:left}tbody tr:last-child>*{border-bottom:0}
summary{cursor:pointer;color:var(--soft);font-size:.9rem;padding:4px 0}
details[open] summary{margin-bottom:8px}
.notes{margin:8px 0 0;padding-left:1.1em;font-size:.92rem;color:var(--soft)}
.notes li{margin:0 0 6px;max-width:74ch}
@media (max-width:1000px){table{font-size:.8rem}thead th{font-size:.76rem}th,td{padding-right:8px}}
@media (max-width:560px){main{padding:24px 12px 40px}section{padding:18px 16px;border-radius:10px}}
@media print{body{background:#fff}section{break-inside:avoid}}
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
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
