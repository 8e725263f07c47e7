"""cambium_bench: every benchmark at a tiny size, its output beside db_bench's, its report, its flags and errors."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = ""
NUM = 3000

# In an order in which each finds what it needs.
WRITES = "fillseq fillrandom fillbatch fillsync fill100K filluniquerandom overwrite updaterandom casrandom randomtransaction".split()
READS = ("readrandom readmissing readhot readseq readreverse seekrandom seekordered multireadrandom readwhilewriting "
         "readwhilescanning seekrandomwhilewriting readrandomwriterandom").split()
UPKEEP = "flush waitforcompaction compact open".split()
PARTS = "checksum crc32c compress uncompress".split()
YCSB = "ycsbload ycsba ycsbb ycsbc ycsbd ycsbe ycsbf".split()
ALL = WRITES + READS + UPKEEP + READS + ["deleteseq", "deleterandom", "mergerandom", "fillttl"] + PARTS + YCSB

# What scripts around db_bench do: the fifth field is operations a second.
AWK = '/micros\\/op/ { if ($2 != ":" || $4 != "micros/op" || $6 != "ops/sec") exit 1; print $1, $5 }'

KEYS = {"engine", "build", "machine", "time", "command", "flags", "benchmarks"}
BENCHMARK_KEYS = {
    "name", "run", "threads", "operations", "seconds", "ops_per_second", "bytes", "found", "asked", "beside",
    "latency_micros", "latency_from", "latency_operations", "stall_seconds", "slow_operation_seconds", "cpu_seconds",
    "peak_memory_bytes", "memory_bytes", "bytes_written", "bytes_written_source", "device_bytes_written", "bytes_read",
    "write_amplification", "read_amplification", "disk_bytes", "live_bytes", "space_amplification"}


class Bench(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cambium-bench-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def try_bench(self, *flags, program=None):
        return subprocess.run([program or BENCH, "--db=" + self.path("db"), *flags],
                              capture_output=True, text=True, timeout=500, check=False)

    def run_bench(self, *flags, program=None):
        result = self.try_bench(*flags, program=program)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def report_of(self, *flags):
        self.run_bench("--json=" + self.path("report.json"), *flags)
        with open(self.path("report.json"), encoding="utf-8") as file:
            return json.load(file)

    def rates(self, output):
        parsed = subprocess.run(["awk", AWK], input=output, capture_output=True, text=True, check=False)
        self.assertEqual(parsed.returncode, 0, output)
        lines = [line.split() for line in parsed.stdout.splitlines()]
        return [(name, int(rate)) for name, rate in lines]

    def assert_plausible(self, entry):
        name = entry["name"]
        self.assertEqual(set(entry), BENCHMARK_KEYS)
        self.assertAlmostEqual(entry["operations"] / entry["seconds"], entry["ops_per_second"], delta=1, msg=name)
        latency = entry["latency_micros"]
        ordered = [latency[key] for key in ("p50", "p90", "p99", "p999", "p9999", "max")]
        self.assertEqual(ordered, sorted(ordered), name)
        self.assertLessEqual(latency["mean"], latency["max"], name)
        curve = latency["curve"]
        self.assertEqual((len(curve), curve[0], curve[-1][0]), (40, [0.5, latency["p50"]], 0.99999), name)
        self.assertEqual([us for _, us in curve], sorted(us for _, us in curve), name)
        self.assertLessEqual(latency["count"], entry["operations"], name)
        self.assertGreaterEqual(latency["count"] * entry["latency_operations"], entry["operations"], name)
        # Nothing of an operation is left out, and nothing is counted twice.
        self.assertLessEqual(latency["count"] * latency["mean"] / 1e6, entry["seconds"] * entry["threads"] * 1.02, name)
        self.assertLessEqual(entry["slow_operation_seconds"], entry["seconds"] * entry["threads"] * 1.02, name)
        cpu = entry["cpu_seconds"]
        self.assertLessEqual(cpu["background"], cpu["user"] + cpu["system"] + 1e-6, name)
        self.assertGreaterEqual(entry["peak_memory_bytes"], entry["memory_bytes"], name)
        if entry["found"] is not None:
            self.assertTrue(0 <= entry["found"] <= entry["asked"], name)
        if entry["live_bytes"]:
            self.assertAlmostEqual(entry["space_amplification"], entry["disk_bytes"] / entry["live_bytes"], msg=name)

    def test_every_benchmark_runs_and_every_value_is_right(self):
        for threads in (1, 2):
            flags = ("--benchmarks=" + ",".join(ALL + ["stats", "levelstats"]), f"--num={NUM}", "--verify",
                     "--seek_nexts=5", "--write_buffer_size=65536", f"--threads={threads}",
                     "--json=" + self.path("report.json"))
            rates = self.rates(self.run_bench(*flags).stdout)
            self.assertEqual([name for name, _ in rates], ALL)
            self.assertTrue(all(rate > 0 for _, rate in rates), rates)
            with open(self.path("report.json"), encoding="utf-8") as file:
                report = json.load(file)
            self.assertEqual(set(report), KEYS)
            self.assertEqual([entry["name"] for entry in report["benchmarks"]], ALL)
            for entry in report["benchmarks"]:
                self.assert_plausible(entry)
                if entry["name"] == "readmissing":
                    self.assertEqual(entry["found"], 0)
                elif entry["name"] in READS and entry["found"] is not None:
                    self.assertEqual(entry["found"], entry["asked"], entry["name"])  # filluniquerandom left no gap
                elif entry["name"] in YCSB[1:]:
                    self.assertEqual(entry["found"], entry["asked"], entry["name"])

    def test_live_bytes_are_those_of_the_keys(self):
        report = self.report_of("--benchmarks=fillseq,overwrite,readseq,deleteseq,fill100K", "--num=2000", "--key_size=20")
        live = {entry["name"]: entry["live_bytes"] for entry in report["benchmarks"]}
        self.assertEqual(live, {"fillseq": 240_000, "overwrite": 240_000, "readseq": 240_000, "deleteseq": 0,
                                "fill100K": 200_040})
        written = report["benchmarks"][0]
        self.assertEqual(written["bytes"], 240_000)
        self.assertGreaterEqual(written["write_amplification"], 1)
        self.assertEqual(report["benchmarks"][2]["bytes"], 240_000)

    def test_the_report_says_where_it_comes_from(self):
        report = self.report_of("--benchmarks=fillseq", "--num=100", "--seed", "7")
        self.assertEqual(report["engine"]["name"], "cambium")
        self.assertRegex(report["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("--num=100", report["command"])
        self.assertEqual({key: report["flags"][key] for key in ("num", "seed")}, {"num": "100", "seed": "7"})
        self.assertTrue(report["machine"]["cores"] > 0 and report["machine"]["file_system"])
        self.assertTrue(report["build"]["commit"])

    def test_a_warning_of_the_build_is_on_both(self):
        output = self.run_bench("--benchmarks=fillseq", "--num=10").stdout
        warnings = self.report_of("--benchmarks=fillseq", "--num=10")["build"]["warnings"]
        self.assertEqual(output.count("figures of this build mean nothing"), len(warnings))

    def test_histograms_are_printed_for_each_kind_of_operation(self):
        output = self.run_bench("--benchmarks=fillseq,readrandomwriterandom,readseq", "--num=1000", "--histogram").stdout
        tables = re.findall(r"^Microseconds per (\w+):\nCount: (\d+) Average: [\d.]+  StdDev: [\d.]+\n"
                            r"Min: \d+  Median: [\d.]+  Max: \d+\n"
                            r"Percentiles: P50: [\d.]+ P75: [\d.]+ P99: [\d.]+ P99.9: [\d.]+ P99.99: [\d.]+\n-{54}\n",
                            output, re.MULTILINE)
        self.assertEqual(tables, [("write", "1000"), ("read", "900"), ("write", "100"), ("read", "1000")])

    @unittest.skipUnless(shutil.which("db_bench"), "rocksdb-tools is not installed")
    def test_db_bench_prints_the_same_fields(self):
        flags = ("--benchmarks=fillrandom,readrandom[X2],updaterandom", "--num=1000", "--histogram=1",
                 "--compression_type=none")
        shapes = []
        for program in ("db_bench", None):
            output = self.run_bench(*flags, program=program).stdout
            names = [name for name, _ in self.rates(output)]
            self.assertEqual(names, ["fillrandom", "readrandom", "readrandom", "updaterandom"])
            lines = [line for line in output.splitlines() if "micros/op" in line or " runs] : " in line or
                     re.match(r"Microseconds|Count|Min|Percentiles", line)]
            shapes.append([re.sub(r" +", " ", re.sub(r"[\d.]+", "N", line)) for line in lines])
        self.assertEqual(shapes[0], shapes[1])

    def test_benchmarks_repeat(self):
        output = self.run_bench("--benchmarks=fillseq[W2-X3],readseq[X2],readrandom[W1]", "--num=500").stdout
        names = [name for name, _ in self.rates(output)]
        self.assertEqual(names, ["fillseq"] * 5 + ["readseq"] * 2 + ["readrandom"] * 2)
        self.assertIn("Warming up benchmark by running 2 times\n", output)
        self.assertIn("Running benchmark for 3 times\n", output)
        self.assertEqual(len(re.findall(r"^fillseq \[AVG [23] runs\] : \d+ \(± \d+\) ops/sec; +[\d.]+ "
                                        r"\(± [\d.]+\) MB/sec$", output, re.MULTILINE)), 2)
        self.assertRegex(output, r"\nfillseq \[AVG    3 runs\] : .*\nfillseq \[MEDIAN 3 runs\] : \d+ ops/sec; +[\d.]+ MB/sec\n")
        self.assertIn("\nreadseq [MEDIAN 2 runs] : ", output)
        report = self.report_of("--benchmarks=fillseq[X2-W1]", "--num=500")
        self.assertEqual([entry["run"] for entry in report["benchmarks"]], [1, 2])

    def test_operations_begin_when_they_are_due(self):
        report = self.report_of("--benchmarks=fillrandom", "--num=400", "--rate=1000", "--threads=2")
        entry = report["benchmarks"][0]
        self.assertEqual(entry["latency_from"], "intended start")
        self.assertEqual(entry["operations"], 800)
        self.assertEqual(entry["latency_micros"]["count"], 800)
        self.assertGreater(entry["seconds"], 0.79)
        # More than any engine can do: the later an operation, the longer it has waited.
        report = self.report_of("--benchmarks=fillrandom,compact", "--num=20000", "--rate=1000000000")
        entry, compact = report["benchmarks"]
        self.assertGreater(entry["latency_micros"]["max"], entry["seconds"] * 1e6 * 0.9)
        self.assertEqual(compact["latency_from"], "call")

    def test_writes_keep_to_their_limit(self):
        report = self.report_of("--benchmarks=fillrandom", "--num=1000", "--benchmark_write_rate_limit=232000")
        self.assertGreater(report["benchmarks"][0]["seconds"], 0.49)

    def test_a_duration_ends_random_benchmarks(self):
        report = self.report_of("--benchmarks=fillrandom,fillseq,readrandom,ycsbload,ycsba", "--num=1000", "--duration=0.2")
        for entry in report["benchmarks"]:
            if entry["name"] in ("fillseq", "ycsbload"):
                self.assertEqual(entry["operations"], 1000)
            else:
                self.assertGreaterEqual(entry["seconds"], 0.2, entry["name"])
                self.assertGreater(entry["operations"], 1000, entry["name"])
        report = self.report_of("--benchmarks=fillseq,readrandom", "--num=1000", "--duration=60", "--reads=50")
        self.assertEqual(report["benchmarks"][1]["operations"], 50)

    def test_intervals_are_reported(self):
        result = self.run_bench("--benchmarks=fillrandom", "--num=100", "--duration=2.5", "--report_interval_seconds=1",
                                "--report_file=" + self.path("rates.csv"), "--stats_interval_seconds=1", "--threads=2")
        with open(self.path("rates.csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["secs_elapsed", "interval_qps"])
        self.assertEqual([row[0] for row in rows[1:3]], ["1", "2"])
        self.assertTrue(all(int(row[1]) > 0 for row in rows[1:]), rows)
        self.assertRegex(result.stderr, r"thread 1: \(\d+,\d+\) ops and \([\d.]+,[\d.]+\) ops/second in \(1\.0+,2\.0+\)")

    def test_values_of_many_sizes(self):
        for distribution in ("uniform", "normal"):
            report = self.report_of("--benchmarks=filluniquerandom,readseq,readreverse,readrandom", "--num=2000", "--verify",
                                    "--value_size_distribution_type=" + distribution, "--value_size_min=10",
                                    "--value_size_max=1000")
            filled, forward, backward, _ = report["benchmarks"]
            self.assertTrue(filled["bytes"] == filled["live_bytes"] == forward["bytes"] == backward["bytes"])
            self.assertAlmostEqual(filled["bytes"] / 2000, 16 + 505, delta=30)

    def test_batches_are_one_latency_each(self):
        report = self.report_of("--benchmarks=fillrandom,fillbatch,multireadrandom", "--num=3000", "--batch_size=10", "--verify")
        for entry, size in zip(report["benchmarks"], (10, 1000, 10)):
            self.assertEqual((entry["operations"], entry["latency_operations"]), (3000, size))
            self.assertEqual(entry["latency_micros"]["count"], 3000 // size)

    def test_scans_can_go_backwards(self):
        flags = ("--benchmarks=fillseq,seekrandom", "--num=2000", "--verify", "--seek_nexts=3")
        forward = self.report_of(*flags)["benchmarks"][1]
        backward = self.report_of(*flags, "--reverse_iterator")["benchmarks"][1]
        self.assertEqual(backward["found"], 2000)
        self.assertAlmostEqual(forward["bytes"], backward["bytes"], delta=116 * 60)

    def test_durability_is_passed_on(self):
        for flags in (["--sync"], ["--disable_wal"]):
            report = self.report_of("--benchmarks=fillrandom", "--num=20", "--statistics", *flags)
            self.assertEqual(report["benchmarks"][0]["operations"], 20)
        refused = self.try_bench("--sync", "--disable_wal")
        self.assertEqual(refused.returncode, 2)

    def test_an_unknown_name_is_an_error_that_tells_the_nearest(self):
        for flags, nearest in ((["--benchmarks=fillrandm"], "'fillrandom'"), (["--benchmarks=ycsbx"], "'ycsb"),
                               (["--value_sise=3"], "--value_size"), (["-thread", "2"], "--threads")):
            result = self.try_bench(*flags)
            self.assertEqual(result.returncode, 2)
            self.assertIn("did you mean " + nearest, result.stderr)

    def test_help_names_every_flag_of_ours_and_version_the_engine(self):
        help_text = self.run_bench("--help")
        self.assertEqual(help_text.returncode, 0)
        for flag in ("--benchmarks\n", "--num\n", "--json\n", "--rate\n", "[16]"):
            self.assertIn(flag, help_text.stdout)
        version = self.run_bench("--version")
        self.assertEqual((version.returncode, version.stdout), (0, "cambium_bench: cambium 1.0.0\n"))

    def test_flags_are_checked(self):
        for flag in ("--num=0", "--key_size=3", "--threads=0", "--batch_size=0", "--readwritepercent=101", "--rate=-1",
                     "--value_size_distribution_type=pareto", "--compression_ratio=0", "--num=many", "x",
                     "--benchmarks=fillseq[", "--benchmarks=fillseq[X0]", "--benchmarks=fillseq[Y2]"):
            result = self.try_bench(flag)
            self.assertNotEqual(result.returncode, 0, flag)
            self.assertTrue(result.stderr, flag)

    def test_what_cannot_be_is_an_error_in_the_report_too(self):
        with open(self.path("db"), "w", encoding="utf-8"):
            pass
        result = self.try_bench("--benchmarks=readseq", "--json=" + self.path("report.json"))
        self.assertEqual(result.returncode, 1)
        with open(self.path("report.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertTrue(report["error"])
        self.assertEqual(report["benchmarks"], [])
        self.assertEqual(self.try_bench("--compression_type=lzma").returncode, 1)
        self.assertEqual(self.try_bench("--benchmarks=stats", "--json=" + self.path("no/such/file")).returncode, 1)

    def test_flags_without_meaning_are_noted(self):
        output = self.run_bench("--benchmarks=fillseq", "--num=10", "--block_size=4096", "--open_files=5", "--mmap_read").stdout
        for flag in ("block_size", "open_files", "mmap_read"):
            self.assertIn(f"note: --{flag} means nothing to cambium\n", output)

    def test_a_database_can_be_used_again(self):
        self.run_bench("--benchmarks=fillseq", "--num=500")
        output = self.run_bench("--benchmarks=fillseq,readseq", "--num=500", "--use_existing_db", "--verify").stdout
        self.assertIn("fillseq      : skipped (--use_existing_db is true)\n", output)
        self.assertIn(" 500 operations", output)

    def test_a_database_to_be_used_again_must_be_there(self):
        for benchmarks in ("readrandom", "readseq", "overwrite", "ycsbc", "open", "stats"):
            result = self.try_bench("--benchmarks=" + benchmarks, "--use_existing_db=1", "--num=100")
            self.assertEqual(result.returncode, 1, benchmarks)
            self.assertIn("there is no database at " + self.path("db"), result.stderr)
            self.assertNotIn("ops/sec", result.stdout)
            self.assertFalse(os.path.exists(self.path("db")))

    def test_a_benchmark_whose_operations_fail_reports_no_rate(self):
        for fill, benchmarks in (
                ("fillrandom", "readrandom readhot readmissing multireadrandom readwhilescanning readseq readreverse "
                 "seekrandom seekordered readwhilewriting readrandomwriterandom seekrandomwhilewriting updaterandom casrandom"),
                ("ycsbload", "ycsbc ycsbe ycsbd ycsbb ycsba ycsbf")):
            self.run_bench(f"--benchmarks={fill},compact", "--num=20000")
            self.damage_tables()
            self.check_that_all_fail(benchmarks.split())

    def damage_tables(self):
        """The blocks of data; not the end, without which the database does not open."""
        for name in os.listdir(self.path("db")):
            if name.endswith(".sst"):
                with open(os.path.join(self.path("db"), name), "r+b") as file:
                    for offset in range(0, os.path.getsize(file.name) * 3 // 4, 512):
                        file.seek(offset)
                        file.write(b"damage")

    def check_that_all_fail(self, benchmarks):
        for benchmark in benchmarks:
            result = self.try_bench("--benchmarks=" + benchmark, "--use_existing_db", "--num=20000", "--reads=20000",
                                    "--writes=2000")
            with self.subTest(benchmark):
                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                self.assertNotIn("ops/sec", result.stdout)
                self.assertIn("error: ", result.stderr)

    def test_lost_output_is_an_error(self):
        for flags in (["--benchmarks=fillseq", "--num=10"], ["--help"], ["--version"],
                      ["--benchmarks=fillrandom", "--num=10", "--report_interval_seconds=1", "--report_file=/dev/full",
                       "--duration=1.5"]):
            stream = subprocess.PIPE if "--report_file=/dev/full" in flags else open("/dev/full", "wb")
            result = subprocess.run([BENCH, "--db=" + self.path("db"), *flags], stdout=stream, stderr=subprocess.PIPE,
                                    timeout=100, check=False)
            self.assertEqual(result.returncode, 1, flags)

    def test_a_crash_leaves_what_was_written(self):
        crashed = self.try_bench("--benchmarks=fillseq,crash", "--num=500")
        self.assertEqual(crashed.returncode, -9)
        output = self.run_bench("--benchmarks=open,readseq", "--num=500", "--use_existing_db", "--verify").stdout
        self.assertIn(" 500 operations", output)


if __name__ == "__main__":
    BENCH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
