"""Runs the stages: engine after engine within a stage, stage after stage, round after round."""

import json
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from machine import Failure
from plan import MATCHED

TIMEOUT_SECONDS = 3600


def flags_of(stage):
    flags = dict(MATCHED) if stage.profile == "matched" else {}
    flags.update(stage.flags)
    flags["benchmarks"] = ",".join(step.benchmark for step in stage.steps)
    if stage.keeps_database:
        flags["use_existing_db"] = "true"
    return flags


class Runner:
    """Holds the folders that databases and results are in. Use as a context."""

    def __init__(self, programs, memory_folder, disk_folder, seed):
        self._programs = programs
        self._parents = {False: memory_folder, True: disk_folder}
        self._seed = seed

    def __enter__(self):
        self._folders = {on_disk: Path(tempfile.mkdtemp(prefix="cambium-compare-", dir=parent))
                         for on_disk, parent in self._parents.items()}
        return self

    def __exit__(self, *unused):
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)

    def measure(self, stage, engine):
        """One run of one engine's program; answers its JSON."""
        folder = self._folders[stage.on_disk]
        database = folder / engine
        result = folder / "result.json"
        result.unlink(missing_ok=True)
        if not stage.keeps_database:
            shutil.rmtree(database, ignore_errors=True)
        flags = flags_of(stage) | {"db": database, "seed": self._seed, "json": result}
        command = [str(self._programs[engine])] + [f"--{name}={value}" for name, value in flags.items()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
        if stage.ends_by_crash:
            if done.returncode != -signal.SIGKILL:
                raise Failure(f"{' '.join(command)} was to end by SIGKILL and answered {done.returncode}:\n{done.stderr}")
            return None
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
        return json.loads(result.read_text(encoding="utf-8"))

    def drop(self, stage, engine):
        shutil.rmtree(self._folders[stage.on_disk] / engine, ignore_errors=True)


def run_all(runner, plan, engines, rounds, say):
    """All measurements: [{stage, profile, round, engine, result}]."""
    measured = []
    for number in range(1, rounds + 1):
        stages = [stage for stage in plan if stage.repeats or number == 1]
        for index, stage in enumerate(stages):
            # Another engine begins each round, so that none always runs on the machine that another has warmed.
            turn = (number - 1) % len(engines)
            for engine in engines[turn:] + engines[:turn]:
                if stage.engines and engine not in stage.engines:
                    continue
                say(f"round {number} of {rounds}: {stage.name}: {engine}")
                result = runner.measure(stage, engine)
                if result is not None:
                    measured.append({"stage": stage.name, "profile": stage.profile, "round": number, "engine": engine,
                                     "result": result})
                follower = stages[index + 1] if index + 1 < len(stages) else None
                if follower is None or not follower.keeps_database:
                    runner.drop(stage, engine)
    return measured
