"""Words that the documents and the comments of the code do without: each has a plainer one."""

import re

import cpp
from docs import text_files

# Words of this project's own that the field does not know, verbs that are not the field's, and British spellings.
_EVERYWHERE = (
    (r"answer(s|ed)?", "return, result"),
    (r"st(ands?|ood)", "is, is listed, occurs"),
    (r"tells?|told", "report, say"),
    (r"strat(um|a)", "snapshot stripe"),
    (r"forsak(e|es|en)", "abandon, abandoned"),
    (r"doomed", "obsolete"),
    (r"promis(e|es|ed)", "synced watermark, acknowledge"),
    (r"(who|some|no)(ever|body)", "a thread that, no thread, a caller"),
    (r"neighbour(s|ing)?", "neighbor, adjacent"),
    (r"behaviours?", "behavior"),
)
# In a header a sentence with "where" is nearly always a condition.
_HEADERS = ((r"where", "if"),)


def _rule(words):
    return re.compile(r"\b(" + "|".join(word for word, _ in words) + r")\b", re.IGNORECASE)


def _instead(words, found):
    return next(instead for word, instead in words if re.fullmatch(word, found, re.IGNORECASE))


def _prose(text, suffix):
    """The lines to check: all of a document, the comments of code."""
    return (text if suffix == ".md" else cpp.only_comments(text)).split("\n")


def check(tree, findings):
    checked = 0
    for path in text_files(tree):
        name = tree.name(path)
        if path.suffix not in (".h", ".cc", ".md"):
            continue
        checked += 1
        words = _EVERYWHERE + (_HEADERS if path.suffix == ".h" else ())
        rule = _rule(words)
        for number, line in enumerate(_prose(path.read_text(encoding="utf-8"), path.suffix), 1):
            for match in rule.finditer(line):
                findings.add(name, number, f"\"{match.group(0)}\": write {_instead(words, match.group(0))}")
    return f"{checked} documents and files of code"
