"""Runs Cambium and its peers side by side and writes a report.

    python3 benchmarks/compare [--install] [--size tiny|small|full] [--large] [--rounds N] [--engines A,B] [--out DIR]
    python3 benchmarks/compare --from RESULTS.json… [--out DIR]
    python3 benchmarks/compare --agree ONE.json OTHER.json

Leaves DIR/results.json, DIR/report.html and DIR/table.md. Exit code 0; 1: the engines disagree on what they found, or two
runs' ratios do; 2: a wrong argument; 3: something failed.
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import machine  # noqa: E402
import plan  # noqa: E402
import report  # noqa: E402
import summary  # noqa: E402
import table  # noqa: E402
from runner import Runner, flags_of, run_all  # noqa: E402

# What a run may take: of a key and its value twice over, and of logs that are laid out before they are written.
BYTES_A_KEY = 500
BYTES_BESIDES = 1 << 29


def parse():
    parser = argparse.ArgumentParser(prog="benchmarks/compare", description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=plan.SIZES, default="small", help="how many keys: 2,000, 200,000 or 3,000,000")
    parser.add_argument("--large", action="store_true", help="15 M unique keys besides, once")
    parser.add_argument("--rounds", type=int, default=2, help="times that each stage is run; medians are reported")
    parser.add_argument("--engines", default=",".join(machine.ENGINES), help="a comma between two")
    parser.add_argument("--stages", default="", help="only these; a comma between two")
    parser.add_argument("--install", action="store_true", help="install first what the build and the peers need, by apt")
    parser.add_argument("--build", type=Path, help="a build that is there; otherwise a release is built")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"), help="a folder whose files are in memory")
    parser.add_argument("--disk", type=Path, help="a folder on the disk that the disk stage measures")
    parser.add_argument("--seed", type=int, default=301)
    parser.add_argument("--out", type=Path, default=Path("compare-report"), help="folder of the report")
    parser.add_argument("--from", dest="results", nargs="+", type=Path, metavar="RESULTS",
                        help="write the report of runs of one build again, their rounds together")
    parser.add_argument("--agree", nargs=2, type=Path, metavar="RESULTS", help="compare the ratios of two runs")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.engines.split(",") if name not in machine.ENGINES]
    if unknown:
        parser.error(f"there is no engine '{unknown[0]}': {', '.join(machine.ENGINES)}")
    known = [stage.name for stage in plan.stages(arguments.size, arguments.large)]
    unknown = [name for name in filter(None, arguments.stages.split(",")) if name not in known]
    if unknown:
        parser.error(f"there is no stage '{unknown[0]}': {', '.join(known)}")
    if arguments.rounds < 1:
        parser.error("--rounds must be positive")
    return arguments


def chosen_stages(arguments):
    stages = plan.stages(arguments.size, arguments.large)
    if not arguments.stages:
        return stages
    wanted = set(arguments.stages.split(","))
    kept = []
    for index, stage in enumerate(stages):
        # A stage that goes on with a database needs the one before it.
        follower = stages[index + 1] if index + 1 < len(stages) else None
        if stage.name in wanted or (follower and follower.keeps_database and follower.name in wanted):
            kept.append(stage)
    return kept


def compare(arguments):
    build = arguments.build
    if arguments.install:
        machine.install()
    if build is None:
        build = machine.ROOT / "build" / "compare"
        print(f"building a release in {build.relative_to(machine.ROOT)}", flush=True)
        machine.build(build)
    programs = machine.find_programs(build, arguments.engines.split(","))
    stages = chosen_stages(arguments)
    disk = arguments.disk or build
    keys = plan.LARGE_KEYS if arguments.large else plan.SIZES[arguments.size]
    machine.need_space(arguments.memory, keys * BYTES_A_KEY + BYTES_BESIDES)
    machine.need_space(disk, plan.SIZES[arguments.size] * BYTES_A_KEY + BYTES_BESIDES)
    started = datetime.datetime.now(datetime.timezone.utc)
    about = machine.describe()
    with Runner(programs, arguments.memory, disk, arguments.seed) as runner:
        measured = run_all(runner, stages, list(programs), arguments.rounds, lambda line: print(line, flush=True))
    words = [f"--size={arguments.size}", f"--rounds={arguments.rounds}"] + (["--large"] if arguments.large else [])
    words += [f"--stages={arguments.stages}"] if arguments.stages else []
    return {"date": started.strftime("%Y-%m-%d %H:%M UTC"), "machine": about, "size": arguments.size,
            "stages": [stage.name for stage in stages], "commands": ["python3 benchmarks/compare " + " ".join(words)],
            "measured": measured}


def merge(documents):
    """Runs of one build at one size as one: their rounds are numbered on."""
    whole = documents[0]
    for document in documents[1:]:
        for key, what in (("size", "size"), ("machine", "machine and commit")):
            if whole[key] != document[key]:
                raise machine.Failure(f"these are runs of another {what}: {whole[key]}, {document[key]}")
        done = max(run["round"] for run in whole["measured"])
        whole["measured"] += [run | {"round": run["round"] + done} for run in document["measured"]]
        whole["stages"] += [name for name in document["stages"] if name not in whole["stages"]]
        whole["commands"] += document["commands"]
    return whole


def with_figures(document):
    """What reports are made of: the measurements, and all that follows from them."""
    stages = [stage for stage in plan.stages(document["size"], with_large=True) if stage.name in document["stages"]]
    engines = {}
    for run in document["measured"]:
        engines.setdefault(run["engine"], run["result"]["engine"])
    programs = [f"ENGINE_bench {' '.join(f'--{name}={value}' for name, value in flags_of(stage).items())} --db=DB --json=FILE"
                for stage in stages]
    return document | {"engines": engines, "programs": programs, "rows": summary.summarise(stages, document["measured"]),
                       "disagreements": summary.disagreements(stages, document["measured"])}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write(document, out):
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(document), encoding="utf-8")
    (out / "report.html").write_text(report.render(document), encoding="utf-8")
    (out / "table.md").write_text(table.markdown(document["rows"]), encoding="utf-8")
    print(table.markdown(document["rows"]))
    print(f"report: {out / 'report.html'}")
    for line in document["disagreements"]:
        print(f"disagreement: {line}", file=sys.stderr)


def agree(paths):
    one, other = (read(path)["rows"] for path in paths)
    apart = 0
    for stage, label, ratio, second, within in summary.agreement(one, other):
        apart += not within
        print(f"{'agree' if within else 'APART':6} {stage:18} {label:40} {ratio:8.2f} {second:8.2f}")
    print(f"{apart} of the ratios are more than 10 % apart")
    return 1 if apart else 0


def main():
    arguments = parse()
    try:
        if arguments.agree:
            return agree(arguments.agree)
        document = merge([read(path) for path in arguments.results]) if arguments.results else compare(arguments)
        document = with_figures(document)
        write(document, arguments.out)
        return 1 if document["disagreements"] else 0
    except (machine.Failure, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
