"""From measurements to figures: medians, spreads, ratios to the best peer, and what engines disagree on."""

from statistics import median

OURS = "cambium"
NO_RATIO = {"best_peer": None, "ratio": None, "ratios": []}


def _pairs(stage, result):
    """(step, [measurement of each repeat]) of one run, in order."""
    entries = list(result["benchmarks"])
    for step in stage.steps:
        name = step.benchmark.split("[")[0]
        taken = []
        while entries and entries[0]["name"] == name and entries[0]["run"] == len(taken) + 1:
            taken.append(entries.pop(0))
        yield step, taken


def _get(entry, path):
    for part in path.split("."):
        if entry is None:
            return None
        entry = entry.get(part)
    return entry


METRICS = {
    "rate": "ops_per_second", "seconds": "seconds", "p50": "latency_micros.p50", "p99": "latency_micros.p99",
    "p999": "latency_micros.p999", "p9999": "latency_micros.p9999", "max": "latency_micros.max",
    "slow_seconds": "slow_operation_seconds", "stall_seconds": "stall_seconds", "user": "cpu_seconds.user",
    "system": "cpu_seconds.system", "background": "cpu_seconds.background", "peak_memory": "peak_memory_bytes",
    "memory": "memory_bytes", "write_amplification": "write_amplification",
    "read_amplification": "read_amplification", "space_amplification": "space_amplification",
    "disk_bytes": "disk_bytes", "operations": "operations",
}


def _figure(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "values": values}


# Of a write benchmark together with the background work that it left behind.
SETTLED = ("settled_write_amplification", "settled_space_amplification", "settled_cpu_micros")


def _settled(wrote, idle):
    cpu = sum(part for entry in (wrote, idle) for part in (entry["cpu_seconds"]["user"], entry["cpu_seconds"]["system"]))
    written = [entry["bytes_written"] for entry in (wrote, idle)]
    known = wrote["bytes"] and None not in written
    return {"settled_write_amplification": sum(written) / wrote["bytes"] if known else None,
            "settled_space_amplification": idle["space_amplification"],
            "settled_cpu_micros": cpu * 1e6 / max(wrote["operations"], 1)}


def summarise(plan, measured):
    """[{stage, title, label, engines: {engine: {metric: figure, curve}}, best_peer, ratio, ratios}], as planned."""
    rows = []
    for stage in plan:
        runs = [run for run in measured if run["stage"] == stage.name]
        if not runs:
            continue
        for index, step in enumerate(stage.steps):
            if step.label:
                rows.append(_row(stage, index, step, runs))
    return rows


def _row(stage, index, step, runs):
    collected, settled = {}, {}
    for run in runs:
        steps = [taken for _, taken in _pairs(stage, run["result"])]
        collected.setdefault(run["engine"], {}).setdefault(run["round"], []).extend(steps[index])
        follows = stage.steps[index + 1].benchmark if index + 1 < len(stage.steps) else ""
        if follows == "waitforcompaction" and len(steps[index]) == 1 and steps[index + 1]:
            settled.setdefault(run["engine"], []).append(_settled(steps[index][0], steps[index + 1][-1]))
    engines = {}
    for engine, rounds in collected.items():
        entries = [entry for taken in rounds.values() for entry in taken]
        figures = {name: _figure([_get(entry, path) for entry in entries]) for name, path in METRICS.items()}
        figures["rounds"] = {number: median(_get(entry, METRICS[step.figure]) for entry in taken)
                             for number, taken in rounds.items() if taken}
        figures["curve"] = _curve(entries)
        for name in SETTLED:
            figures[name] = _figure([entry[name] for entry in settled.get(engine, [])])
        engines[engine] = figures
    row = {"stage": stage.name, "profile": stage.profile, "title": stage.title, "label": step.label,
           "upkeep": step.upkeep, "figure": step.figure, "engines": engines}
    return row | (NO_RATIO if step.upkeep else _ratio(engines, step.figure))


def _curve(entries):
    """Of several runs' latency curves, the median at each quantile."""
    curves = [_get(entry, "latency_micros.curve") for entry in entries]
    curves = [dict((quantile, micros) for quantile, micros in curve) for curve in curves if curve]
    if not curves:
        return []
    return [[quantile, median(curve[quantile] for curve in curves)] for quantile in curves[0]
            if all(quantile in curve for curve in curves)]


def _ratio(engines, figure):
    """Of each round, how many times better ours is than the best peer's; the best peer has the best median."""
    peers = {name: figures[figure]["median"] for name, figures in engines.items()
             if name != OURS and figures[figure] is not None}
    if OURS not in engines or engines[OURS][figure] is None or not peers:
        return NO_RATIO
    best = (max if figure == "rate" else min)(peers, key=peers.get)
    ours, theirs = engines[OURS]["rounds"], engines[best]["rounds"]
    both = [(ours[number], theirs[number]) for number in sorted(ours) if ours[number] and theirs.get(number)]
    ratios = [one / other if figure == "rate" else other / one for one, other in both]
    return {"best_peer": best, "ratio": median(ratios) if ratios else None, "ratios": ratios}


def disagreements(plan, measured):
    """Lines that tell where two engines found another number of keys, or hold another number of bytes."""
    lines = []
    for stage in plan:
        for number in sorted({run["round"] for run in measured if run["stage"] == stage.name}):
            seen = {}
            for run in measured:
                if run["stage"] != stage.name or run["round"] != number:
                    continue
                for index, (step, taken) in enumerate(_pairs(stage, run["result"])):
                    if not taken:
                        lines.append(f"{stage.name}: {run['engine']}: {step.benchmark} was not measured")
                    if step.checked:
                        answers = [(e["found"], e["asked"], e["live_bytes"]) for e in taken]
                        seen.setdefault(index, {})[run["engine"]] = answers
            for index, answers in seen.items():
                if len({str(answer) for answer in answers.values()}) > 1:
                    lines.append(f"{stage.name}: {stage.steps[index].benchmark}: (found, asked, live bytes) differ: {answers}")
    return lines


def agreement(rows, others, limit=0.10):
    """Compares the ratios of two reports: [(stage, label, ratio, other, within the limit)]."""
    known = {(row["stage"], row["label"]): row for row in others}
    compared = []
    for row in rows:
        other = known.get((row["stage"], row["label"]))
        if other is None or row["ratio"] is None or other["ratio"] is None:
            continue
        apart = abs(row["ratio"] - other["ratio"]) / min(row["ratio"], other["ratio"])
        compared.append((row["stage"], row["label"], row["ratio"], other["ratio"], apart <= limit))
    return compared
