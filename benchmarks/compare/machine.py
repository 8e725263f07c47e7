"""The machine and the programs: what is there, built and free."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("cambium", "rocksdb", "leveldb", "lmdb", "wiredtiger", "sqlite")


class Failure(Exception):
    """One line for the user."""


def install():
    """What the build and the peers need, from Debian's archive."""
    _run([str(ROOT / "tools" / "setup"), "bench", "peers"])


def build(folder):
    """Configures and builds a release of the benchmark programs in `folder`."""
    # A peer that is not installed has no target: what is there is known after the first command alone.
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DCAMBIUM_BUILD_TESTS=OFF", "-DCAMBIUM_BUILD_SHARED=OFF", "-DCAMBIUM_BUILD_EXAMPLES=OFF"]
    _run(configure)
    targets = subprocess.run(["ninja", "-C", str(folder), "-t", "targets", "all"], capture_output=True, text=True,
                             check=True).stdout
    wanted = [f"{name}_bench" for name in ENGINES if f"{name}_bench: phony" in targets]
    _run(["ninja", "-C", str(folder), *wanted])


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def find_programs(folder, wanted):
    """{engine: program} of those that were built; the others are named on stdout."""
    programs = {}
    for name in wanted:
        program = Path(folder) / "benchmarks" / f"{name}_bench"
        if program.exists():
            programs[name] = program
        else:
            print(f"note: {name} is left out: its package is not installed (--install brings it)")
    if not programs:
        raise Failure(f"no benchmark program in {folder}/benchmarks")
    return programs


def need_space(folder, bytes_wanted):
    free = shutil.disk_usage(folder).free
    if free < bytes_wanted:
        raise Failure(f"{folder} has {free >> 20} MiB free, and this run may need {bytes_wanted >> 20} MiB")


def describe():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": model, "cores": os.cpu_count(), "memory_bytes": memory, "kernel": platform.release(),
            "commit": commit or "unknown"}
