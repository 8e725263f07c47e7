"""Tokens that this tree must not contain, each with its replacement."""

import re

from tree import LIBRARY

# (what, pattern over code without comments and strings, folders it holds in, files exempt, instead)
_LIBRARY = ("include",) + LIBRARY
_RULES = (
    ("std::mutex", r"\bstd::(mutex|lock_guard|unique_lock|scoped_lock|condition_variable|shared_mutex)\b",
     _LIBRARY, ("util/mutex.h",), "Mutex, MutexLock and CondVar of util/mutex.h"),
    ("absl::Mutex", r"\babsl::(Mutex|MutexLock|CondVar)\b",
     _LIBRARY, (), "Mutex of util/mutex.h: ThreadSanitizer cannot see into Debian's absl::Mutex"),
    ("std::thread", r"\bstd::(thread|jthread|async)\b(?!::hardware_concurrency)|\bpthread_create\b",
     _LIBRARY, ("env/",), "an Executor (include/cambium/executor.h)"),
    ("file calls", r"(?<![\w.>:])(::)?(open|fopen|creat|unlink|rename|fsync|fdatasync|ftruncate|mkdir)\s*\(|"
     r"\bstd::([io]?fstream|filesystem|rename|remove\s*\(\s*path)\b",
     _LIBRARY, ("env/",), "the FileSystem of the options"),
    ("clocks", r"\bstd::chrono::(steady|high_resolution)_clock\b|_clock::now\b|\b(gettimeofday|clock_gettime|nanosleep|usleep|sleep_for)\b|(?<![\w.>:])(::)?time\s*\(\s*(nullptr|NULL|0|&)",
     _LIBRARY, ("env/", "util/mutex.h"), "the Clock of the options"),
    ("global randomness", r"(?<![\w.>])(rand|srand|random)\s*\(\s*\)|\bstd::(random_device|mt19937(_64)?)\b",
     _LIBRARY, ("env/",), "util/random.h, seeded"),
    ("malloc", r"(?<![\w.>:])(malloc|calloc|realloc|free)\s*\(\s*[^\s)]|\bstd::(malloc|calloc|realloc|free)\b",
     _LIBRARY, ("util/",), "std containers, std::make_unique or util/arena.h"),
    ("exceptions", r"\b(throw|catch|try)\b(?!\s*\()|\bcatch\s*\(",
     _LIBRARY, ("util/out_of_memory.h",), "absl::Status; CatchBadAlloc where memory may run out"),
    ("using namespace", r"\busing\s+namespace\b",
     _LIBRARY + ("tests", "benchmarks", "tools", "examples"), (), "the names you need, each by a using-declaration"),
    ("unannotated lock use", r"\bABSL_NO_THREAD_SAFETY_ANALYSIS\b",
     _LIBRARY, ("util/mutex.h",), "an annotation that says what the function needs"),
    ("output", r"\bstd::(cout|cerr|clog)\b|(?<![\w.>:])(printf|fprintf|puts)\s*\(",
     _LIBRARY, (), "a Status, or nothing: a library does not print"),
    ("printing", r"\bstd::(printf|puts|putchar|fputs|vprintf|cout)\b|\bstdout\b",
     ("tools",), ("tools/cambium/streams", "tools/process/"), "the Output that main flushes and checks"),
    ("abort", r"(?<![\w.>:])(abort|exit|_exit)\s*\(|\bstd::(abort|exit|terminate|quick_exit)\b",
     _LIBRARY, (), "absl::Status: no input aborts the process"),
    ("std::unordered_map in a loop", r"for\s*\([^;)]*:\s*\w*unordered\w*\)",
     _LIBRARY, (), "an ordered container: a run is a function of its seed"),
)

# Owning `new` is for factories whose constructor is private and for objects that are never destroyed.
_NEW = re.compile(r"(?<![\w:])new\b(?!\s*\()(?!\s*$)")
_NEW_ALLOWED = re.compile(r"(unique_ptr|shared_ptr|WrapUnique|reset)\b[^;]*\bnew\b|"
                          r"static\s+(const\s+)?[\w:<>]+(\s+const)?\s*[*&]\s*(const\s+)?\w+\s*=\s*\*?\s*new\b|"
                          r"\bnew\s*\(")


def _check_new(source, tree, findings):
    name = tree.name(source.path)
    if name.startswith("util/"):
        return
    for match in _NEW.finditer(source.code):
        start = max(source.code.rfind(c, 0, match.start()) for c in ";{}")
        statement = source.code[start + 1:match.end()]
        if _NEW_ALLOWED.search(statement):
            continue
        findings.add(name, source.line_of(match.start()),
                     "bare new: use std::make_unique (with .release() where ownership passes to no smart pointer)")


def _guard(name):
    path = name[len("include/"):] if name.startswith("include/") else name
    path = path if path.startswith("cambium/") else "cambium/" + path
    return re.sub(r"[^A-Za-z0-9]", "_", path).upper() + "_"


def _check_header(source, tree, findings):
    name = tree.name(source.path)
    guard = _guard(name)
    if f"#ifndef {guard}\n#define {guard}\n" not in source.text:
        findings.add(name, 1, f"header guard: #ifndef {guard}")
    if not source.text.startswith("//"):
        findings.add(name, 1, "a header begins with a comment that says what it is for")


_THREAD_RULE = re.compile(
    r"thread-safe|thread-compatible|immutable after construction|confined to|one\s+thread\s+at\s+a\s+time|"
    r"plain data|safe to call from several threads|several threads at once", re.IGNORECASE)


def _comment_above(lines, line):
    comment = []
    i = line - 2
    while i >= 0 and lines[i].lstrip().startswith("//"):
        comment.insert(0, lines[i].lstrip()[2:].strip())
        i -= 1
    return " ".join(comment)


def _check_thread_rule(source, tree, findings):
    lines = source.text.split("\n")
    for item in source.classes:
        text = lines[item.line - 1]
        if item.keyword != "class" or text.startswith(" ") or item.members == 0:
            continue
        if _THREAD_RULE.search(_comment_above(lines, item.line)):
            continue
        findings.add(tree.name(source.path), item.line,
                     f"class {item.name}: its comment does not end with its thread rule (Thread-safe. / "
                     "Thread-compatible. / Immutable after construction. / Confined to X.)")


def check(tree, findings):
    rules = [(what, re.compile(pattern), folders, exempt, instead)
             for what, pattern, folders, exempt, instead in _RULES]
    count = 0
    for source in tree.everything():
        name = tree.name(source.path)
        folder = name.split("/")[0]
        for what, pattern, folders, exempt, instead in rules:
            if folder not in folders or name.startswith(exempt):
                continue
            count += 1
            for match in pattern.finditer(source.code):
                findings.add(name, source.line_of(match.start()),
                             f"{what} ('{match.group(0).strip()}'): use {instead}")
        if folder in _LIBRARY:
            _check_new(source, tree, findings)
        if source.path.suffix == ".h":
            _check_header(source, tree, findings)
            if folder in _LIBRARY:
                _check_thread_rule(source, tree, findings)
    return f"{len(rules)} rules"
