"""The files of the tree, and how a lint reports."""

from pathlib import Path

import cpp

LIBRARY = ("util", "base", "env", "wal", "memtable", "sstable", "manifest", "compaction", "engine")
CONSUMERS = ("tests", "benchmarks", "tools", "examples")


class Tree:
    """The C++ files below a root, each parsed once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self._sources = {}

    def files(self, folders, suffixes=(".h", ".cc")):
        found = []
        for folder in folders:
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and path.suffix in suffixes:
                    found.append(path)
        return found

    def sources(self, folders):
        return [self.source(path) for path in self.files(folders)]

    def source(self, path):
        if path not in self._sources:
            self._sources[path] = cpp.parse(path)
        return self._sources[path]

    def name(self, path):
        return path.relative_to(self.root).as_posix()

    def library(self):
        return self.sources(("include",) + LIBRARY)

    def everything(self):
        return self.sources(("include",) + LIBRARY + CONSUMERS)


class Findings:
    """The findings of a lint, printed in the format of compilers."""

    def __init__(self):
        self.messages = []

    def add(self, name, line, message):
        where = f"{name}:{line}" if line else name
        self.messages.append(f"{where}: {message}")
