"""Reads the cases in tests/wire; README.md there describes their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

DIRECTORY = Path(__file__).parent / "wire"

WORDS = frozenset(("chunked", "close", "head", "keep-alive", "refused", "until-close"))
KEYS = frozenset(
    (
        "body", "field", "has", "lacks", "length", "method", "no-field", "path", "query", "target",
        "trailer", "version",
    )
)  # fmt: skip

_CASE = re.compile(r"== ([0-9]+) (.+)").fullmatch
_REPEAT = re.compile(r"\{([^{}]*)\*([0-9]+)\}")
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.|$)")
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}


@dataclass(frozen=True)
class Send:
    """Octets that the client sends."""

    octets: bytes


@dataclass(frozen=True)
class Finish:
    """The client's end of file."""


@dataclass(frozen=True)
class Expect:
    """One response: its status, and what must be true of it.

    Attributes:
        statuses: the codes that will do, as text; `end` for no response.
        words: of WORDS.
        facts: (one of KEYS, text), each character of which is one octet.
    """

    statuses: frozenset[str]
    words: frozenset[str] = frozenset()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def refused(self) -> bool:
        return "refused" in self.words

    @property
    def interim(self) -> bool:
        return "100" in self.statuses


Step = Send | Finish | Expect


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        rule: the number of the rule it is about.
        kept: whether the connection must still work afterwards.
        whole: whether the octets must not be cut up.
    """

    file: str
    rule: int
    name: str
    steps: tuple[Step, ...]
    kept: bool
    whole: bool

    @property
    def refused(self) -> bool:
        """Whether it ends with a refusal."""
        return any(isinstance(step, Expect) and step.refused for step in self.steps)

    @property
    def size(self) -> int:
        """Octets sent in all."""
        return sum(len(step.octets) for step in self.steps if isinstance(step, Send))

    @property
    def octets(self) -> bytes:
        """All that is sent."""
        return b"".join(step.octets for step in self.steps if isinstance(step, Send))

    def followed_by(self, octets: bytes) -> Case:
        """The same case with more octets sent at the end of the last piece."""
        steps = list(self.steps)
        last = max(place for place, step in enumerate(steps) if isinstance(step, Send))
        piece = steps[last]
        assert isinstance(piece, Send)
        steps[last] = Send(piece.octets + octets)
        return replace(self, steps=tuple(steps))

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass
class _Draft:
    """The lines of a case, before `each` is put in."""

    rule: int
    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    each: list[str] = field(default_factory=list)


def load() -> list[Case]:
    """Every case, in the order of the files. ValueError names the line that is none."""
    paths = sorted(DIRECTORY.glob("*.wire"), key=lambda path: path.name)
    return [case for path in paths for case in _read(path)]


def _read(path: Path) -> Iterator[Case]:
    for draft in _drafts(path):
        if not draft.each:
            yield _case(path.stem, draft, None)
        for text in draft.each:
            yield _case(path.stem, draft, text)


def _drafts(path: Path) -> Iterator[_Draft]:
    draft: _Draft | None = None
    lines = [line.rstrip() for line in path.read_text("ascii").split("\n")]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if match := _CASE(line):
            if draft is not None:
                yield draft
            draft = _Draft(int(match[1]), match[2])
            continue
        mark, _, text = line.partition(" ")
        if draft is None or not (mark in (">", "<", "each") or line in ("eof", "at once")):
            raise ValueError(f"{path.name}, line {number}: {line!r}")
        if mark == "each":
            draft.each.append(text)
        else:
            draft.lines.append((mark, text))
    if draft is not None:
        yield draft


def _case(file: str, draft: _Draft, each: str | None) -> Case:
    name = f"{draft.rule} {draft.name}"
    if each is not None:
        name += f" [{each if len(each) < 90 else each[:87] + '...'}]"
    steps: list[Step] = []
    end: str | None = None
    for mark, template in draft.lines:
        text = template if each is None else template.replace("{each}", each)
        if mark == ">":
            octets = _octets(text).encode("latin-1")
            if steps and isinstance(last := steps[-1], Send):
                steps[-1] = Send(last.octets + octets)
            else:
                steps.append(Send(octets))
        elif mark == "eof":
            steps.append(Finish())
        elif mark == "<" and text in ("kept", "closed"):
            end = text
        elif mark == "<":
            steps.append(_expectation(text))
    case = Case(file, draft.rule, name, tuple(steps), end == "kept", ("at", "once") in draft.lines)
    if (end is None) != case.refused:
        raise ValueError(f"{case}: must end with a refusal, or else with `kept` or `closed`")
    return case


def _expectation(text: str) -> Expect:
    statuses, *rest = text.split()
    words = frozenset(item for item in rest if "=" not in item)
    facts = tuple(
        (key, _octets(value))
        for key, _, value in (item.partition("=") for item in rest if "=" in item)
    )
    unknown = (words - WORDS) | ({key for key, _ in facts} - KEYS)
    if unknown or not re.fullmatch(r"(end|[1-5][0-9][0-9])(\|[1-5][0-9][0-9])*", statuses):
        raise ValueError(f"not an expectation: {text!r}")
    return Expect(frozenset(statuses.split("|")), words, facts)


def _octets(text: str) -> str:
    """The text with its repetitions and escapes put in, innermost first."""
    while True:
        longer = _REPEAT.sub(lambda match: match[1] * int(match[2]), text)
        if longer == text:
            break
        text = longer
    return _ESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[:1] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    try:
        return _ESCAPES[code]
    except KeyError:
        raise ValueError(f"not an escape: {match[0]!r}") from None
