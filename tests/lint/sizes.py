"""The size limits of docs/architecture.md, as a ratchet: what is over a limit is listed in
docs/ratchet.txt with its size, and may shrink but never grow."""

import re

import cpp
from tree import CONSUMERS, LIBRARY

LIMITS = {
    "header-lines": 400,
    "source-lines": 800,
    "function-lines": 70,
    "parameters": 5,
    "includes": 15,  # of a header
    "folder-files": 25,
    "class-members": 15,
    "record-members": 40,  # of a struct without functions: a list of values, not a class
    "public-options": 30,
    "bool-parameters": 0,  # of a function in a header of the library
    "friends": 0,
    "library-lines": 15000,  # of code: comments and blank lines are free
}

# Minimum values for the library, so that it is not shrunk by deleting comments or asserts.
LEAST = {
    "comment-percent": 18,  # of the lines that are not blank
    "asserts-per-thousand": 12,  # lines of code
}
_ASSERT = re.compile(r"\b(?:static_)?assert\(")


def _measure_source(source, tree):
    """Yields (rule, key, line, size)."""
    name = tree.name(source.path)
    folder = name.split("/")[0]
    is_header = source.path.suffix == ".h"
    yield "header-lines" if is_header else "source-lines", name, 0, source.text.count("\n")
    if is_header:
        yield "includes", name, 0, len(source.includes)
    for function in source.functions:
        key = f"{name}:{function.name.replace(' ', '')}"
        yield "function-lines", key, function.line, function.lines
        yield "parameters", key, function.line, function.parameters
        if is_header and (folder in LIBRARY or folder == "include"):
            yield "bool-parameters", key, function.line, function.bool_parameters
    for item in source.classes:
        rule = "record-members" if item.keyword == "struct" and not item.has_functions else "class-members"
        yield rule, f"{name}:{item.name}", item.line, item.members
    friends = [line for line in source.code.split("\n")
               if line.lstrip().startswith("friend ") and "operator" not in line]
    yield "friends", name, 0, len(friends)


def _shipped(tree):
    """Returns the library without the file systems and executors that only tests use."""
    return [s for s in tree.library() if not tree.name(s.path).startswith("env/testing/")]


def _measure(tree):
    for source in tree.everything():
        yield from _measure_source(source, tree)
    folders = {}
    for path in tree.files(LIBRARY + CONSUMERS):
        folders[path.parent] = folders.get(path.parent, 0) + 1
    for folder, count in sorted(folders.items()):
        yield "folder-files", tree.name(folder), 0, count
    options = tree.root / "include" / "cambium" / "options.h"
    if options.exists():
        members = sum(c.members for c in tree.source(options).classes if c.name.endswith("Options"))
        yield "public-options", tree.name(options), 0, members
    yield "library-lines", "library", 0, _count(tree)[0]


def _count(tree):
    """Returns the lines of code, lines that have a comment, lines that are not blank, and asserts of the library."""
    code_lines, comment_lines, lines, asserts = 0, 0, 0, 0
    for source in _shipped(tree):
        for full, code in zip(source.text.split("\n"), cpp.without_comments(source.text).split("\n")):
            code_lines += bool(code.strip())
            comment_lines += full.rstrip() != code.rstrip() and ("//" in full or not code.strip())
            lines += bool(full.strip())
        asserts += len(_ASSERT.findall(source.code))
    return code_lines, comment_lines, lines, asserts


def _check_floors(tree, ratchet, findings):
    code_lines, comment_lines, lines, asserts = _count(tree)
    if code_lines < 1000:  # the small trees of the lints' own tests
        return
    measured = {
        "comment-percent": 100 * comment_lines // lines,
        "asserts-per-thousand": 1000 * asserts // code_lines,
    }
    for rule, size in measured.items():
        least = ratchet.pop((rule, "library"), LEAST[rule])
        if size < least:
            findings.add("docs/ratchet.txt", 0, f"{rule} of the library is {size}, at least {least} is asked for")


def read_ratchet(text):
    """{(rule, key): size}"""
    entries = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            entries[(words[0], words[1])] = int(words[2])
    return entries


def check(tree, findings):
    path = tree.root / "docs" / "ratchet.txt"
    ratchet = read_ratchet(path.read_text(encoding="utf-8")) if path.exists() else {}
    _check_floors(tree, ratchet, findings)
    worst = {}
    for rule, key, line, size in _measure(tree):
        if (rule, key) not in worst or worst[(rule, key)][0] < size:
            worst[(rule, key)] = (size, line)
    for (rule, key), (size, line) in sorted(worst.items()):
        limit = LIMITS[rule]
        listed = ratchet.pop((rule, key), None)
        file, _, item = key.partition(":")
        what = f"{item}: " if item else ""
        if listed is not None and size < listed:
            new = f"write {size} there" if size > limit else "remove the entry"
            findings.add("docs/ratchet.txt", 0, f"{rule} {key} shrank from {listed} to {size}: {new}")
        elif size > limit and (listed is None or size > listed):
            at_most = f"the ratchet allows {listed}" if listed is not None else f"the limit is {limit}"
            findings.add(file, line, f"{what}{rule} is {size}, {at_most}")
    for rule, key in sorted(ratchet):
        findings.add("docs/ratchet.txt", 0, f"{rule} {key} is not in the tree: remove the entry")
    lines = worst[("library-lines", "library")][0]
    return f"library: {lines} lines of code, the limit is {LIMITS['library-lines']}; {len(worst)} measures"
