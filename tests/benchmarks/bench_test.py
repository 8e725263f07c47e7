"""cambium_bench: every benchmark at a tiny size, its output lines beside db_bench's, its errors."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = ""

ALL = ("fillseq fillrandom fillsync overwrite readrandom readmissing readseq readreverse seekrandom multireadrandom "
       "readwhilewriting compact readrandom readseq readreverse deleteseq deleterandom flush waitforcompaction "
       "stats levelstats").split()

# What scripts around db_bench do: the fifth field is operations a second.
AWK = '/micros\\/op/ { if ($2 != ":" || $4 != "micros/op" || $6 != "ops/sec") exit 1; print $1, $5 }'


class Bench(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cambium-bench-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def run_bench(self, *flags, program=None):
        return subprocess.run([program or BENCH, "--db=" + os.path.join(self.dir, "db"), *flags],
                              capture_output=True, timeout=500, check=False)

    def rates(self, output):
        parsed = subprocess.run(["awk", AWK], input=output, capture_output=True, check=False)
        self.assertEqual(parsed.returncode, 0, output)
        lines = [line.split() for line in parsed.stdout.decode().splitlines()]
        return [(name, int(rate)) for name, rate in lines]

    def test_every_benchmark_runs_and_every_value_is_right(self):
        for threads in ("1", "2"):
            result = self.run_bench("--benchmarks=" + ",".join(ALL), "--num=3000", "--verify",
                                    "--histogram", "--seek_nexts=5", "--write_buffer_size=65536",
                                    "--threads=" + threads)
            self.assertEqual(result.returncode, 0, result.stderr)
            rates = self.rates(result.stdout)
            self.assertEqual([name for name, _ in rates], ALL)
            self.assertTrue(all(rate > 0 for _, rate in rates), rates)
            found = [line for line in result.stdout.decode().splitlines() if "found)" in line]
            missing = [line for line in found if line.startswith("readmissing")]
            self.assertTrue(missing and "(0 of" in missing[0], missing)
            self.assertTrue(all("(0 of" not in line for line in found if "readrandom" in line))

    @unittest.skipUnless(shutil.which("db_bench"), "rocksdb-tools is not installed")
    def test_db_bench_prints_the_same_fields(self):
        result = self.run_bench("--benchmarks=fillrandom,readrandom", "--num=1000",
                                program="db_bench")
        names = [name for name, _ in self.rates(result.stdout)]
        self.assertEqual(names, ["fillrandom", "readrandom"])

    def test_an_unknown_benchmark_is_an_error_that_names_the_nearest(self):
        result = self.run_bench("--benchmarks=fillrandm")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"did you mean 'fillrandom'?", result.stderr)

    def test_flags_are_checked(self):
        for flag in ("--no_such_flag=1", "--num=0", "--compression_type=lzma", "--key_size=3", "x"):
            result = self.run_bench(flag)
            self.assertNotEqual(result.returncode, 0, flag)
            self.assertTrue(result.stderr, flag)

    def test_a_database_can_be_used_again(self):
        self.assertEqual(self.run_bench("--benchmarks=fillseq", "--num=500").returncode, 0)
        result = self.run_bench("--benchmarks=readseq", "--num=500", "--use_existing_db", "--verify")
        self.assertIn(b" 500 operations", result.stdout)


if __name__ == "__main__":
    BENCH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
