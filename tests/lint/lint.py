#!/usr/bin/env python3
"""Checks the rules of the tree.

    tests/lint/lint.py [--root DIR] [LINT…]

LINT is one of layers, sizes, tokens, docs, words, layout; all of them if none is named. Exit code 0: clean, 1:
findings, 77: a lint could not run here (CTest's code for skipped).
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import docs  # noqa: E402
import layers  # noqa: E402
import layout  # noqa: E402
import sizes  # noqa: E402
import tokens  # noqa: E402
import words  # noqa: E402
from tree import Findings, Tree  # noqa: E402

LINTS = {"layers": layers, "sizes": sizes, "tokens": tokens, "docs": docs, "words": words, "layout": layout}
SKIPPED = 77


def run(name, tree):
    """Runs one lint; returns its exit code."""
    findings = Findings()
    try:
        summary = LINTS[name].check(tree, findings)
    except layout.Unavailable as error:
        print(f"lint {name}: skipped: {error}")
        return SKIPPED
    for message in findings.messages:
        print(message)
    verdict = f"{len(findings.messages)} findings" if findings.messages else "clean"
    print(f"lint {name}: {verdict} ({summary})")
    return 1 if findings.messages else 0


def main():
    parser = argparse.ArgumentParser(description="Checks the rules of the tree.")
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("lints", nargs="*", metavar="LINT", help=", ".join(LINTS))
    arguments = parser.parse_args()
    unknown = set(arguments.lints) - set(LINTS)
    if unknown:
        parser.error(f"no lint named {', '.join(sorted(unknown))}")
    tree = Tree(arguments.root)
    codes = [run(name, tree) for name in arguments.lints or LINTS]
    sys.exit(1 if 1 in codes else max(codes))


if __name__ == "__main__":
    main()
