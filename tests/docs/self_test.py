#!/usr/bin/env python3
"""The snippet runner's own tests: a document that shows what does not happen must fail."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNNER = Path(__file__).resolve().parent / "snippets.py"


class SnippetsTest(unittest.TestCase):
    def run_on(self, text):
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder) / "README.md"
            document.write_text(text, encoding="utf-8")
            result = subprocess.run(
                [sys.executable, RUNNER, "--source", folder, "--tool", Path(folder) / "bin" / "cambium", "--compile",
                 'c++ -fsyntax-only "$1" && printf "#!/bin/sh\\n" >"$2" && chmod +x "$2"'],
                capture_output=True, text=True, check=False)
            return result.returncode, result.stdout

    def test_accepts_what_a_command_prints(self):
        code, out = self.run_on("```console\n$ echo a b\na …\n$ printf '1\\n2\\n3\\n'\n1\n…\n```\n")
        self.assertEqual(code, 0, out)

    def test_refuses_what_a_command_does_not_print(self):
        code, out = self.run_on("text\n\n```console\n$ echo a\nb\n```\n")
        self.assertEqual(code, 1)
        self.assertIn("README.md:3: console snippet failed", out)

    def test_keeps_one_directory_a_document(self):
        code, out = self.run_on("```sh\necho x >file\n```\n```console\n$ cat file\nx\n```\n")
        self.assertEqual(code, 0, out)

    def test_refuses_a_failing_shell_snippet(self):
        code, _ = self.run_on("```sh\nfalse\ntrue\n```\n")
        self.assertEqual(code, 1)

    def test_refuses_a_program_that_does_not_compile(self):
        code, out = self.run_on("```cpp\nint main() { return undeclared; }\n```\n")
        self.assertEqual(code, 1)
        self.assertIn("README.md:2", out)

    def test_leaves_out_what_says_why(self):
        code, out = self.run_on("<!-- not run: needs root -->\n```sh\nfalse\n```\n```sh\ntrue\n```\n"
                                "<!-- not run: needs root -->\n```sh\nfalse\n```\n")
        self.assertEqual(code, 0, out)
        self.assertIn("1 snippets", out)

    def test_refuses_to_have_nothing_to_run(self):
        code, _ = self.run_on("nothing\n")
        self.assertEqual(code, 1)


if __name__ == "__main__":
    unittest.main()
