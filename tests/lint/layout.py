"""Checks the format with clang-format 14 (Debian 12): other versions break lines differently."""

import re
import shutil
import subprocess

from tree import CONSUMERS, LIBRARY

VERSION = "14"


def _binary():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path is None:
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        if re.search(rf"version {VERSION}\.", answer):
            return path
    return None


class Unavailable(Exception):
    pass


def check(tree, findings):
    binary = _binary()
    if binary is None:
        raise Unavailable(f"no clang-format {VERSION} here (apt-get install clang-format-{VERSION})")
    files = tree.files(("include",) + LIBRARY + CONSUMERS)
    run = subprocess.run([binary, "--dry-run", f"--style=file:{tree.root}/.clang-format",
                          *map(str, files)], capture_output=True, text=True, check=False)
    seen = set()
    for match in re.finditer(r"^(\S+?):(\d+):\d+: (?:warning|error): .*clang-format", run.stderr, re.MULTILINE):
        if match.group(1) in seen:
            continue
        seen.add(match.group(1))
        name = match.group(1).replace(str(tree.root) + "/", "")
        findings.add(name, int(match.group(2)), f"not formatted: {binary.split('/')[-1]} -i {name}")
    if run.returncode != 0 and not seen:
        findings.add("clang-format", 0, run.stderr.strip())
    return f"{len(files)} files"
