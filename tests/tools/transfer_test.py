"""Scan, dump and load: round trips, other programs' dumps, damaged inputs, closed pipes."""
import os
import random
import shutil
import subprocess
import unittest

import harness
from harness import ToolTest

FORMATS = ("tsv", "jsonl", "bdb", "bdb-print", "mdb")
# More than LMDB's default map of 1 MiB holds, several times over.
MANY = 500_000 if "CAMBIUM_SANITIZE" not in os.environ else 60_000


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

    @unittest.skipUnless(shutil.which("mdb_load") and shutil.which("db5.3_load"), "lmdb-utils or db5.3-util is missing")
    def test_many_records_go_to_lmdb_and_berkeley_db_and_back(self):
        self.out("load", "db", data="".join(f"{i:07x}\t{i * 2654435761 % 2**32:08x}\n" for i in range(MANY)))
        dump = self.out("dump", "db")
        self.assertEqual(dump.count(b"\n"), 2 * MANY + 5)
        os.mkdir(self.path("lmdb"))
        self.pipeline([harness.TOOL, "dump", "db", "--format", "mdb"], ["mdb_load", "lmdb"])
        self.pipeline(["mdb_dump", "lmdb"], [harness.TOOL, "load", "from-lmdb"])
        self.assertTrue(self.out("dump", "from-lmdb") == dump)
        self.pipeline([harness.TOOL, "dump", "db"], ["db5.3_load", "berkeley.db"])
        self.pipeline(["db5.3_dump", "berkeley.db"], [harness.TOOL, "load", "from-berkeley"])
        self.assertTrue(self.out("dump", "from-berkeley") == dump)

    @unittest.skipUnless(shutil.which("mdb_load"), "lmdb-utils is not installed")
    def test_lmdb_takes_long_keys_and_values_and_what_it_cannot_is_refused(self):
        source = random.Random(3)
        records = {source.randbytes(source.choice((1, 40, 511))): source.randbytes(source.choice((0, 1900, 2100, 70000)))
                   for _ in range(600)}
        dump = bdb(sorted(records.items()))
        self.out("load", "db", data=dump)
        os.mkdir(self.path("lmdb"))
        self.pipeline([harness.TOOL, "dump", "db", "--format", "mdb"], ["mdb_load", "lmdb"])
        self.pipeline(["mdb_dump", "lmdb"], [harness.TOOL, "load", "copy"])
        self.assertTrue(self.out("dump", "copy") == dump)
        for key in ("", "k" * 512):
            self.out("put", "other" + key[:1], key, "v")
            result = self.expect(7, "dump", "other" + key[:1], "--format", "mdb")
            self.assertEqual(result.stdout, b"")
            self.assertIn(b"LMDB holds keys of 1 to 511 bytes", result.stderr)
        self.assertIn(b"\nmapsize=", self.out("scan", "otherk", "--format", "mdb", "--limit", "0"))

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


class Sections(ToolTest):
    """Dumps that say more than a database can represent, by the programs that write them."""

    @unittest.skipUnless(shutil.which("mdb_load"), "lmdb-utils is not installed")
    def test_named_databases_of_lmdb(self):
        os.mkdir(self.path("lmdb"))
        for name, value in ((b"people", b"Ada"), (b"places", b"Rome")):
            dump = bdb([(b"1", value)]).replace(b"type=", b"mapsize=10485760\ndatabase=" + name + b"\ntype=")
            self.pipe(["mdb_load", "-s", name.decode(), "lmdb"], data=dump)
        dump = self.pipe(["mdb_dump", "-a", "lmdb"])
        result = self.expect(7, "load", "all", data=dump)
        self.assertIn(b"section 'places'", result.stderr)
        self.assertIn(b"1 records loaded", result.stderr)
        self.assertIn(b"--database", result.stderr)
        self.assertIn(b"standard input:%d:" % (1 + dump[:dump.rindex(b"VERSION=3")].count(b"\n")), result.stderr)
        for name, value in (("people", b"Ada"), ("places", b"Rome")):
            self.assertIn(b"1 records loaded", self.expect(0, "load", name, "--database", name, data=dump).stderr)
            self.assertEqual(self.out("scan", name), b"1\t" + value + b"\n")
        result = self.expect(3, "load", "none", "--database", "pets", data=dump)
        self.assertIn(b"'people', 'places'", result.stderr)
        self.assertFalse(os.path.exists(self.path("none")))
        self.expect(2, "load", "none", "--database", "pets", data="a\tb\n")

    @unittest.skipUnless(shutil.which("mdb_load"), "lmdb-utils is not installed")
    def test_several_values_of_one_key_in_lmdb(self):
        os.mkdir(self.path("lmdb"))
        dump = (b"VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=10485760\ndupsort=1\nHEADER=END\n"
                b" 61\n 31\n 61\n 32\nDATA=END\n")
        self.pipe(["mdb_load", "lmdb"], data=dump)
        result = self.expect(7, "load", "db", data=self.pipe(["mdb_dump", "lmdb"]))
        self.assertIn(b"duplicates=1", result.stderr)
        self.assertFalse(os.path.exists(self.path("db")))

    @unittest.skipUnless(shutil.which("db5.3_load"), "db5.3-util is not installed")
    def test_what_berkeley_db_holds_besides_a_btree(self):
        data = b" 61\n 31\n"
        for name, header, refused in (("recno", b"type=recno\nkeys=0\n", b"type=recno"),
                                      ("keyed", b"type=recno\nkeys=1\n", b"type=recno"),
                                      ("queue", b"type=queue\nre_len=4\nkeys=0\n", b"type=queue"),
                                      ("dups", b"type=btree\nduplicates=1\n", b"duplicates=1"),
                                      ("hash", b"type=hash\n", None), ("recnum", b"type=btree\nrecnum=1\n", None)):
            records = {"recno": b" 61\n 62\n", "queue": b" 61\n", "keyed": b" 31\n 61\n"}.get(name, data)
            dump = b"VERSION=3\nformat=bytevalue\n" + header + b"HEADER=END\n" + records + b"DATA=END\n"
            self.pipe(["db5.3_load", name + ".bdb"], data=dump)
            flags = ["-k"] if name == "keyed" else []
            dumped = self.pipe(["db5.3_dump", *flags, name + ".bdb"])
            if refused is None:
                self.out("load", name, data=dumped)
                self.assertEqual(self.out("scan", name), b"a\t1\n")
            else:
                self.assertIn(refused, self.expect(7, "load", name, data=dumped).stderr, name)

    @unittest.skipUnless(shutil.which("db5.3_load"), "db5.3-util is not installed")
    def test_several_databases_in_one_file_of_berkeley_db(self):
        for name, key in (("one", b"1"), ("two", b"2")):
            self.pipe(["db5.3_load", "-c", "database=" + name, "all.bdb"], data=bdb([(key, b"v")]))
        dump = self.pipe(["db5.3_dump", "all.bdb"])
        self.expect(7, "load", "all", data=dump)
        self.out("load", "two", "--database", "two", data=dump)
        self.assertEqual(self.out("scan", "two"), b"2\tv\n")

    @unittest.skipUnless(shutil.which("mdb_load"), "lmdb-utils is not installed")
    def test_backslashes_in_a_print_dump_of_lmdb(self):
        os.mkdir(self.path("lmdb"))
        self.out("put", "db", "k", "a\\0ab")
        self.pipe(["mdb_load", "lmdb"], data=self.out("dump", "db", "--format", "mdb"))
        result = self.expect(7, "load", "copy", data=self.pipe(["mdb_dump", "-p", "lmdb"]))
        self.assertIn(b"dump without -p", result.stderr)


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

    def test_a_record_over_the_limits_is_an_error_with_its_line(self):
        result = self.expect(4, "load", "db", data="a\t1\n" + "k" * 65537 + "\tv\nb\t2\n")
        self.assertIn(b"standard input:2: a key of 65537 bytes", result.stderr)
        self.assertIn(b"1 records loaded", result.stderr)
        self.assertEqual(self.out("scan", "db"), b"a\t1\n")
        dump = bdb([(b"a", b"1"), (b"b" * 65537, b"2")])
        self.assertIn(b"standard input:7: ", self.expect(4, "load", "other", data=dump).stderr)

    def test_a_header_without_end_is_read_in_linear_time_and_told_briefly(self):
        words = "".join(f"x{i}=1\n" for i in range(200000))
        self.expect(4, "load", "db", data="VERSION=3\n" + words)
        names = "".join(f"VERSION=3\ndatabase={i}\nHEADER=END\nDATA=END\n" for i in range(50000))
        result = self.expect(3, "load", "db", "--database", "x", data=names)
        self.assertLess(len(result.stderr), 500)
        long = "VERSION=3\ndatabase=" + "n" * 1000000 + "\ntype=" + "t" * 1000000 + "\nHEADER=END\nDATA=END\n"
        self.assertLess(len(self.expect(7, "load", "db", data=long).stderr), 500)

    def test_an_input_that_is_refused_at_once_makes_no_database(self):
        for data in (b"", b"\n", b"\0\xff\xfe" * 100, b"VERSION=3\ntype=recno\n", b"VERSION=9\n", b"{\n", b"[]\n"):
            result = self.run_tool("load", "db", data=data)
            self.assertIn(result.returncode, (4, 7), data)
            self.assertFalse(os.path.exists(self.path("db")), data)
        self.out("load", "db", "--format", "tsv")
        self.assertEqual(self.out("count", "db"), b"0\n")

    @unittest.skipIf("CAMBIUM_SANITIZE" in os.environ, "a sanitizer takes memory of its own")
    def test_a_line_that_does_not_fit_in_memory_is_an_error(self):
        script = 'ulimit -v 600000; printf "a\\tb\\n" > in; truncate -s 2G in; exec "$@" in'
        result = self.run_shell(script, "load", "db")
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn(b"error: read in:2: Cannot allocate memory", result.stderr)
        self.assertEqual(self.out("count", "db"), b"1\n")

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
