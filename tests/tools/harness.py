"""Drives the `cambium` binary: what the suites of this folder share."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOL = ""
FOREIGN = ""  # makes a database that the tool cannot read


class ToolTest(unittest.TestCase):
    """A scratch directory, and the tool run in it."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cambium-cli-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_tool(self, *arguments, data=None):
        if isinstance(data, str):
            data = data.encode()
        return subprocess.run([TOOL, *arguments], cwd=self.dir, input=data or b"",
                              capture_output=True, timeout=120, check=False)

    def run_shell(self, script, *arguments):
        """The script, in which "$@" is the tool and its arguments: for redirections."""
        return subprocess.run(["sh", "-c", script, "sh", TOOL, *arguments], cwd=self.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=120, check=False)

    def expect(self, code, *arguments, data=None):
        """Runs the tool, checks its exit code, and that an error is one line."""
        result = self.run_tool(*arguments, data=data)
        self.assertEqual(result.returncode, code, (arguments, result.stdout[-500:], result.stderr))
        if code != 0:
            errors = [l for l in result.stderr.decode().splitlines() if l.startswith("error: ")]
            self.assertEqual(len(errors), 1, result.stderr)
        return result

    def out(self, *arguments, data=None):
        return self.expect(0, *arguments, data=data).stdout

    def pipeline(self, *commands):
        """Programs of which each reads what the one before writes; all must end well. The last one's output."""
        processes = []
        for command in commands:
            stdin = processes[-1].stdout if processes else subprocess.DEVNULL
            processes.append(subprocess.Popen(command, cwd=self.dir, stdin=stdin, stdout=subprocess.PIPE,
                                              stderr=subprocess.DEVNULL))
            if len(processes) > 1:
                processes[-2].stdout.close()
        output = processes[-1].communicate(timeout=120)[0]
        self.assertEqual([process.wait(120) for process in processes], [0] * len(commands), commands)
        return output

    def pipe(self, command, data=None):
        """Another program in the scratch directory; its output."""
        result = subprocess.run(command, cwd=self.dir, input=data, capture_output=True,
                                timeout=120, check=False)
        self.assertEqual(result.returncode, 0, (command, result.stderr))
        return result.stdout

    def snapshot(self, name):
        """The bytes of every file below a directory."""
        files = {}
        for folder, _, names in os.walk(self.path(name)):
            for entry in names:
                with open(os.path.join(folder, entry), "rb") as file:
                    files[entry] = file.read()
        return files


def run(module):
    """Called by a suite's own file: takes the programs' paths off the command line and runs its tests."""
    global TOOL, FOREIGN
    TOOL = os.path.abspath(sys.argv.pop(1))
    FOREIGN = os.path.abspath(sys.argv.pop(1))
    unittest.main(module=module)
