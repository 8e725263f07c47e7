"""What the lints need to know of a C++ file: its code without comments and strings, its includes, its
functions and its classes.

Not a parser of C++: a matcher of braces that tells namespaces, classes and functions apart by the text
before each brace. It covers the C++ of this tree (clang-format'ed, no macros that open braces).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Function:
    name: str
    line: int  # of the first token of the signature
    lines: int  # to the closing brace, or to the semicolon of a declaration
    parameters: int
    bool_parameters: int
    is_definition: bool


@dataclass
class Class:
    name: str
    line: int
    keyword: str  # class or struct
    members: int = 0
    has_functions: bool = False


@dataclass
class Source:
    path: Path
    text: str
    code: str  # text with comments, literals and preprocessor lines blanked; the same offsets
    includes: list = field(default_factory=list)  # (line, name, is_quoted)
    functions: list = field(default_factory=list)
    classes: list = field(default_factory=list)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


_LITERALS = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'
      """,
    re.DOTALL | re.VERBOSE,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.MULTILINE)
_CLASS = re.compile(r"\b(class|struct|union)\b(?P<rest>[^;{}()=]*)$")
_ANNOTATION = re.compile(r"\b(?:ABSL|CAMBIUM)_[A-Z_]+\s*(\((?:[^()]|\([^()]*\))*\))?")
_ATTRIBUTE = re.compile(r"\[\[.*?\]\]|\balignas\s*\((?:[^()]|\([^()]*\))*\)", re.DOTALL)


def _blank(match):
    """The literal's place: quotes stay, so that a string is still a token; newlines stay."""
    text = match.group(0)
    if text.startswith("/"):
        return re.sub(r"[^\n]", " ", text)
    return '"' + re.sub(r"[^\n]", " ", text[1:-1]) + '"'


def without_comments(text):
    """The text with comments blanked; the same lines."""
    return _LITERALS.sub(_blank, text)


def only_comments(text):
    """The text with everything but comments blanked; the same lines."""
    kept = list(re.sub(r"[^\n]", " ", text))
    for match in _LITERALS.finditer(text):
        if match.group(0).startswith("/"):
            kept[match.start():match.end()] = match.group(0)
    return "".join(kept)


def _blank_directive(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def _matching(code, start, opening, closing):
    depth = 0
    for i in range(start, len(code)):
        if code[i] == opening:
            depth += 1
        elif code[i] == closing:
            depth -= 1
            if depth == 0:
                return i
    return len(code) - 1


def _split_top(text):
    """Splits at commas outside of (), [], {}, and <>."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}" or (c == ">" and text[i - 1] != "-"):
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [p.strip() for p in parts if p.strip()]


def _strip_template(head):
    """`head` without leading template<…> and requires-less prefixes."""
    head = head.lstrip()
    while head.startswith("template"):
        opening = head.find("<")
        if opening < 0:
            return head
        depth = 0
        for i in range(opening, len(head)):
            if head[i] == "<":
                depth += 1
            elif head[i] == ">":
                depth -= 1
                if depth == 0:
                    break
        head = head[i + 1:].lstrip()
    return head


_NOT_FUNCTIONS = {"if", "for", "while", "switch", "catch", "return", "sizeof", "decltype", "alignas",
                  "static_assert", "defined", "noexcept", "requires", "new", "co_return"}


def _signature(head):
    """(name, parameter list, text after it) of a function's head, or None."""
    head = _ATTRIBUTE.sub(lambda m: " " * len(m.group(0)), head)
    head = _ANNOTATION.sub(lambda m: " " * len(m.group(0)), _strip_template(head))
    match = re.search(r"((?:[\w~]+\s*(?:<[^<>()]*>)?\s*::\s*)*~?\w+|operator\s*(?:\(\s*\)|[^\s\w(]+|[\w:]+))\s*\(",
                      head)
    if not match or match.group(1) in _NOT_FUNCTIONS:
        return None
    if "=" in head[:match.start()].replace("operator", "").replace("==", ""):
        return None
    opening = match.end() - 1
    closing = _matching(head, opening, "(", ")")
    return match.group(1).strip(), head[opening + 1:closing], head[closing + 1:]


class _Scanner:
    """Walks the braces of one file's code. Confined to parse()."""

    def __init__(self, source):
        self._source = source
        self._code = source.code

    def scope(self, i, end, owner):
        """Scans [i, end), the inside of a namespace or, if `owner` is set, of a class."""
        head_start = i
        while i < end:
            c = self._code[i]
            if c == "(":
                i = _matching(self._code, i, "(", ")")
            elif c == ";":
                self._statement(head_start, i, owner)
                head_start = i + 1
            elif c == ":" and owner and re.fullmatch(r"\s*(public|protected|private)\s*",
                                                     self._code[head_start:i]):
                head_start = i + 1
            elif c == "{":
                i, head_start = self._brace(head_start, i, owner)
            elif c == "}":
                head_start = i + 1
            i += 1

    def _brace(self, head_start, i, owner):
        """One '{' at scope level; returns (its matching '}', the start of the next head)."""
        head = self._code[head_start:i]
        closing = _matching(self._code, i, "{", "}")
        plain = _ATTRIBUTE.sub(" ", _ANNOTATION.sub(" ", _strip_template(head))).strip()
        if re.match(r"(inline\s+)?namespace\b", plain) or plain.startswith("extern"):
            self.scope(i + 1, closing, None)
            return closing, closing + 1
        if re.match(r"(typedef\s+)?enum\b", plain):
            return closing, head_start  # up to its semicolon
        match = _CLASS.search(plain) if "(" not in plain else None
        if match:
            self._class(head_start, i, closing, match)
            return closing, head_start
        signature = _signature(head)
        if signature is None:
            return closing, head_start  # an initializer
        after = signature[2]
        in_initializers = re.search(r"(?<!:):(?!:)", after) and re.search(r"[\w>]\s*$", after)
        if in_initializers:
            return closing, head_start
        if owner:
            owner.has_functions = True
        self._function(head_start, closing, signature, True)
        return closing, closing + 1

    def _class(self, head_start, opening, closing, match):
        names = re.findall(r"[\w:]+", match.group("rest").split(" final")[0].split(" : ")[0])
        start = head_start + len(self._code[head_start:opening]) - len(
            self._code[head_start:opening].lstrip())
        owner = Class(names[-1] if names else "(unnamed)", self._source.line_of(start),
                      match.group(1))
        self._source.classes.append(owner)
        self.scope(opening + 1, closing, owner)

    def _statement(self, start, end, owner):
        text = self._code[start:end]
        plain = _strip_template(text).strip()
        if not plain or re.match(
                r"(using|typedef|friend|static_assert|extern|enum|namespace|explicit\s+operator)\b", plain):
            return
        signature = None
        if "operator" in plain or not re.match(r"[\w:<>,\s*&]*=", plain):
            signature = _signature(text)
        if signature and self._looks_like_declaration(signature):
            if owner:
                owner.has_functions = True
            self._function(start, end, signature, False)
            return
        if owner is None or re.match(r"(static|constexpr|inline)\b", plain):
            return
        self._data_member(plain, owner)

    @staticmethod
    def _looks_like_declaration(signature):
        after = signature[2].strip()
        return re.match(r"^(const|noexcept|override|final|volatile|&&?|->.*|=\s*(0|default|delete)|\s)*$",
                        after, re.DOTALL) is not None

    @staticmethod
    def _data_member(plain, owner):
        if re.match(r"(class|struct|union)\b[^{]*$", plain) and len(plain.split()) <= 2:
            return  # a forward declaration
        if re.match(r"(class|struct|union)\b", plain) and plain.endswith("}"):
            return  # a nested type
        text = _ATTRIBUTE.sub(" ", _ANNOTATION.sub(" ", plain))
        owner.members += len(_split_top(text))

    def _function(self, start, end, signature, is_definition):
        skipped = len(self._code[start:end]) - len(self._code[start:end].lstrip())
        first = self._source.line_of(start + skipped)
        last = self._source.line_of(end)
        parameters = [p for p in _split_top(signature[1]) if p != "void"]
        bools = sum(1 for p in parameters if re.match(r"(const\s+)?bool\s+\w+", p))
        self._source.functions.append(
            Function(signature[0], first, last - first + 1, len(parameters), bools, is_definition))


def parse(path, text=None):
    """The Source of a C++ file."""
    text = path.read_text(encoding="utf-8") if text is None else text
    code = _LITERALS.sub(_blank, text)
    source = Source(path, text, code)
    # Comments go first: an include in a comment is none; a name inside quotes is read from the text.
    for match in _DIRECTIVE.finditer(code):
        include = _INCLUDE.match(text[match.start():match.end()])
        if include:
            source.includes.append(
                (source.line_of(match.start()), include.group(2), include.group(1) == '"'))
    source.code = _DIRECTIVE.sub(_blank_directive, code)
    _Scanner(source).scope(0, len(source.code), None)
    return source
