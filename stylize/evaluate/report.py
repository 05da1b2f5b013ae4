"""An evaluation as one HTML file that asks for nothing outside itself."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any

from stylize.evaluate.goals import HEADINGS, Goal, Verdict, goals
from stylize.evaluate.page import PAGE, STYLE
from stylize.evaluate.sheets import Sheet

TONES = {Verdict.AIMED: "good", Verdict.REACHED: "good", Verdict.MISSED: "bad", Verdict.UNKNOWN: "unsure"}

STYLE_COLUMNS = (
    ("J", "J_full", "{:.2f}"),
    ("J / optimum", "J_ratio", "{:.2f}"),
    ("style loss", "style_loss_full", "{:.2f}"),
    ("content loss", "content_loss_full", "{:.2f}"),
    ("identified, full", "identified_full_rate", "{:.0%}"),
    ("identified, default", "identified_default_rate", "{:.0%}"),
    ("recognised, full", "recognised_full_rate", "{:.0%}"),
    ("recognised, default", "recognised_default_rate", "{:.0%}"),
    ("SSIM, full", "ssim_full", "{:.2f}"),
    ("SSIM, default", "ssim_default", "{:.2f}"),
    ("PSNR dB, default", "psnr_default_db", "{:.1f}"),
    ("checkerboard", "checkerboard_ratio", "{:.2f}"),
    ("border", "border_ratio", "{:.2f}"),
)


def html_report(summary: dict[str, Any], sheets: Sequence[Sheet]) -> str:
    """The goals, every style's figures, the pairs of strengths tried, and contact sheets."""
    title = f"{len(summary['styles'])} styles on {_count(summary['n_photos'], 'held-back photo')}"
    sections = [
        _section("Goals", _goals_table(goals(summary)), _verdict_sentence(goals(summary))),
        _section("Every style", _styles_table(summary), _styles_note(summary)),
        _section("Product and background", _strengths_table(summary), _strengths_note(summary)),
        _section("Mixtures", "", mixes_sentence(summary)),
        *(_sheet_section(sheet, summary) for sheet in sheets),
    ]
    network, size = escape(summary["checkpoint"][:12]), summary["side_px"]
    head = f'<p class="aside">Network <code>{network}</code>, centre crops of {size} px.</p>'
    return PAGE.format(title=escape(title), style=STYLE, sections="\n".join([head, *sections]))


def mixes_sentence(summary: dict[str, Any]) -> str:
    """How mixtures did, in words."""
    mixes = summary["mixes"]
    if not mixes["n_pairs"]:
        return "No mixtures were tried."
    first, second = mixes["worst"]["styles"]
    n_clean = round(mixes["clean_rate"] * mixes["n_pairs"])
    return (
        f"{n_clean} of {mixes['n_pairs']} half-and-half mixtures have a J no worse than their worse "
        f"parent's; the worst, {first} with {second}, is {mixes['worst']['excess']:+.0%} against it."
    )


def _verdict_sentence(table: Sequence[Goal]) -> str:
    missed = [goal.title for goal in table if goal.verdict is Verdict.MISSED]
    unknown = [goal.title for goal in table if goal.verdict is Verdict.UNKNOWN]
    parts = [f"Missed: {'; '.join(missed)}." if missed else "Nothing that was measured is missed."]
    if unknown:
        parts.append(f"Not measured: {'; '.join(unknown)}.")
    return " ".join(parts)


def _goals_table(table: Sequence[Goal]) -> str:
    rows = []
    for goal in table:
        title, *cells = goal.cells
        tones = ["", "", "", TONES[goal.verdict], TONES[goal.verdict]]
        shown = "".join(
            f'<td class="{tone}" data-label="{escape(label)}">{escape(cell)}</td>'
            for cell, tone, label in zip(cells, tones, HEADINGS[1:], strict=True)
        )
        rows.append(f'<tr><th scope="row">{escape(title)}</th>{shown}</tr>')
    return _table(HEADINGS, rows, "goals")


def _styles_table(summary: dict[str, Any]) -> str:
    rows = [_figures_row(name, figures) for name, figures in summary["styles"].items()]
    rows.append(_figures_row("all", summary["overall"]))
    return _table(("style", *(heading for heading, _, _ in STYLE_COLUMNS)), rows)


def _figures_row(name: str, figures: dict[str, Any]) -> str:
    cells = (_form(figures[key], form) for _, key, form in STYLE_COLUMNS)
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _styles_note(summary: dict[str, Any]) -> str:
    note = (
        "J is style loss plus content loss at full strength. Recognition is relative to the clean photos. "
        "Checkerboard energy is the picture's over its style picture's; border is stroke density at the edge "
        "over that just inside; both are 1 where nothing shows."
    )
    if summary["why_not_recognised"]:
        return f"{note} Recognition is missing: {summary['why_not_recognised']}."
    return f"{note} The probe reads {summary['recognised_clean_rate']:.0%} of the clean photos right."


def _strengths_table(summary: dict[str, Any]) -> str:
    rows = []
    for trial in summary["strengths"]:
        subject, background = trial["strengths"]
        mark = " (default)" if trial["strengths"] == summary["default_strengths"] else ""
        cells = (
            f"{trial['identified_rate']:.1%}",
            _form(trial["recognised_rate"], "{:.1%}"),
            f"{trial['ssim']:.2f}",
        )
        shown = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{subject:g} / {background:g}{mark}</th>{shown}</tr>')
    return _table(("product / background", "identified", "recognised", "SSIM"), rows)


def _strengths_note(summary: dict[str, Any]) -> str:
    subject, background = summary["default_strengths"]
    return f"A render that names no strength takes {subject:g} on the product, {background:g} around it."


def _sheet_section(sheet: Sheet, summary: dict[str, Any]) -> str:
    is_default = [sheet.strengths.subject, sheet.strengths.background] == summary["default_strengths"]
    name = "The default" if is_default else "Full strength"
    parts = [_strip("photos", [_image(p, n) for p, n in zip(sheet.photos, sheet.photo_names, strict=True)])]
    for strip in sheet.strips:
        tiles = [_image(strip.style_picture, f"the style picture {strip.style}", "original")]
        tiles += [
            _image(picture, f"{photo} in the style {strip.style}")
            for picture, photo in zip(strip.pictures, sheet.photo_names, strict=True)
        ]
        parts.append(_strip(strip.style, tiles))
    note = f"{sheet.strengths.label}: product, background. The framed picture is the style's own."
    return _section(name, "".join(parts), note)


def _strip(title: str, tiles: Sequence[str]) -> str:
    return f'<h3>{escape(title)}</h3><div class="strip">{"".join(tiles)}</div>'


def _image(jpeg: bytes, text: str, css_class: str = "") -> str:
    source = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    return f'<img class="{css_class}" src="{source}" alt="{escape(text)}" loading="lazy">'


def _table(headings: Sequence[str], rows: Sequence[str], css_class: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return (
        f'<div class="table" tabindex="0"><table class="{css_class}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _section(title: str, body: str, aside: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="aside">{escape(aside)}</p>{body}</section>'


def _form(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
