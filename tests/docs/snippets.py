#!/usr/bin/env python3
"""Compiles and runs what the documents show.

    snippets.py --source DIR --tool FILE --compile "COMMAND" [DOCUMENT…]

```cpp      a snippet with a main() is a program; any other is the body of a function that has `db`, an open
            cambium::DB*, and is run on a fresh database. Either must end well.
```sh       run by `sh -eu` with the tool in the PATH, in one directory a document; must exit with 0.
```console  as sh, but the lines after `$ ` are commands and the lines between are what they print (stdout and stderr). `…`
            stands for any text, on a line of its own for any lines. A command may fail: what it prints says so.

A snippet that cannot run here has the line `<!-- not run: why -->` before it. Snippets of other languages are left alone.
COMMAND compiles "$1" into "$2".
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<before><!-- not run: \S[^\n]*-->\n\n?)?```(?P<language>\w+)\n(?P<body>.*?)^```$",
                    re.MULTILINE | re.DOTALL)
_PREAMBLE = """#include <cambium/db.h>
#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
"""
_FUNCTION = """static absl::Status Snippet([[maybe_unused]] cambium::DB* db) {{
{body}
return absl::OkStatus();
}}
int main() {{
  auto db = cambium::DB::Open({{}}, "snippet.db");
  absl::Status status = db.ok() ? Snippet(db->get()) : db.status();
  if (!status.ok()) std::cerr << status << "\\n";
  return status.ok() ? 0 : 1;
}}
"""
_TIMEOUT_SECONDS = 120


@dataclass
class Snippet:
    document: Path
    line: int
    language: str
    body: str


class Failure(Exception):
    pass


def extract(document):
    text = document.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        if match.group("before") or match.group("language") not in ("cpp", "sh", "console"):
            continue
        line = text.count("\n", 0, match.start("body"))
        found.append(Snippet(document, line, match.group("language"), match.group("body")))
    return found


class Runner:
    """Runs the snippets of one document, in order and in one directory. Confined to its thread."""

    def __init__(self, arguments, work):
        self._arguments = arguments
        self._work = work
        self._count = 0

    def run(self, snippet):
        getattr(self, "_run_" + snippet.language)(snippet)

    def _execute(self, command, **kwargs):
        environment = {**os.environ, "LC_ALL": "C.UTF-8",
                       "PATH": f"{self._arguments.tool.parent}:{os.environ['PATH']}"}
        return subprocess.run(command, cwd=kwargs.pop("cwd", self._work), env=environment, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=_TIMEOUT_SECONDS, **kwargs)

    def _run_cpp(self, snippet):
        self._count += 1
        folder = self._work / f"cpp{self._count}"
        folder.mkdir()
        source, program = folder / "snippet.cc", folder / "snippet"
        body = f'#line {snippet.line + 1} "{snippet.document.name}"\n{snippet.body}'
        if not re.search(r"\bint main\(", body):
            body = _PREAMBLE + _FUNCTION.format(body=body)
        source.write_text(body, encoding="utf-8")
        for step in (["sh", "-c", self._arguments.compile, "sh", source, program], [program]):
            result = self._execute(step, cwd=folder)
            if result.returncode != 0:
                raise Failure(result.stdout + f"exit code {result.returncode}")

    def _run_sh(self, snippet):
        result = self._execute(["sh", "-eu", "-c", snippet.body])
        if result.returncode != 0:
            raise Failure(result.stdout + f"exit code {result.returncode}")

    def _run_console(self, snippet):
        for command, expected in sessions(snippet.body):
            result = self._execute(["sh", "-c", command])
            if not matches(expected, result.stdout):
                raise Failure(f"$ {command}\nprinted:\n{result.stdout}expected:\n{expected}")


def sessions(body):
    """[(command, what it prints)]"""
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line
        elif found:
            found[-1][1] += line + "\n"
        else:
            raise Failure("a console snippet begins with a line '$ command'")
    return found


def matches(expected, printed):
    pattern = re.escape(expected).replace("…\\\n", "(?:.*\n)*").replace("…", ".*")
    return re.fullmatch(pattern, printed) is not None


def run_document(arguments, document, snippets):
    """Answers what went wrong, as text, or nothing."""
    with tempfile.TemporaryDirectory() as work:
        runner = Runner(arguments, Path(work))
        for snippet in snippets:
            try:
                runner.run(snippet)
            except (Failure, subprocess.TimeoutExpired) as failure:
                name = document.relative_to(arguments.source)
                return f"{name}:{snippet.line}: {snippet.language} snippet failed\n{failure}\n"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True, type=Path)
    parser.add_argument("--tool", required=True, type=Path)
    parser.add_argument("--compile", required=True)
    parser.add_argument("documents", nargs="*", type=Path)
    arguments = parser.parse_args()
    arguments.source = arguments.source.resolve()
    arguments.tool = arguments.tool.resolve()
    documents = [d.resolve() for d in arguments.documents] or sorted(
        [*arguments.source.glob("*.md"), *(arguments.source / "docs").rglob("*.md")])
    work = [(document, snippets) for document in documents if (snippets := extract(document))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [f for f in pool.map(lambda item: run_document(arguments, *item), work) if f]
    print("".join(failures), end="")
    count = sum(len(snippets) for _, snippets in work)
    print(f"{count} snippets in {len(work)} documents, {len(failures)} documents failed")
    sys.exit(1 if failures or count == 0 else 0)


if __name__ == "__main__":
    main()
