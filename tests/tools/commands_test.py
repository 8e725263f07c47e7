"""Commands, their exit codes and what they leave alone."""
import json
import os
import resource
import signal
import stat
import subprocess
import time
import unittest

import harness
from harness import ToolTest


def flip_byte(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


class Basics(ToolTest):
    def test_put_get_delete(self):
        self.out("put", "db", "k", "v")
        self.assertEqual(self.out("get", "db", "k"), b"v\n")
        self.out("delete", "db", "k")
        self.out("delete", "db", "k")
        self.expect(1, "get", "db", "k")

    def test_delete_range(self):
        for key in ("a", "b", "c", "d"):
            self.out("put", "db", key, "1")
        self.out("delete-range", "db", "b", "d")
        self.assertEqual(self.out("scan", "db", "--keys-only"), b"a\nd\n")
        self.out("delete-range", "db", "d", "b")
        self.out("delete-range", "db", "6132", "6439", "--hex")
        self.assertEqual(self.out("count", "db"), b"1\n")
        self.out("family", "create", "db", "orders")
        self.out("put", "db", "a", "1", "--family", "orders")
        self.out("delete-range", "db", "", "--to-end", "--family", "orders")
        self.assertEqual(self.out("count", "db", "--family", "orders"), b"0\n")
        self.assertEqual(self.out("count", "db"), b"1\n")
        self.expect(2, "delete-range", "db", "a")
        self.expect(2, "delete-range", "db", "a", "b", "--to-end")
        self.assertEqual(self.out("count", "db"), b"1\n")

    def test_empty_key_and_value(self):
        self.out("put", "db", "", "")
        self.assertEqual(self.out("get", "db", ""), b"\n")
        self.assertEqual(self.out("count", "db"), b"1\n")

    def test_hex(self):
        self.out("put", "db", "00ff", "0a", "--hex")
        self.assertEqual(self.out("get", "db", "00ff", "--hex"), b"0a\n")
        self.assertEqual(self.out("scan", "db"), b"\0\\xff\t\\n\n")
        self.assertEqual(self.out("scan", "db", "--hex"), b"00ff\t0a\n")
        self.expect(2, "get", "db", "0", "--hex")

    def test_scan(self):
        for key in "abcd":
            self.out("put", "db", key, key.upper())
        self.out("put", "db", "ca", "x")
        self.assertEqual(self.out("scan", "db", "--from", "b", "--to", "d"),
                         b"b\tB\nc\tC\nca\tx\n")
        self.assertEqual(self.out("scan", "db", "--prefix", "c", "--reverse"), b"ca\tx\nc\tC\n")
        self.assertEqual(self.out("scan", "db", "--limit", "1", "--keys-only"), b"a\n")
        self.assertEqual(self.out("scan", "db", "--limit", "0"), b"")
        self.assertEqual(self.out("scan", "db", "--limit", "1", "--format", "jsonl"),
                         b'{"k":"a","v":"A"}\n')
        self.assertEqual(self.out("count", "db", "--prefix", "c"), b"2\n")
        self.expect(2, "scan", "db", "--prefix", "c", "--from", "b")

    def test_families(self):
        self.expect(3, "put", "db", "k", "v", "--family", "users")
        self.assertFalse(os.path.exists(self.path("db")))
        self.out("family", "create", "db", "users")
        self.out("family", "create", "db", "orders")
        self.assertEqual(self.out("family", "list", "db"), b"default\norders\nusers\n")
        self.out("put", "db", "k", "in users", "--family", "users")
        self.out("put", "db", "k", "in default")
        self.assertEqual(self.out("get", "db", "k", "--family", "users"), b"in users\n")
        self.assertEqual(self.out("get", "db", "k"), b"in default\n")
        self.expect(1, "get", "db", "k", "--family", "orders")
        self.assertEqual(self.out("scan", "db", "--family", "users"), b"k\tin users\n")
        self.assertEqual(self.out("count", "db", "--family", "orders"), b"0\n")
        self.out("dump", "db", "users.dump", "--family", "users")
        self.out("load", "db", "users.dump", "--family", "orders")
        self.assertEqual(self.out("get", "db", "k", "--family", "orders"), b"in users\n")
        self.out("compact", "db", "--family", "orders")
        self.out("delete", "db", "k", "--family", "orders")
        self.assertEqual(self.out("count", "db", "--family", "orders"), b"0\n")
        self.out("family", "rename", "db", "users", "people")
        self.expect(2, "family", "drop", "db", "orders")
        self.out("family", "drop", "db", "orders", "--yes")
        self.assertEqual(self.out("family", "list", "db"), b"default\npeople\n")
        for code, name, command in ((3, "people", ["family", "create", "db", "people"]),
                                    (3, "none", ["family", "drop", "db", "none", "--yes"]),
                                    (2, "default", ["family", "drop", "db", "default", "--yes"]),
                                    (3, "none", ["get", "db", "k", "--family", "none"])):
            self.assertIn(name, self.expect(code, *command).stderr.decode())
        self.out("verify", "db")

    def test_merge(self):
        one = "0100000000000000"
        self.expect(7, "merge", "db", "k", "v")
        self.out("merge", "db", "k", "a", "--merge-operator", "append:,")
        self.out("merge", "db", "k", "b")  # the stored operator
        self.assertEqual(self.out("get", "db", "k"), b"a,b\n")
        self.out("family", "create", "db", "counters", "--merge-operator", "int64add")
        for _ in range(3):
            self.out("merge", "db", "00", one, "--hex", "--family", "counters")
        self.out("compact", "db", "--family", "counters")
        self.assertEqual(self.out("get", "db", "00", "--hex", "--family", "counters"),
                         b"03" + b"00" * 7 + b"\n")
        self.out("merge", "db", "visits", "short", "--family", "counters")
        self.assertIn("visits", self.expect(4, "get", "db", "visits", "--family", "counters").stderr.decode())
        self.expect(7, "merge", "db", "k", "c", "--merge-operator", "max")
        self.expect(2, "merge", "db", "k", "c", "--merge-operator", "none")
        self.expect(2, "merge", "db", "k", "c", "--merge-operator", "max", "--family", "counters")
        self.assertEqual(self.out("get", "db", "k"), b"a,b\n")
        self.assertEqual(self.out("family", "list", "db"), b"counters\ndefault\n")

    def test_ttl(self):
        self.out("put", "db", "k", "v", "--ttl", "1h")
        self.out("put", "db", "forever", "v")
        self.out("put", "db", "short", "v", "--ttl", "1ms")
        self.assertTrue(3_500_000 < int(self.out("ttl", "db", "k")) <= 3_600_000)
        self.assertEqual(self.out("ttl", "db", "forever"), b"none\n")
        time.sleep(0.01)
        self.expect(1, "get", "db", "short")
        self.expect(1, "ttl", "db", "short")
        self.assertEqual(self.out("scan", "db", "--keys-only"), b"forever\nk\n")
        self.out("put", "db", "k", "v", "--ttl", "0s")
        self.assertEqual(self.out("ttl", "db", "k"), b"none\n")
        for bad in ("", "1", "-1s", "s", "1 s"):
            self.expect(2, "put", "db", "k", "v", "--ttl", bad)

    def test_upkeep(self):
        self.out("put", "db", "k", "v")
        self.out("compact", "db")
        self.assertIn(b"    6 ", self.out("levels", "db"))
        self.assertTrue(self.out("verify", "db").startswith(b"ok: "))
        self.assertIn(b"keys written", self.out("stats", "db"))
        self.assertEqual(json.loads(self.out("stats", "db", "--json"))["levels"][6]["entries"], 1)
        self.assertEqual(self.out("get", "db", "k"), b"v\n")

    def test_destroy_leaves_other_files(self):
        self.out("put", "db", "k", "v")
        with open(self.path("db/notes.txt"), "w", encoding="utf-8") as file:
            file.write("mine")
        self.expect(2, "destroy", "db")
        self.assertEqual(self.out("get", "db", "k"), b"v\n")
        self.out("destroy", "db", "--yes")
        self.assertEqual(os.listdir(self.path("db")), ["notes.txt"])
        self.expect(3, "destroy", "db", "--yes")

    def test_looking_changes_nothing(self):
        self.out("load", "db", data="".join(f"{i:05}\tv{i}\n" for i in range(2000)))
        self.out("compact", "db")
        self.out("put", "db", "late", "1")
        before = self.snapshot("db")
        for command in (["get", "db", "late"], ["scan", "db"], ["count", "db"], ["dump", "db"],
                        ["stats", "db"], ["levels", "db"], ["verify", "db"]):
            self.out(*command)
            self.assertEqual(self.snapshot("db"), before, command)

    def test_version_and_help(self):
        self.assertTrue(self.out("version").startswith(b"cambium "))
        self.assertEqual(self.out("--version"), self.out("version"))
        for command in ("get put delete delete-range merge scan count load dump stats levels verify compact destroy"
                        .split()):
            text = self.out(command, "--help")
            self.assertEqual(self.out("help", command), text)
            self.assertLessEqual(text.count(b"\n"), 24, command)
            self.assertGreaterEqual(text.split(b"Examples:")[1].count(b"cambium"), 2, command)


class LostOutput(ToolTest):
    """No command ends well if what it printed did not arrive."""

    COMMANDS = (["get", "db", "k"], ["scan", "db"], ["count", "db"], ["dump", "db"], ["stats", "db"],
                ["stats", "db", "--json"], ["levels", "db"], ["verify", "db"], ["version"], ["help"],
                ["help", "get"], ["get", "--help"])

    def setUp(self):
        super().setUp()
        self.out("put", "db", "k", "v")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_full_device_is_6(self):
        for command in self.COMMANDS:
            result = self.run_shell('exec "$@" > /dev/full', *command)
            self.assertEqual(result.returncode, 6, command)
            self.assertEqual(result.stderr, b"error: write standard output: No space left on device\n")

    def test_a_closed_standard_output_is_3_and_touches_no_file(self):
        before = self.snapshot("db")
        for command in self.COMMANDS:
            result = self.run_shell('exec "$@" >&-', *command)
            self.assertEqual(result.returncode, 3, command)
            self.assertEqual(result.stderr, b"error: write standard output: Bad file descriptor\n")
            self.assertEqual(self.snapshot("db"), before, command)

    def test_closed_streams_do_not_take_the_numbers_of_the_database_s_files(self):
        for number in range(4):
            result = self.run_shell('exec "$@" <&- >&- 2>&-', "put", "db", f"k{number}", "v")
            self.assertEqual(result.returncode, 0)
        # What goes to stderr must not land in a file of the database.
        self.assertEqual(self.run_shell('exec "$@" >&- 2>&-', "get", "db", "no").returncode, 1)
        self.assertEqual(self.run_shell('exec "$@" 2>&-', "load", "db", "no-such").returncode, 3)
        self.out("verify", "db")
        self.assertEqual(self.out("count", "db"), b"5\n")

    def test_a_closed_standard_input_is_3(self):
        result = self.run_shell('exec "$@" <&-', "load", "new")
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"read standard input: Bad file descriptor", result.stderr)
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_command_that_failed_keeps_its_exit_code(self):
        self.assertEqual(self.run_shell('exec "$@" >&-', "get", "db", "no").returncode, 1)

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_dump_that_fails_leaves_the_file_that_was_there(self):
        self.out("load", "db", data="".join(f"{i:05}\tv{i}\n" for i in range(5000)))
        self.out("compact", "db")
        self.out("dump", "db", "all.dump")
        with open(self.path("all.dump"), "rb") as file:
            before = file.read()
        os.chmod(self.path("all.dump"), 0o600)
        os.symlink("all.dump", self.path("link.dump"))
        self.out("dump", "db", "link.dump")
        self.assertTrue(os.path.islink(self.path("link.dump")))
        self.assertEqual(os.stat(self.path("all.dump")).st_mode & 0o777, 0o600)
        table = [n for n in os.listdir(self.path("db")) if n.endswith(".sst")][0]
        flip_byte(self.path("db/" + table), 100)
        self.expect(4, "dump", "db", "all.dump")
        self.expect(4, "dump", "db", "new.dump")
        with open(self.path("all.dump"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(sorted(os.listdir(self.dir)), ["all.dump", "db", "link.dump"])


class Interruptions(ToolTest):
    """Processes that are ended, and limits that they meet."""

    LINES = "".join(f"{i:07}\t{i * 7919}\n" for i in range(200000)).encode()

    def test_a_load_that_is_ended_leaves_a_sound_database_with_the_first_records(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            name = f"db{number}"
            with subprocess.Popen([harness.TOOL, "load", name], cwd=self.dir, stdin=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as load:
                # The end of the input does not come.
                load.stdin.write(self.LINES)
                load.stdin.flush()
                load.send_signal(number)
                self.assertEqual(load.wait(60), -number)
                try:
                    load.stdin.close()
                except BrokenPipeError:
                    pass
            self.out("verify", name)
            records = self.out("scan", name)
            self.assertTrue(records and self.LINES.startswith(records), number)

    def test_a_dump_that_is_ended_leaves_the_file_that_was_there(self):
        self.out("load", "db", data=self.LINES)
        with open(self.path("all.dump"), "wb") as file:
            file.write(b"before")
        # Stopped as soon as the new file is beside the old one.
        with subprocess.Popen([harness.TOOL, "dump", "db", "all.dump"], cwd=self.dir) as dump:
            while dump.poll() is None and not any(name.endswith(".part") for name in os.listdir(self.dir)):
                time.sleep(0.001)
            dump.kill()
            killed = dump.wait(60) != 0
        with open(self.path("all.dump"), "rb") as file:
            self.assertTrue(file.read() == b"before" if killed else file.read().endswith(b"DATA=END\n"))

    @unittest.skipIf("CAMBIUM_SANITIZE" in os.environ, "a sanitizer takes memory of its own")
    def test_without_memory_the_exit_code_is_6(self):
        self.out("load", "db", data=b"k\t" + b"v" * (60 << 20) + b"\n")
        result = self.run_shell('ulimit -v 110000; exec "$@"', "get", "db", "k")
        self.assertEqual((result.returncode, result.stdout), (6, b""), result.stderr)

    def test_pipes_by_name(self):
        self.out("put", "db", "k", "v")
        os.mkfifo(self.path("pipe"))
        with subprocess.Popen([harness.TOOL, "dump", "db", "pipe"], cwd=self.dir) as dump:
            self.out("load", "copy", "pipe")
            self.assertEqual(dump.wait(60), 0)
        self.assertEqual(self.out("scan", "copy"), b"k\tv\n")
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))


class ExitCodes(ToolTest):
    def test_a_dump_into_the_directory_of_the_database_is_2(self):
        self.out("put", "db", "k", "v")
        before = self.snapshot("db")
        os.symlink("db/CURRENT", self.path("link"))
        for file in ("db/CURRENT", "db/new", "./db/../db/LOCK", "link", self.path("db/x")):
            self.assertIn(b"is in the directory", self.expect(2, "dump", "db", file).stderr, file)
        self.assertEqual(self.snapshot("db"), before)

    def test_usage_is_2(self):
        result = self.expect(2, "scna", "db")
        self.assertIn(b"did you mean 'scan'?", result.stderr)
        self.expect(2)
        self.expect(2, "get", "db")
        self.expect(2, "get", "db", "k", "--nonsense")
        for name in ("xml", "", "TSV"):
            self.assertIn(b"--format: ", self.expect(2, "scan", "db", "--format", name).stderr)
        self.assertIn(b"DB: ", self.expect(2, "get", "", "k").stderr)
        for command in ("load", "dump"):
            self.assertIn(b"FILE: ", self.expect(2, command, "db", "").stderr)
            self.assertFalse(os.path.exists(self.path("db")))
        self.expect(2, "put", "db", "k" * 65537, "v")
        self.expect(2, "help", "nonsense")

    def test_a_number_that_is_none_is_2_and_names_the_flag(self):
        self.out("put", "db", "k", "v")
        for text in ("-1", "x", "", "1x", "1.5", " 1", "+1", "0x10", "1e3", "18446744073709551616"):
            for arguments in (["--limit", text], ["--limit=" + text]):
                if arguments == ["--limit="]:
                    continue
                result = self.expect(2, "scan", "db", *arguments)
                self.assertIn(b"--limit", result.stderr, arguments)
                self.assertEqual(result.stdout, b"")
        self.expect(2, "scan", "db", "--limit", "1", "--limit", "2")
        self.assertEqual(self.out("scan", "db", "--limit", "18446744073709551615"), b"k\tv\n")

    def test_missing_database_is_3(self):
        for command in (["get", "no", "k"], ["scan", "no"], ["delete", "no", "k"], ["dump", "no"],
                        ["verify", "no"], ["compact", "no"], ["count", "no"]):
            self.assertRegex(self.expect(3, *command).stderr, rb"no database at \S*no\n")
            self.assertFalse(os.path.exists(self.path("no")))
        self.expect(3, "load", "db", "no-such-file")

    def test_damage_is_4(self):
        self.out("load", "db", data="".join(f"{i:05}\tv{i}\n" for i in range(5000)))
        self.out("compact", "db")
        table = [n for n in os.listdir(self.path("db")) if n.endswith(".sst")][0]
        flip_byte(self.path("db/" + table), 100)
        self.assertIn(table.encode(), self.expect(4, "verify", "db").stderr)
        self.assertIn(table.encode(), self.expect(4, "dump", "db").stderr)
        self.assertIn(table.encode(), self.expect(4, "get", "db", "00000").stderr)

    def test_locked_is_5(self):
        holder = subprocess.Popen([harness.TOOL, "load", "db"], cwd=self.dir,
                                  stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            holder.stdin.write(b"a\tb\n" * 20)
            holder.stdin.flush()
            deadline = time.time() + 30
            while not os.path.exists(self.path("db/CURRENT")) and time.time() < deadline:
                time.sleep(0.02)
            result = self.expect(5, "put", "db", "k", "v")
            self.assertIn(str(holder.pid).encode(), result.stderr)
            self.expect(5, "get", "db", "k")
            self.expect(5, "destroy", "db", "--yes")
            self.assertIn(b"hint: close the other user", result.stderr)
        finally:
            holder.stdin.close()
            holder.wait(30)
        self.assertEqual(self.out("count", "db"), b"1\n")

    def test_no_space_is_6(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        self.out("put", "db", "k", "v")
        self.expect(6, "dump", "db", "/dev/full")

    def test_file_size_limit_is_6(self):
        # Python sets SIGXFSZ back to its default in the child: it would end the process.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        lines = b"".join(b"%d\t%s\n" % (i, b"v" * 1000) for i in range(1000))
        result = subprocess.run([harness.TOOL, "load", "db"], cwd=self.dir, input=lines,
                                capture_output=True, timeout=120, check=False, preexec_fn=limit)
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn(b"File too large", result.stderr)

    def test_unsupported_is_7(self):
        self.pipe([harness.FOREIGN, "db"])
        result = self.expect(7, "get", "db", "k")
        self.assertIn(b"test.Backwards", result.stderr)


if __name__ == "__main__":
    harness.run("__main__")
