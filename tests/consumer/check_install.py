#!/usr/bin/env python3
"""Installs a build into a temporary prefix and uses it from there, as a stranger's project would.

    check_install.py --build DIR --source DIR [--only STEP]

The steps: exports (libcambium.so shows the public API and nothing else), find_package (static and shared),
pkg_config (shared, and fully static), subdirectory (add_subdirectory of the source).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent / "project"
CXX = os.environ.get("CXX", "c++")


class Failure(Exception):
    pass


def run(*command, **kwargs):
    command = [str(c) for c in command]
    result = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    if result.returncode != 0:
        raise Failure(f"$ {' '.join(command)}\n{result.stdout}{result.stderr}exit code {result.returncode}")
    return result.stdout


class Install:
    """One installed prefix. Confined to main()."""

    def __init__(self, build, source, work):
        self.build, self.source, self.work = build, source, work
        self.prefix = work / "prefix"
        run("cmake", "--install", build, "--prefix", self.prefix)
        [config] = self.prefix.rglob("cambium-config.cmake")
        self.libdir = config.parents[2]
        # The prefix moves: nothing in it may name where it was.
        moved = work / "moved prefix"
        shutil.move(self.prefix, moved)
        self.libdir = moved / self.libdir.relative_to(self.prefix)
        self.prefix = moved

    def launch(self, program, **environment):
        database = self.work / f"db-{time.monotonic_ns()}"
        output = run(program, database, env={**os.environ, **environment})
        if "OK" not in output:
            raise Failure(f"{program} printed {output!r}")

    def configure(self, mode, *definitions):
        build = self.work / f"build-{mode}"
        run("cmake", "-S", PROJECT, "-B", build, "-G", "Ninja", f"-DCONSUMER_MODE={mode}",
            "-DCMAKE_BUILD_TYPE=Release", *definitions)
        return build

    def cmake(self, mode, *definitions):
        build = self.configure(mode, *definitions)
        run("cmake", "--build", build)
        self.launch(build / "consumer")
        return build / "consumer"

    def exports(self):
        symbols = run("nm", "-DC", "--defined-only", self.libdir / "libcambium.so").splitlines()
        names = [line.split(" ", 2)[2] for line in symbols]
        public = "|".join(public_names(self.prefix / "include" / "cambium"))
        allowed = re.compile(rf"(?:(?:vtable|typeinfo|typeinfo name) for )?cambium::(?:{public})(?!::Impl\b)\b")
        wrong = [name for name in names if not allowed.match(name)]
        if wrong:
            raise Failure("libcambium.so shows what is not public:\n  " + "\n  ".join(wrong))
        for name in ("cambium::DB::Open(", "cambium::WriteBatch::Put(", "cambium::DestroyDB(",
                     "cambium::BytewiseComparator(", "cambium::DefaultFileSystem(", "cambium::Version("):
            if not any(n.startswith(name) for n in names):
                raise Failure(f"libcambium.so does not show {name})")
        return f"{len(names)} symbols"

    def find_package(self):
        prefix = f"-DCMAKE_PREFIX_PATH={self.prefix}"
        static = self.cmake("static", prefix, f"-DCAMBIUM_HEADERS={self.prefix}/include")
        shared = self.cmake("shared", prefix)
        if "libcambium.so" in run("readelf", "-d", static):
            raise Failure("the static consumer needs libcambium.so")
        if "libcambium.so.1" not in run("readelf", "-d", shared):
            raise Failure("the shared consumer does not need libcambium.so.1")
        return "static, shared, each header alone"

    def pkg_config(self):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "cambium", env=environment)
        self.compile("shared", flags)
        self.launch(self.work / "pkg-shared", LD_LIBRARY_PATH=str(self.libdir))
        flags = run("pkg-config", "--static", "--cflags", "--libs", "cambium", env=environment)
        self.compile("static", "-static " + flags)
        self.launch(self.work / "pkg-static")
        return "shared, fully static"

    def compile(self, kind, flags):
        # Through a shell, as in a makefile: pkg-config quotes for one.
        run("sh", "-c", f'{CXX} -std=c++20 -O1 "$1" -o "$2" {flags}', "sh", PROJECT / "main.cc",
            self.work / f"pkg-{kind}")

    def subdirectory(self):
        # How the targets hang together shows before the library is compiled once more: the consumer finds
        # the headers, and its link line has everything.
        build = self.configure("source", f"-DCAMBIUM_SOURCE={self.source}")
        run("cmake", "--build", build, "--target", "CMakeFiles/consumer.dir/main.cc.o")
        link = run("ninja", "-C", build, "-t", "commands", "consumer").splitlines()[-1]
        for library in ("libcambium.a", "absl_status", "zstd", "xxhash"):
            if library not in link:
                raise Failure(f"add_subdirectory: {library} is not in the link line:\n{link}")
        return "add_subdirectory"


def public_names(headers):
    """The classes and functions that the public headers mark as exported."""
    names = set()
    for header in headers.glob("*.h"):
        text = header.read_text(encoding="utf-8")
        names |= set(re.findall(r"^class CAMBIUM_EXPORT (\w+)", text, re.MULTILINE))
        names |= set(re.findall(r"^CAMBIUM_EXPORT [^;(]*?(\w+)\(", text, re.MULTILINE))
    return sorted(names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("--source", required=True, type=Path)
    parser.add_argument("--only", choices=("exports", "find_package", "pkg_config", "subdirectory"))
    arguments = parser.parse_args()
    steps = [arguments.only] if arguments.only else ["exports", "find_package", "pkg_config", "subdirectory"]
    with tempfile.TemporaryDirectory() as work:
        try:
            install = Install(arguments.build.resolve(), arguments.source.resolve(), Path(work))
            for step in steps:
                start = time.monotonic()
                summary = getattr(install, step)()
                print(f"{step}: ok ({summary}, {time.monotonic() - start:.1f} s)", flush=True)
        except Failure as failure:
            print(failure)
            sys.exit(1)


if __name__ == "__main__":
    main()
