"""The figures as a Markdown table."""

from machine import ENGINES

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


def cell(row, engine):
    """The median, and in brackets how many times better than the best peer it is; the best peer in bold."""
    figure = row["figure"]
    medians = {name: figures[figure]["median"] for name, figures in row["engines"].items() if figures[figure]}
    if engine not in medians:
        return "–"
    text = shown(row, medians[engine])
    best = row["best_peer"]
    if best is None or not medians[engine]:
        return text
    ratio = medians[engine] / medians[best] if figure == "rate" else medians[best] / medians[engine]
    text += f" ({ratio:.2f})"
    return f"**{text}**" if engine == best else text


def markdown(rows, stages=None, engines=None):
    """A row a workload: operations a second, and in brackets the ratio to the best peer."""
    rows = [row for row in rows if stages is None or row["stage"] in stages]
    engines = [name for name in present(rows) if engines is None or name in engines]
    lines = ["| workload | " + " | ".join(TITLES[name] for name in engines) + " |",
             "|---|" + "---|" * len(engines)]
    title = None
    for row in rows:
        if row["title"] != title:
            title = row["title"]
            lines.append(f"| *{title}* |" + " |" * len(engines))
        lines.append(f"| {row['label']} | " + " | ".join(cell(row, name) for name in engines) + " |")
    return "\n".join(lines) + "\n"
