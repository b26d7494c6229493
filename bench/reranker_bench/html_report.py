"""One self-contained page with tables, plots, comparison and environment. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from reranker_bench import __version__, charts, comparison_report, report
from reranker_bench.comparing import Comparison
from reranker_bench.results import Results

_STYLE = """
body { font: 15px/1.5 system-ui, "DejaVu Sans", "Noto Sans CJK SC", sans-serif; color: #222; background: #fff;
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { background: #f5f6f8; font-weight: 600; }
th.text, td.text { text-align: left; }
td.text.long { white-space: normal; overflow-wrap: anywhere; }
tr.change td { color: #555; border-bottom: 2px solid #ccc; }
td.faster { color: #00704f; font-weight: 600; } td.slower { color: #b34700; font-weight: 600; }
svg { max-width: 100%; height: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } .plots > div { flex: 1 1 30rem; min-width: 0; }
.note { color: #555; } .warning { color: #b34700; }
"""

_LEGEND = (
    '<p class="note">Client wall time of a request. <b>*</b>: samples of this cell were lost; <b>lost</b>: all; '
    "<b>-</b>: not measured.</p>"
)


def page(runs: Sequence[Results], comparison: Comparison | None = None, title: str = "Reranker benchmark") -> str:
    """The whole page."""
    header, rows = report.matrix(runs)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="note">{escape(_subtitle(runs))}</p>',
        "<h2>Mean latency (ms)</h2>",
        _table(header, rows),
        _LEGEND,
        '<div class="plots">',
        f"<div>{charts.svg(charts.latency(runs), 'latency')}</div>",
        f"<div>{charts.svg(charts.throughput(runs), 'throughput')}</div>",
        "</div>",
    ]
    if comparison is not None:
        parts += _comparison(comparison)
    parts += ["<h2>Distributions</h2>", charts.svg(charts.distributions(runs), "samples", **distribution_size(runs))]
    parts += ["<h2>Each run</h2>"]
    for run in runs:
        parts += _run(run)
    parts += ["<h2>Environment</h2>", _environment(runs)]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def distribution_size(runs: Sequence[Results]) -> dict[str, float]:
    """Width and height that the plot of all samples needs, in inches."""
    rows = -(-len(report.sizes_of(runs)) // 3)
    return {"width": 11.0, "height": 0.6 + rows * (1.0 + 0.28 * len(runs))}


def change_size(comparison: Comparison) -> dict[str, float]:
    """Width and height that the plot of the changes needs, in inches."""
    return {"width": 9.0, "height": 1.2 + 0.27 * sum(len(pair.cells) for pair in comparison.pairs)}


def _subtitle(runs: Sequence[Results]) -> str:
    samples, lost = sum(run.samples for run in runs), sum(run.lost for run in runs)
    days = sorted({f"{run.started_at:%Y-%m-%d}" for run in runs})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{samples} samples, {lost} lost; measured {when}; reranker-bench {__version__}"


def _comparison(comparison: Comparison) -> list[str]:
    header, rows = comparison_report.overview(comparison)
    parts = ["<h2>Compared with before</h2>"]
    parts += [f'<p class="warning">Not measured alike: {escape(text)}</p>' for text in comparison.differences]
    parts += [f'<p class="warning">{escape(text)}</p>' for text in comparison_report.caches(comparison)]
    parts += [_table(header, rows), charts.svg(charts.changes(comparison), "changes", **change_size(comparison))]
    cells = [row for pair in comparison.pairs for row in comparison_report.cell_rows(pair)]
    return [*parts, _table(list(comparison_report.CELL_COLUMNS), cells)]


def _run(run: Results) -> list[str]:
    parts = [f"<h3>{escape(report.heading(run))}</h3>", _table(list(report.DETAIL_COLUMNS), report.details(run))]
    if lines := report.notes(run):
        parts.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>")
    return parts


def _environment(runs: Sequence[Results]) -> str:
    header = ["", *charts.labels(runs)]
    facts: dict[str, list[str]] = {}
    for place, run in enumerate(runs):
        server, client = run.environment.server.model_dump(), run.environment.client.model_dump()
        told = {
            **{name: value for name, value in server.items() if name not in {"backend", "instruction_format"}},
            **{f"client {name}": value for name, value in client.items()},
            "titles": f"{run.titles.count} ({run.titles.source})",
            "query": run.parameters.query,
            "url": run.parameters.url,
            "bench version": run.environment.bench_version,
        }
        for name, value in told.items():
            row = facts.setdefault(name.replace("_", " "), ["-"] * len(runs))
            row[place] = "-" if value is None else str(value)
    return _table(header, [[name, *values] for name, values in facts.items()], text=set(header))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text: set[str] = report.TEXT_COLUMNS) -> str:
    def cell(tag: str, name: str, value: str) -> str:
        kinds = ["text"] if name in text else []
        kinds += ["long"] if len(value) > 60 else []
        kinds += [value] if name == "verdict" and value in {"faster", "slower"} else []
        return (
            f'<{tag} class="{" ".join(kinds)}">{escape(value)}</{tag}>' if kinds else f"<{tag}>{escape(value)}</{tag}>"
        )

    lines = ["".join(cell("th", name, name) for name in header)]
    lines += ["".join(cell("td", name, value) for name, value in zip(header, row, strict=True)) for row in rows]
    shown = [
        f'<tr class="change">{line}</tr>' if '<td class="text">change<' in line else f"<tr>{line}</tr>"
        for line in lines
    ]
    return '<div class="scroll"><table>' + "\n".join(shown) + "</table></div>"
