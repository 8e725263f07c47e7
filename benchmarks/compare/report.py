"""The report: one HTML page that needs nothing but itself, in the reader's light or dark colours."""

import html
import math
from pathlib import Path
from string import Template

from machine import ENGINES
from summary import OURS
from table import TITLES, cell, costs, present, seconds, shown

HERE = Path(__file__).resolve().parent

# The curves that are drawn; a scan's entries take no time that a clock could see one by one.
CURVES = ("fillrandom", "overwrite", "readrandom, as left", "readrandom, compacted", "seek + 10 next, compacted",
          "readwhilewriting, the reader", "YCSB A", "fillsync, on disk")


def _text(value):
    return html.escape(str(value))


def _bars(title, values, show, unit="", lower_is_better=False, note=""):
    """A card of horizontal bars: [(engine, value)], ours in colour, the best peer darker than the others."""
    values = [(engine, value) for engine, value in values if value is not None]
    if not values:
        return ""
    largest = max(value for _, value in values) or 1
    peers = [(value, engine) for engine, value in values if engine != OURS]
    best = (min(peers) if lower_is_better else max(peers))[1] if peers else None
    rows = []
    for engine, value in values:
        kind = "ours" if engine == OURS else "best" if engine == best else "peer"
        rows.append(f'<div class="name">{TITLES[engine]}</div><div class="track"><div class="bar {kind}" '
                    f'style="width:{max(100 * value / largest, 0.4):.2f}%"></div></div>'
                    f'<div class="value">{_text(show(value))}{unit}</div>')
    behind = " behind" if note.startswith("0.") else ""
    badge = f'<span class="ratio{behind}">{_text(note)}</span>' if note else ""
    return f'<figure><figcaption>{_text(title)}{badge}</figcaption><div class="bars">{"".join(rows)}</div></figure>'


def _medians(row, metric):
    return [(engine, row["engines"][engine][metric]["median"]) for engine in ENGINES
            if engine in row["engines"] and row["engines"][engine].get(metric)]


def _card(row):
    note = f"{row['ratio']:.2f} × {TITLES[row['best_peer']]}" if row["ratio"] else ""
    is_rate = row["figure"] == "rate"
    return _bars(row["label"], _medians(row, row["figure"]), lambda value: shown(row, value), "/s" if is_rate else "",
                 lower_is_better=not is_rate, note=note)


def _sections(rows):
    parts = []
    titles = []
    for row in rows:
        if row["title"] not in titles:
            titles.append(row["title"])
    for title in titles:
        cards = "".join(_card(row) for row in rows if row["title"] == title and not row["upkeep"])
        parts.append(f"<h2>{_text(title)}</h2><div class='cards'>{cards}</div>")
    return "".join(parts)


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 470, 260, 58, 92, 12, 34


def _nines(quantile):
    return -math.log10(max(1 - quantile, 1e-6))


def _place_labels(ends):
    """Moves labels apart: [(y, engine)] from top to bottom."""
    placed = []
    for y, engine in sorted(ends):
        placed.append((max(y, placed[-1][0] + 13) if placed else y, engine))
    return placed


def _curve_card(row):
    curves = {name: row["engines"][name]["curve"] for name in ENGINES
              if name in row["engines"] and row["engines"][name]["curve"]}
    points = [micros for curve in curves.values() for _, micros in curve if micros > 0]
    if not points:
        return ""
    low, high = math.floor(math.log10(min(points))), math.ceil(math.log10(max(points)) + 1e-9)
    high = max(high, low + 1)
    right = max(_nines(quantile) for curve in curves.values() for quantile, _ in curve)

    def x(quantile):
        return LEFT + (WIDTH - LEFT - RIGHT) * _nines(quantile) / right

    def y(micros):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(max(micros, 10 ** low))) / (high - low)

    drawn = []
    for power in range(low, high + 1):
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10 ** power):.1f}" '
                     f'y2="{y(10 ** power):.1f}"/><text x="{LEFT - 6}" y="{y(10 ** power) + 4:.1f}" '
                     f'text-anchor="end">{_text(seconds(10 ** power / 1e6))}</text>')
    for quantile, name in ((0.5, "50 %"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99"), (0.99999, "99.999")):
        if _nines(quantile) <= right + 1e-9:
            drawn.append(f'<text x="{x(quantile):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{name}</text>')
    ends = []
    for engine, curve in curves.items():
        path = " ".join(f"{x(quantile):.1f},{y(micros):.1f}" for quantile, micros in curve)
        drawn.append(f'<polyline class="line {engine}" points="{path}"/>')
        ends.append((y(curve[-1][1]), engine))
    for place, engine in _place_labels(ends):
        drawn.append(f'<text class="label {engine}" x="{WIDTH - RIGHT + 6}" y="{place + 4:.1f}">{TITLES[engine]}</text>')
    return (f"<figure><figcaption>{_text(row['label'])}</figcaption><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
            f"aria-label='latency by percentile of {_text(row['label'])}'>{''.join(drawn)}</svg></figure>")


def _curves(rows):
    cards = "".join(_curve_card(row) for row in rows
                    if row["profile"] == "matched" and (row["label"] in CURVES or row["stage"] == "open-loop-writes"))
    return f"<div class='cards wide'>{cards}</div>"


def _costs(rows):
    cards = (_bars(f"{row['label']}: {words}", _medians(row, figure), show, lower_is_better=True)
             for row, figure, words, show, _ in costs(rows))
    return f"<div class='cards'>{''.join(cards)}</div>"


def _upkeep(rows):
    return f"<div class='cards'>{''.join(_card(row) for row in rows if row['upkeep'])}</div>"


def _memory(rows):
    wanted = ("fillrandom", "readrandom, compacted", "overwrite of 15 M")
    cards = [_bars(f"{row['label']}: memory without file pages", _medians(row, "memory"), lambda v: f"{v / 2**20:.0f}",
                   " MiB", lower_is_better=True) for row in rows if row["label"] in wanted and row["profile"] == "matched"]
    return f"<div class='cards'>{''.join(cards)}</div>"


def _table(rows):
    engines = present(rows)
    head = "".join(f"<th>{TITLES[name]}</th>" for name in engines)
    body = []
    for row in rows:
        cells = []
        for name in engines:
            text = cell(row, name)
            kind = "best" if text.startswith("**") else "ours" if name == OURS else ""
            cells.append(f"<td class='{kind}'>{_text(text.strip('*'))}</td>")
        spread = row["engines"].get(OURS, {}).get(row["figure"])
        part = (spread["max"] - spread["min"]) / spread["median"] if spread and spread["median"] else 0
        body.append(f"<tr><th>{_text(row['label'])}{' (defaults)' if row['profile'] != 'matched' else ''}</th>"
                    f"{''.join(cells)}<td>{100 * part:.0f} %</td></tr>")
    return f"<table><thead><tr><th>workload</th>{head}<th>spread</th></tr></thead><tbody>{''.join(body)}</tbody></table>"


def _commands(document):
    blocks = "".join(f"{_text(line)}\n" for line in document["programs"])
    return f"<details><summary>what each engine's program was called with</summary><pre>{blocks}</pre></details>"


def _engines(document):
    items = "".join(f"<li><b>{TITLES[name]} {_text(kind['version'])}</b>{': ' + _text(kind['remarks']) if kind['remarks'] else ''}</li>"
                    for name, kind in document["engines"].items())
    return f"<ul>{items}</ul>"


def _rounds(document):
    taken = {(run["stage"], run["round"]) for run in document["measured"]}
    return max(sum(stage == one for stage, _ in taken) for one in document["stages"])


def render(document):
    machine = document["machine"]
    about = (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
             f"Linux {machine['kernel']}; {_rounds(document)} rounds at most, interleaved; Cambium {machine['commit']}")
    return Template((HERE / "report.html").read_text(encoding="utf-8")).substitute(
        date=_text(document["date"]), about=_text(about), command=_text("\n".join(document["commands"])),
        engines=_engines(document), table=_table(document["rows"]), sections=_sections(document["rows"]),
        curves=_curves(document["rows"]), costs=_costs(document["rows"]), upkeep=_upkeep(document["rows"]), memory=_memory(document["rows"]),
        commands=_commands(document),
        disagreements="".join(f"<li>{_text(line)}</li>" for line in document["disagreements"]) or "<li>none</li>")
