"""What is measured: stages, each a run of one benchmark program, made of steps.

All engines get the same stages, keys, values and sizes. In the matched profile they get the same memory, filter bits,
background threads and no compression too; in the default profile each keeps its own.
"""

from dataclasses import dataclass, field

MIB = 1 << 20

# Asked of every engine in the matched profile.
MATCHED = {
    "write_buffer_size": 64 * MIB,
    "cache_size": 512 * MIB,
    "bloom_bits": 10,
    "compression_type": "none",
    "max_background_jobs": 2,
}

SIZES = {"tiny": 2_000, "small": 200_000, "full": 3_000_000}
LARGE_KEYS = 15_000_000
# The others would take an hour.
LARGE_ENGINES = ("cambium", "rocksdb", "leveldb", "lmdb")


@dataclass(frozen=True)
class Step:
    """One benchmark of a stage. Steps without a label are not reported."""
    benchmark: str
    label: str = ""
    # Whether the number of keys found, and of entries there, must be the same for all engines.
    checked: bool = True
    # What is reported and compared: a key of summary.METRICS. Of "rate" more is better, of the others less.
    figure: str = "rate"
    # Work that some engines do not have, so that a ratio means nothing.
    upkeep: bool = False


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    steps: tuple
    flags: dict = field(default_factory=dict)
    profile: str = "matched"
    on_disk: bool = False
    engines: tuple = ()  # empty: all
    keeps_database: bool = False  # goes on with what the stage before left
    ends_by_crash: bool = False
    repeats: bool = True  # in every round, or in the first alone


def settle(after):
    """What the engine still does in the background after a benchmark."""
    return Step("waitforcompaction", f"settle after {after}", checked=False, figure="seconds", upkeep=True)


# Operations that a step repeats, where the keys allow: fewer take too short a time to be seen twice alike.
READS = 500_000
YCSB_OPERATIONS = 100_000


def one_thread(keys, profile="matched"):
    matched = profile == "matched"
    scan = f"[W1-X{3 if keys >= 1_000_000 else 15}]"  # a short scan is over in milliseconds
    return Stage(
        name="one-thread" if matched else "defaults", profile=profile, repeats=matched,
        title="One thread" if matched else "One thread, each engine with its own defaults",
        flags={"num": keys, "reads": min(keys, READS), "writes": keys, "seek_nexts": 10, "threads": 1},
        steps=(
            Step("fillrandom", "fillrandom"),
            settle("fillrandom"),
            Step("readrandom", "readrandom, as left"),
            Step("readmissing", "readmissing"),
            Step("seekrandom", "seek + 10 next, as left"),
            Step("readseq" + scan, "readseq, as left"),
            Step("readreverse" + scan, "readreverse, as left"),
            Step("overwrite", "overwrite"),
            settle("overwrite"),
            Step("compact", "compact", figure="seconds", upkeep=True),
            Step("readrandom"),  # fills the cache
            Step("readrandom", "readrandom, compacted"),
            Step("multireadrandom", "multiget of 32, compacted"),
            Step("seekrandom", "seek + 10 next, compacted"),
            Step("readseq" + scan, "readseq, compacted"),
            Step("readreverse" + scan, "readreverse, compacted"),
            Step("readwhilewriting", "readwhilewriting, the reader", checked=False),
        ))


def two_threads(keys):
    return Stage(
        name="two-threads", title="Two threads",
        flags={"num": keys, "reads": min(keys, READS // 2), "writes": keys // 2, "threads": 2},
        steps=(
            Step("fillseq", "fillseq, 2 threads"),
            Step("fillrandom", "fillrandom, 2 threads"),
            settle("fillrandom, 2 threads"),
            Step("readrandom", "readrandom, 2 threads"),
        ))


def ycsb(keys):
    count = min(keys, YCSB_OPERATIONS)
    operations = {"num": keys, "reads": count, "writes": count, "threads": 1}
    limit = {"duration": 10}
    return (
        Stage(name="ycsb-load", title="YCSB", flags={"num": keys, "threads": 1},
              steps=(Step("ycsbload", "YCSB load"), settle("YCSB load"))),
        Stage(name="ycsb", title="YCSB", flags=operations | limit, keeps_database=True,
              steps=tuple(Step(f"ycsb{letter}", f"YCSB {letter.upper()}", checked=False) for letter in "cabfde")))


def open_loop(keys, rate):
    return Stage(
        name="open-loop", title=f"Writes that arrive {rate:,} a second",
        flags={"num": keys, "threads": 1, "writes": keys},
        steps=(Step("fillrandom"),
               Step("waitforcompaction", checked=False))), Stage(
        name="open-loop-writes", title=f"Writes that arrive {rate:,} a second, whatever the engine does",
        flags={"num": keys, "threads": 1, "rate": rate, "writes": keys}, keeps_database=True,
        steps=(Step("overwrite", f"p99.9 of an overwrite, {rate:,} a second", figure="p999"),))


def recovery(keys):
    """64 MiB of log at the full size; nothing is flushed before the end."""
    buffer = {"write_buffer_size": 256 * MIB}
    return (
        Stage(name="crash", title="Open after an unclean end", ends_by_crash=True,
              flags={"num": keys, "threads": 1} | buffer, steps=(Step("fillrandom"), Step("crash"))),
        Stage(name="reopen", title="Open after an unclean end", keeps_database=True,
              flags={"num": keys, "reads": 1, "threads": 1} | buffer,
              steps=(Step("open", "open after an unclean end", figure="seconds"),)))


def disk(keys):
    return Stage(
        name="disk", title="On the disk", on_disk=True,
        flags={"num": keys, "reads": min(keys, READS // 3), "threads": 1},
        steps=(
            Step("fillrandom", "fillrandom, on disk"),
            settle("fillrandom, on disk"),
            Step("readrandom", "readrandom, on disk"),
            Step("fillsync", "fillsync, on disk", checked=False),
        ))


def large(keys):
    return Stage(
        name="large", title=f"{keys // 1_000_000} M unique keys, more than the cache holds", repeats=False,
        engines=LARGE_ENGINES,
        flags={"num": keys, "reads": keys // 30, "writes": keys, "threads": 1},
        steps=(
            Step("filluniquerandom", "load of 15 M"),
            settle("load of 15 M"),
            Step("readrandom", "readrandom, cache smaller than data"),
            Step("overwrite", "overwrite of 15 M"),
            settle("overwrite of 15 M"),
        ))


def stages(size, with_large):
    keys = SIZES[size]
    rate = {"tiny": 2_000, "small": 50_000, "full": 50_000}[size]
    part = max(keys // 3, 100)
    plan = [one_thread(keys), two_threads(part), *ycsb(part), *open_loop(part // 2, rate),
            *recovery(min(keys, 64 * MIB // 116)), disk(part), one_thread(part, profile="defaults")]
    if with_large:
        plan.append(large(LARGE_KEYS))
    return plan
