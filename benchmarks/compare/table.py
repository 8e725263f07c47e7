"""The figures as a Markdown table."""

from machine import ENGINES
from summary import OURS

TITLES = {"cambium": "Cambium", "rocksdb": "RocksDB", "leveldb": "LevelDB", "lmdb": "LMDB", "wiredtiger": "WiredTiger",
          "sqlite": "SQLite"}


def amount(value):
    """Three figures: 1.24 M, 87.3 k, 512."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            scaled = value / unit
            return f"{scaled:.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f}{name}"
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"


def seconds(value):
    for unit, name in ((1, " s"), (1e-3, " ms"), (1e-6, " µs")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value * 1e9:.0f} ns"


def present(rows):
    """The engines that were measured, ours first."""
    return [name for name in ENGINES if any(name in row["engines"] for row in rows)]


def shown(row, value):
    """A value of the row's figure, with its unit where it is a time."""
    if row["figure"] == "rate":
        return amount(value)
    return seconds(value / 1e6 if row["figure"].startswith("p") else value)


def _cell(medians, engine, lower_is_better, show, best):
    """The median, and in brackets how many times better than the best peer it is; the best peer in bold."""
    if engine not in medians:
        return "–"
    text = show(medians[engine])
    if best not in medians or not medians[engine]:
        return text
    ratio = medians[best] / medians[engine] if lower_is_better else medians[engine] / medians[best]
    text += f" ({ratio:.2f})"
    return f"**{text}**" if engine == best else text


def _medians(row, metric):
    return {name: figures[metric]["median"] for name, figures in row["engines"].items() if figures.get(metric)}


def cell(row, engine):
    figure = row["figure"]
    return _cell(_medians(row, figure), engine, figure != "rate", lambda value: shown(row, value), row["best_peer"])


# What is shown of a write benchmark and the background work that it left: (figure, words, how).
COSTS = (("settled_write_amplification", "bytes written a byte", "{:.2f}".format),
         ("settled_space_amplification", "bytes on disk a live byte", "{:.2f}".format),
         ("settled_cpu_micros", "CPU an operation", "{:.2f} µs".format))


def costs(rows):
    """(row, figure, words, how, {engine: median}) of the matched runs."""
    for row in rows:
        for figure, words, show in COSTS:
            medians = _medians(row, figure)
            if row["profile"] == "matched" and medians:
                yield row, figure, words, show, medians


def _cost_line(row, words, show, medians, engines):
    peers = {name: value for name, value in medians.items() if name != OURS}
    best = min(peers, key=peers.get) if peers else None
    cells = " | ".join(_cell(medians, name, True, show, best) for name in engines)
    return f"| {row['label']}: {words} | {cells} |"


def markdown(rows):
    """A row a workload: operations a second, or a time, and in brackets the ratio to the best peer."""
    engines = present(rows)
    lines = ["| workload | " + " | ".join(TITLES[name] for name in engines) + " |",
             "|---|" + "---|" * len(engines)]
    title = None
    for row in rows:
        if row["title"] != title:
            title = row["title"]
            lines.append(f"| *{title}* |" + " |" * len(engines))
        lines.append(f"| {row['label']} | " + " | ".join(cell(row, name) for name in engines) + " |")
    lines.append("| *What writes cost, with the background work that they leave* |" + " |" * len(engines))
    lines += [_cost_line(row, words, show, medians, engines) for row, _, words, show, medians in costs(rows)]
    return "\n".join(lines) + "\n"
