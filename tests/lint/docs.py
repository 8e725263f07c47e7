"""The text files: links that resolve, a README in each library folder, and nothing of the machine they
were written on."""

import re
import subprocess

from tree import LIBRARY

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_HOME = re.compile(r"(?<![\w.$}/])/(work|root|home|tmp/build)[-/\w]*")
_TEXT = (".md", ".txt", ".cmake", ".json", ".py", ".cc", ".h", ".in", ".sh")
_README_LINES = 60


def text_files(tree):
    """Returns every text file under version control, or in the tree if there is no git."""
    try:
        listed = subprocess.run(["git", "-C", str(tree.root), "ls-files", "-co", "--exclude-standard"],
                                check=True, capture_output=True, text=True).stdout.splitlines()
        paths = [tree.root / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        paths = [p for p in tree.root.rglob("*") if "build" not in p.relative_to(tree.root).parts[0]]
    return sorted(p for p in paths if p.is_file() and (p.suffix in _TEXT or p.parent.name in ("tools", ".ci")))


def _anchor(heading):
    text = re.sub(r"[`*]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _check_links(path, text, tree, findings):
    prose = _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
    for match in _LINK.finditer(prose):
        target, _, anchor = match.group(1).partition("#")
        line = text.count("\n", 0, match.start()) + 1
        if re.match(r"[a-z]+:", target):
            continue
        file = (path.parent / target) if target else path
        if not file.exists():
            findings.add(tree.name(path), line, f"link to {target}, which does not exist")
        elif anchor and file.suffix == ".md":
            headings = re.findall(r"^#+\s+(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in {_anchor(h) for h in headings}:
                findings.add(tree.name(path), line, f"link to #{anchor}, which {file.name} does not have")


def _check_text(path, text, tree, findings):
    name = tree.name(path)
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            findings.add(name, number, "white space at the end of the line")
        match = _HOME.search(line)
        if match and not name.startswith("tests/lint/"):
            findings.add(name, number, f"a path of one machine: {match.group(0)}")
    if text and not text.endswith("\n"):
        findings.add(name, 0, "no newline at the end")


def check(tree, findings):
    files = text_files(tree)
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if "testdata" in path.parts:
            continue
        _check_text(path, text, tree, findings)
        if path.suffix == ".md":
            _check_links(path, text, tree, findings)
    for folder in LIBRARY:
        readme = tree.root / folder / "README.md"
        if not readme.exists():
            findings.add(f"{folder}/README.md", 0, "missing: what the folder owns, its invariants, a reading order")
        elif readme.read_text(encoding="utf-8").count("\n") > _README_LINES:
            findings.add(tree.name(readme), 0, f"over {_README_LINES} lines")
    return f"{len(files)} text files"
