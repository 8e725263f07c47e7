"""benchmarks/compare: its arithmetic on programs whose figures are known, and a tiny run of the real ones."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ""

# A benchmark program whose rate is RATE operations a second and that finds FOUND keys.
FAKE = '''#!/usr/bin/env python3
import json, os, re, signal, sys
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
entries = []
for benchmark in flags["benchmarks"].split(","):
    if benchmark == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    name = benchmark.split("[")[0]
    repeats = int((re.findall(r"X([0-9]+)", benchmark) or [1])[0])
    for run in range(1, repeats + 1):
        curve = [[q, 1e6 / RATE * (1 + q)] for q in (0.5, 0.9, 0.99, 0.999)]
        entries.append({"name": name, "run": run, "threads": 1, "operations": 1000, "seconds": 1000 / RATE,
            "ops_per_second": RATE, "bytes": 116000, "found": FOUND, "asked": 1000,
            "latency_micros": {"count": 1000, "mean": 1, "p50": 1, "p90": 1, "p99": 2, "p999": 3, "p9999": 4, "max": 5,
                               "curve": curve},
            "latency_from": "call", "stall_seconds": None, "slow_operation_seconds": 0,
            "cpu_seconds": {"user": 1, "system": 0.5, "background": 0.25}, "peak_memory_bytes": 1 << 20,
            "memory_bytes": 1 << 19, "bytes_written": 232000, "bytes_written_source": "engine", "device_bytes_written": 0,
            "bytes_read": 1, "write_amplification": 2, "read_amplification": 1, "disk_bytes": 1, "live_bytes": 116000,
            "space_amplification": 1.5})
json.dump({"engine": {"name": "x", "version": "1", "remarks": "<fake>"}, "benchmarks": entries}, open(flags["json"], "w"))
'''


class Compare(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="cambium-compare-test-"))
        self.addCleanup(shutil.rmtree, self.dir, True)

    def compare(self, *arguments):
        return subprocess.run([sys.executable, str(ROOT / "benchmarks" / "compare"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=500, check=False)

    def fake(self, engine, rate, found=632):
        programs = self.dir / "build" / "benchmarks"
        programs.mkdir(parents=True, exist_ok=True)
        program = programs / f"{engine}_bench"
        program.write_text(FAKE.replace("RATE", str(rate)).replace("FOUND", str(found)))
        program.chmod(0o755)

    def run_fakes(self, out, *more):
        return self.compare("--build", self.dir / "build", "--memory", self.dir, "--disk", self.dir, "--size=tiny",
                            "--out", out, *more)

    def test_ratios_are_ours_by_the_best_peer(self):
        self.fake("cambium", 3000)
        self.fake("rocksdb", 1000)
        self.fake("lmdb", 2000)
        result = self.run_fakes(self.dir / "out", "--rounds=3")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("note: leveldb is left out: its package is not installed", result.stdout)
        document = json.loads((self.dir / "out" / "results.json").read_text())
        row = next(row for row in document["rows"] if row["label"] == "readseq, as left")
        self.assertEqual((row["best_peer"], row["ratio"], row["ratios"]), ("lmdb", 1.5, [1.5, 1.5, 1.5]))
        self.assertEqual(row["engines"]["cambium"]["rate"]["values"], [3000] * 45)
        fill = next(row for row in document["rows"] if row["label"] == "fillrandom")
        self.assertEqual(fill["engines"]["rocksdb"]["settled_write_amplification"]["median"], 4)
        self.assertIn("| fillrandom: bytes written a byte | 4.00 (1.00) |", (self.dir / "out" / "table.md").read_text())
        settle = next(row for row in document["rows"] if row["upkeep"])
        self.assertIsNone(settle["ratio"])
        table = (self.dir / "out" / "table.md").read_text()
        self.assertIn("| readmissing | 3.00 k (1.50) | 1.00 k (0.50) | **2.00 k (1.00)** |", table)

    def test_the_report_needs_nothing_but_itself(self):
        self.fake("cambium", 3000)
        self.fake("rocksdb", 1000)
        self.assertEqual(self.run_fakes(self.dir / "out").returncode, 0)
        page = (self.dir / "out" / "report.html").read_text()
        for absent in ("http:", "https:", "<script", "<link", "src=", str(self.dir), "<fake>"):
            self.assertNotIn(absent, page)
        for present in ("3.00 × RocksDB", "prefers-color-scheme: dark", "--benchmarks=fillrandom", "&lt;fake&gt;"):
            self.assertIn(present, page)
        again = self.compare("--from", self.dir / "out" / "results.json", "--out", self.dir / "again")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual((self.dir / "again" / "report.html").read_text(), page)

    def test_runs_of_one_build_are_put_together(self):
        for out, rate in (("one", 3000), ("two", 5000)):
            self.fake("cambium", rate)
            self.fake("rocksdb", 1000)
            self.assertEqual(self.run_fakes(self.dir / out, "--rounds=1").returncode, 0)
        results = [self.dir / out / "results.json" for out in ("one", "two")]
        self.assertEqual(self.compare("--from", *results, "--out", self.dir / "both").returncode, 0)
        document = json.loads((self.dir / "both" / "results.json").read_text())
        row = next(row for row in document["rows"] if row["label"] == "readmissing")
        self.assertEqual((row["ratio"], row["ratios"]), (4, [3, 5]))
        other = json.loads(results[1].read_text())
        other["machine"]["commit"] = "another"
        results[1].write_text(json.dumps(other))
        refused = self.compare("--from", *results, "--out", self.dir / "both")
        self.assertEqual(refused.returncode, 3)
        self.assertIn("another machine and commit", refused.stderr)

    def test_a_wrong_answer_of_an_engine_is_seen(self):
        self.fake("cambium", 3000)
        self.fake("rocksdb", 1000, found=631)
        result = self.run_fakes(self.dir / "out")
        self.assertEqual(result.returncode, 1)
        self.assertIn("disagreement: one-thread: readrandom: (found, asked, live bytes) differ", result.stderr)

    def test_two_runs_are_held_against_each_other(self):
        for out, rate in (("one", 3000), ("two", 3200), ("three", 3400)):
            self.fake("cambium", rate)
            self.fake("rocksdb", 1000)
            self.assertEqual(self.run_fakes(self.dir / out, "--rounds=1").returncode, 0)
        results = [self.dir / out / "results.json" for out in ("one", "two", "three")]
        self.assertEqual(self.compare("--agree", results[0], results[1]).returncode, 0)
        apart = self.compare("--agree", results[0], results[2])
        self.assertEqual(apart.returncode, 1)
        self.assertIn("APART  one-thread", apart.stdout)

    def test_wrong_arguments_are_named(self):
        for arguments, word in ((["--engines=mysql"], "mysql"), (["--stages=x"], "x"), (["--rounds=0"], "--rounds"),
                                (["--size=huge"], "huge")):
            result = self.compare(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(word, result.stderr)

    def test_a_program_that_fails_is_named_with_its_error(self):
        self.fake("cambium", 3000)
        program = self.dir / "build" / "benchmarks" / "cambium_bench"
        program.write_text("#!/bin/sh\necho 'error: no space' >&2\nexit 1\n")
        result = self.run_fakes(self.dir / "out")
        self.assertEqual(result.returncode, 3)
        self.assertIn("error: no space", result.stderr)
        self.assertEqual(list(self.dir.glob("cambium-compare-*")), [])

    def test_the_real_programs_agree_on_what_they_find(self):
        out = self.dir / "out"
        result = self.compare("--build", BUILD, "--memory", self.dir, "--disk", self.dir, "--size=tiny", "--rounds=1",
                              "--out", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        document = json.loads((out / "results.json").read_text())
        self.assertIn("cambium", document["engines"])
        labels = [row["label"] for row in document["rows"]]
        for label in ("fillrandom", "readseq, compacted", "YCSB E", "open after an unclean end", "fillsync, on disk"):
            self.assertIn(label, labels)
        for row in document["rows"]:
            for engine, figures in row["engines"].items():
                self.assertGreater(figures["rate"]["median"], 0, (row["label"], engine))


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
