"""Scan, dump and load: round trips, other programs' dumps, damaged inputs, closed pipes."""
import os
import random
import shutil
import subprocess
import unittest

import harness
from harness import ToolTest

FORMATS = ("tsv", "jsonl", "bdb", "bdb-print")


def bdb(records):
    lines = ["VERSION=3", "format=bytevalue", "type=btree", "HEADER=END"]
    for key, value in records:
        lines += [" " + key.hex(), " " + value.hex()]
    return ("\n".join(lines + ["DATA=END"]) + "\n").encode()


def random_records(count, seed=7):
    source = random.Random(seed)
    keys = {source.randbytes(source.randrange(1, 30)) for _ in range(count)}
    return [(key, source.randbytes(source.randrange(0, 200))) for key in sorted(keys)]


class RoundTrips(ToolTest):
    def test_every_format_gives_back_every_byte(self):
        dump = bdb(random_records(2000))
        self.out("load", "db", data=dump)
        self.assertEqual(self.out("dump", "db"), dump)
        for name in FORMATS:
            text = self.out("dump", "db", "--format", name)
            result = self.expect(0, "load", "copy-" + name, data=text)
            self.assertIn(b"note: read as ", result.stderr)
            self.assertEqual(self.out("dump", "copy-" + name), dump, name)

    def test_files_and_ranges(self):
        self.out("load", "db", data="a\t1\nb\t2\nc\t3\n")
        self.out("dump", "db", "part.dump", "--from", "b", "--to", "c")
        self.out("load", "part", "part.dump", "--sync")
        self.assertEqual(self.out("scan", "part"), b"b\t2\n")

    def test_a_large_value(self):
        dump = bdb([(b"k", os.urandom(3 << 20))])
        self.out("load", "db", data=dump)
        self.assertEqual(self.out("dump", "db"), dump)

    @unittest.skipUnless(shutil.which("mdb_load"), "lmdb-utils is not installed")
    def test_lmdb(self):
        # LMDB takes neither empty keys nor keys over 511 bytes.
        dump = bdb(random_records(500))
        self.out("load", "db", data=dump)
        os.mkdir(self.path("lmdb"))
        self.pipe(["mdb_load", "lmdb"], data=self.out("dump", "db"))
        self.out("load", "copy", data=self.pipe(["mdb_dump", "lmdb"]))
        self.assertEqual(self.out("dump", "copy"), dump)
        os.mkdir(self.path("lmdb2"))
        self.pipe(["mdb_load", "lmdb2"], data=self.out("dump", "db", "--format", "bdb-print"))
        # Not with -p: LMDB 0.9's print form leaves backslashes as they are, which nobody can read back.
        self.out("load", "copy2", data=self.pipe(["mdb_dump", "lmdb2"]))
        self.assertEqual(self.out("dump", "copy2"), dump)

    @unittest.skipUnless(shutil.which("db5.3_load"), "db5.3-util is not installed")
    def test_berkeley_db(self):
        dump = bdb(random_records(500))
        self.out("load", "db", data=dump)
        for name, flags in (("bdb", []), ("bdb-print", ["-p"])):
            self.pipe(["db5.3_load", name + ".db"], data=self.out("dump", "db", "--format", name))
            self.out("load", name, data=self.pipe(["db5.3_dump", *flags, name + ".db"]))
            self.assertEqual(self.out("dump", name), dump, name)


class Damage(ToolTest):
    def test_a_dump_cut_anywhere_is_an_error(self):
        dump = bdb([(b"key1", b"value1"), (b"key2", b"value2")])
        for size in range(0, len(dump), 3):
            with self.subTest(size=size):
                result = self.expect(4, "load", f"db{size}", data=dump[:size] or b" ")
                self.assertIn(b"standard input:", result.stderr)

    def test_what_came_before_stays_and_is_counted(self):
        result = self.expect(4, "load", "db", data="a\t1\nb\t2\nbroken\n")
        self.assertIn(b"2 records loaded", result.stderr)
        self.assertIn(b"standard input:3:", result.stderr)
        self.assertEqual(self.out("count", "db"), b"2\n")

    def test_a_line_that_ends_early_is_an_error(self):
        self.expect(4, "load", "db", data="a\t1\nb\t2")
        self.assertEqual(self.out("count", "db"), b"1\n")

    def test_a_closed_pipe_ends_a_dump_quietly(self):
        self.out("load", "db", data="".join(f"{i:07}\t{i}\n" for i in range(60000)))
        with subprocess.Popen([harness.TOOL, "dump", "db"], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as dump:
            self.assertEqual(dump.stdout.readline(), b"VERSION=3\n")
            dump.stdout.close()
            self.assertEqual(dump.stderr.read(), b"")
            self.assertEqual(dump.wait(60), 0)

    @unittest.skipIf("CAMBIUM_SANITIZE" in os.environ, "a sanitizer takes memory of its own")
    def test_memory_does_not_grow_with_the_input(self):
        line = "x" * 200
        data = "".join(f"{i:08}\t{line}\n" for i in range(300000))
        self.out("load", "db", data=data)
        self.out("compact", "db")  # otherwise the log's tail is replayed into memtables
        with subprocess.Popen([harness.TOOL, "dump", "db", "--format", "tsv"], cwd=self.dir,
                              stdout=subprocess.PIPE) as dump:
            dumped = len(dump.stdout.read(len(data) * 3 // 4))
            with open(f"/proc/{dump.pid}/status", encoding="ascii") as status:
                peak = [line for line in status if line.startswith("VmHWM:")][0]
            self.assertEqual(dumped + len(dump.stdout.read()), len(data))
        self.assertLess(int(peak.split()[1]) * 1024, len(data) / 2)



if __name__ == "__main__":
    harness.run("__main__")
