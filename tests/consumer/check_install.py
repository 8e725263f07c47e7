#!/usr/bin/env python3
"""Installs a build into a temporary prefix and uses it from there, as a stranger's project would.

    check_install.py --build DIR --source DIR [--only STEP]

The steps: exports (libcambium.so shows the public API and nothing else), find_package (static and shared),
pkg_config (shared, and fully static), subdirectory (add_subdirectory of the source), untyped (the same without a build
type: the consumer's flags and asserts stay as they are).
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent / "project"
CXX = os.environ.get("CXX", "c++")
_STEPS = ("exports", "find_package", "pkg_config", "subdirectory", "untyped")


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

    def configure(self, mode, build_type, *definitions):
        build = self.work / f"build-{mode}{build_type}"
        # An empty build type is what a project gets that does not set one.
        run("cmake", "-S", PROJECT, "-B", build, "-G", "Ninja", f"-DCONSUMER_MODE={mode}",
            *([f"-DCMAKE_BUILD_TYPE={build_type}"] if build_type else []), *definitions,
            env={name: value for name, value in os.environ.items()
                 if name not in ("CMAKE_BUILD_TYPE", "CXXFLAGS", "CFLAGS", "LDFLAGS")})
        return build

    def cmake(self, mode, *definitions):
        build = self.configure(mode, "Release", *definitions)
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
        build = self.configure("source", "Release", f"-DCAMBIUM_SOURCE={self.source}")
        run("cmake", "--build", build, "--target", "CMakeFiles/consumer.dir/main.cc.o")
        link = run("ninja", "-C", build, "-t", "commands", "consumer").splitlines()[-1]
        for library in ("libcambium.a", "absl_status", "zstd", "xxhash"):
            if library not in link:
                raise Failure(f"add_subdirectory: {library} is not in the link line:\n{link}")
        return "add_subdirectory"

    def untyped(self):
        """A consumer without a build type keeps its asserts, and gets no flag but the ones that it needs."""
        build = self.configure("source", "", f"-DCAMBIUM_SOURCE={self.source}")
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
        if "CMAKE_BUILD_TYPE:STRING=\n" not in cache:
            raise Failure("add_subdirectory sets the consumer's CMAKE_BUILD_TYPE")
        # The consumer's own targets, linked to the library or not.
        commands = run("ninja", "-C", build, "-t", "commands", "consumer", "bystander").splitlines()
        for target in ("consumer", "bystander"):
            [compile_line] = [c for c in commands if f"CMakeFiles/{target}.dir/" in c and " -c " in c]
            if flags := consumer_flags(compile_line):
                raise Failure(f"{target} is compiled with {sorted(flags)}:\n{compile_line}")
            [link_line] = [c for c in commands if f" -o {target} " in c]
            if flags := consumer_flags(link_line) - {"-Wl"}:
                raise Failure(f"{target} is linked with {sorted(flags)}:\n{link_line}")
        run("cmake", "--build", build, "--target", "bystander")
        result = subprocess.run([build / "bystander"], capture_output=True, text=True, check=False)
        if result.returncode == 0 or "Assertion" not in result.stderr:
            raise Failure("the consumer's asserts are gone")
        return "asserts and flags of a consumer without a build type"


def consumer_flags(command):
    """The flags of a compiler's command line, but those of paths, libraries, dependency files and the language."""
    words = shlex.split(command)
    skipped = ("-I", "-l", "-MD", "-MT", "-MF", "-o", "-c", "-isystem", "-std=")
    return {w.split(",")[0] for w in words if w.startswith("-") and not w.startswith(skipped)}


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
    parser.add_argument("--only", choices=_STEPS)
    arguments = parser.parse_args()
    steps = [arguments.only] if arguments.only else _STEPS
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
