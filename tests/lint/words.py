"""Words that the public headers and the documents do without: each has a plainer one."""

import re

from docs import text_files

# Words of this project's own that the field does not know, and verbs that are not the field's.
_EVERYWHERE = (
    (r"answer(s|ed)?", "return, result"),
    (r"stands?", "is, is listed, occurs"),
    (r"tells?", "report, say"),
    (r"strat(um|a)", "snapshot stripe"),
    (r"forsak(e|es|en)", "abandon, abandoned"),
    (r"doomed", "obsolete"),
)
# In a header a sentence with "where" is nearly always a condition.
_HEADERS = ((r"where", "if"),)


def _rule(words):
    return re.compile(r"\b(" + "|".join(word for word, _ in words) + r")\b", re.IGNORECASE)


def _instead(words, found):
    return next(instead for word, instead in words if re.fullmatch(word, found, re.IGNORECASE))


def check(tree, findings):
    checked = 0
    for path in text_files(tree):
        name = tree.name(path)
        header = name.startswith("include/") and path.suffix == ".h"
        document = path.suffix == ".md" and (name.startswith("docs/") or "/" not in name)
        if not header and not document:
            continue
        checked += 1
        words = _EVERYWHERE + (_HEADERS if header else ())
        rule = _rule(words)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            for match in rule.finditer(line):
                findings.add(name, number, f"\"{match.group(0)}\": write {_instead(words, match.group(0))}")
    return f"{checked} headers and documents"
