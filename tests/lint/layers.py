"""Fails on an include that goes up or sideways (docs/layers.txt)."""

import re

from tree import LIBRARY


def read_rules(text, findings):
    """{folder: (row, set of folders it may include)}"""
    rows = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        rows[words[1]] = (int(words[0]), words[2:], number)
    rules = {}
    for folder, (row, allowed, number) in rows.items():
        names = set(allowed)
        if "*" in names:
            names = {f for f, r in rows.items() if r[0] < row}
        for name in sorted(names):
            if name not in rows:
                findings.add("docs/layers.txt", number, f"unknown folder '{name}'")
            elif rows[name][0] >= row:
                findings.add("docs/layers.txt", number,
                             f"{folder} (row {row}) may not include {name} (row {rows[name][0]})")
        rules[folder] = (row, names | {folder})
    return rules


def folder_of(name, rules):
    """The longest folder with a row that holds the file `name`."""
    parts = name.split("/")[:-1]
    for count in range(len(parts), 0, -1):
        folder = "/".join(parts[:count])
        if folder in rules:
            return folder
    return parts[0] if parts else ""


def target_folder(name, tree, rules):
    """The folder of the tree that a quoted include names, or None for an external one."""
    if name.startswith("cambium/") and (tree.root / "include" / name).exists():
        return "include"
    return folder_of(name, rules) if (tree.root / name).exists() else None


# What each part may take from outside, besides the standard library: Abseil's status and strings,
# and the two C libraries, each behind one wrapper in util.
_EXTERNAL_LIBRARY = re.compile(r"absl/(status|strings|base/thread_annotations\.h|types)")
_EXTERNAL_UTIL = re.compile(r"(xxhash|zstd|zdict|zstd_errors)\.h")


def _check_external(source, tree, rules, findings):
    folder = folder_of(tree.name(source.path), rules)
    for line, name, is_quoted in source.includes:
        third_party = "/" in name and name.split("/")[0] == "absl" or _EXTERNAL_UTIL.fullmatch(name)
        if not third_party:
            if is_quoted and target_folder(name, tree, rules) is None:
                findings.add(tree.name(source.path), line,
                             f'"{name}" is not in the tree: includes are written from its root')
            continue
        if folder == "include" and not name.startswith("absl/status/"):
            findings.add(tree.name(source.path), line,
                         f"a public header includes {name}: only std and absl/status may stand there")
        elif _EXTERNAL_UTIL.fullmatch(name) and folder != "util":
            findings.add(tree.name(source.path), line,
                         f"{name} is included outside util/: use util/checksum.h or util/compression.h")
        elif name.startswith("absl/") and not _EXTERNAL_LIBRARY.match(name):
            findings.add(tree.name(source.path), line,
                         f"{name}: of Abseil only status, strings and thread annotations are used")


def check(tree, findings):
    rules_file = tree.root / "docs" / "layers.txt"
    rules = read_rules(rules_file.read_text(encoding="utf-8"), findings)
    for folder in sorted(p.name for p in tree.root.iterdir() if p.is_dir()):
        has_row = any(name == folder or name.startswith(folder + "/") for name in rules)
        if not has_row and any(tree.files((folder,))) and not folder.startswith("build"):
            findings.add("docs/layers.txt", 0, f"folder '{folder}' has sources and no row")
    tops = sorted({folder.split("/")[0] for folder in rules})
    sources = tree.sources(tops)
    for source in sources:
        folder = folder_of(tree.name(source.path), rules)
        if folder not in rules:
            findings.add(tree.name(source.path), 0, f"it lies in {folder}/, which has no row of its own")
            continue
        row, allowed = rules[folder]
        for line, name, _ in source.includes:
            target = target_folder(name, tree, rules)
            if target is None or target in allowed:
                continue
            target_row = rules[target][0] if target in rules else "none"
            findings.add(tree.name(source.path), line,
                         f'"{name}": {folder}/ (row {row}) may not include {target}/ (row '
                         f"{target_row}); see docs/layers.txt")
        if folder in LIBRARY or folder == "include":
            _check_external(source, tree, rules, findings)
    return f"{sum(len(s.includes) for s in sources)} includes in {len(rules)} folders"
