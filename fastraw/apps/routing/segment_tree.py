"""The tree in which a router finds its routes: one level for each segment of a path.

1. At each node a literal is tried first, then int, uuid, and any segment, then what takes the
   rest, then a mount. The first route found that has the method is the most specific one, since
   `insert` refuses pairs of which neither is more specific.
2. Only where all of a branch has been tried without success does the next one have its turn, so
   the work follows from the path and from what resembles it, not from the number of routes.
3. A table maps methods to routes; ANY stands for all others. HEAD is there with GET.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ...errors import HTTPError
from ...route import Handler
from .patterns import CONVERTERS, EQUAL, Pattern, Relation, both, common_path, relate

ANY = ""
"""Stands for every method."""


@dataclass(frozen=True, eq=False)
class Route:
    """What is called for some methods of a pattern.

    Attributes:
        methods: as given; empty for a mount, which leaves them to its handler.
        handler: as given.
        run: what is called: the handler, or something that makes ready for it.
        given: options given with the route, by name; they go before what the handler tells.
        name: what `url_for` knows it by.
        place: file and line where it was added.
    """

    pattern: Pattern
    methods: tuple[str, ...]
    handler: Handler
    run: Handler
    given: dict[str, Any]
    name: str
    place: str

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What it stands for: a mount has two, the wider one last."""
        return (self.pattern,) if self.methods else (self.pattern, self.pattern.below())

    def __str__(self) -> str:
        methods = ",".join(method or "any method" for method in self.methods) or "mount"
        return f"{methods} {self.pattern.text!r} ({self.place})"


Table = dict[str, Route]


@dataclass(eq=False)
class Node:
    """What is known of the paths that begin with the same segments."""

    literals: dict[str, Node] = field(default_factory=dict)
    typed: list[tuple[Callable[[str], Any], Node]] = field(default_factory=list)
    """The most specific converter first."""
    by_converter: dict[str, Node] = field(default_factory=dict)
    exact: Table = field(default_factory=dict)
    rest: Table = field(default_factory=dict)
    mount: Route | None = None
    forks: bool = False
    """There is more than literals."""
    sole: tuple[Callable[[str], Any], Node] | None = None
    """What there is beside literals, when it is a single converter."""

    # ---- finding ----

    def find(self, method: str, segments: list[str], place: int, values: list[Any]) -> Route | None:
        """The most specific route for a method and segments[place:]; what its parameters take is
        added to `values`."""
        node = self
        while place < len(segments):
            text = segments[place]
            child = node.literals.get(text)
            if child is None and node.sole is not None:
                convert, child = node.sole
                value = convert(text) if text else None
                if value is None:
                    return None
                values.append(value)
            elif node.forks:
                return node._find_forked(child, method, segments, place, values)
            elif child is None:
                return None
            node = child
            place += 1
        return node.exact.get(method) or node.exact.get(ANY) or node.mount

    def _find_forked(
        self, literal: Node | None, method: str, segments: list[str], place: int, values: list[Any]
    ) -> Route | None:
        """The same where there may be several ways to go on from here."""
        before = len(values)
        if literal is not None:
            found = literal.find(method, segments, place + 1, values)
            if found is not None:
                return found
        for convert, child in self.typed:
            del values[before:]
            value = convert(segments[place]) if segments[place] else None
            if value is not None:
                values.append(value)
                found = child.find(method, segments, place + 1, values)
                if found is not None:
                    return found
        del values[before:]
        found = self.rest.get(method) or self.rest.get(ANY)
        if found is not None:
            values.append(join_rest(segments[place:]))
            return found
        return self.mount

    def methods(self, segments: list[str], place: int) -> set[str]:
        """Every method that some route has for segments[place:]."""
        if place == len(segments):
            return set(self.exact)
        text = segments[place]
        found = set(self.rest)
        child = self.literals.get(text)
        if child is not None:
            found |= child.methods(segments, place + 1)
        for convert, child in self.typed:
            if text and convert(text) is not None:
                found |= child.methods(segments, place + 1)
        return found

    # ---- adding ----

    def insert(self, route: Route) -> Node:
        """Add a route; the node that it ends at. ValueError when it contradicts another one."""
        for other in self._similar(route.patterns[-1], 0):
            check(route, other)
        node = self
        for converter, text in route.pattern.segments:
            node = node._typed(converter) if converter else node._literal(text)
        if not route.methods:
            node.mount = route
            node._look_for_forks()
            return node
        table = node.rest if route.pattern.takes_rest else node.exact
        for method in route.methods:
            table[method] = route
        node._look_for_forks()
        # RFC 9110 section 9.3.2: HEAD is GET without the content; the server leaves that out.
        if "GET" in route.methods and ("HEAD" not in table or "HEAD" not in table["HEAD"].methods):
            table["HEAD"] = route
        return node

    def _literal(self, text: str) -> Node:
        return self.literals.setdefault(text, Node())

    def _typed(self, converter: str) -> Node:
        if converter not in self.by_converter:
            self.by_converter[converter] = Node()
            self.typed = [
                (convert, self.by_converter[name])
                for name, convert in CONVERTERS.items()
                if name in self.by_converter
            ]
            self._look_for_forks()
        return self.by_converter[converter]

    def _look_for_forks(self) -> None:
        alone = len(self.typed) == 1 and not self.rest and self.mount is None
        self.sole = self.typed[0] if alone else None
        self.forks = bool(self.typed or self.rest or self.mount)

    def _similar(self, pattern: Pattern, place: int) -> Iterator[Route]:
        """The routes that may match a path that `pattern` matches, and some others."""
        if place >= len(pattern.segments):
            yield from self.exact.values()
        yield from self.rest.values()
        if self.mount is not None:
            yield self.mount
        children = [*self.literals.values(), *self.by_converter.values()]
        if place < len(pattern.segments):
            converter, text = pattern.segments[place]
            if not converter:
                literal = self.literals.get(text)
                children = [*self.by_converter.values(), *([literal] if literal else [])]
        elif not pattern.takes_rest:
            return
        for child in children:
            yield from child._similar(pattern, place + 1)


def join_rest(segments: list[str]) -> str:
    """What a `path` parameter takes. HTTPError 400: an encoded slash would become a segment."""
    rest = "/".join(segments)
    if rest.count("/") >= len(segments):
        raise HTTPError(400, "The path has an encoded slash where none can be told from a slash.")
    return rest


def check(new: Route, old: Route) -> None:
    """ValueError when both match a request and neither is more specific.

    As in Go's ServeMux since 1.22: a route is more specific when all that it matches is matched
    by the other one, too, but not the other way round.
    """
    for one, other in product(new.patterns, old.patterns):
        paths = relate(one, other)
        for ours, theirs in product(new.methods or (ANY,), old.methods or (ANY,)):
            methods = relate_methods(ours, theirs)
            if paths != EQUAL and not (new.methods and old.methods):
                methods = EQUAL  # a mount is asked for every method, so the path alone decides
            found = both(paths, methods)
            if found == EQUAL:
                raise ValueError(f"{new} is there already: {old}")
            if found == (False, False):
                raise ValueError(
                    f"{new} and {old} contradict each other: both match {common_path(one, other)}, "
                    "and neither is more specific"
                )


def relate_methods(first: str, second: str) -> Relation:
    """How the methods that two routes are for relate: ANY has all, GET has HEAD in it."""
    if first == second:
        return EQUAL
    within = second == ANY or (first, second) == ("HEAD", "GET")
    covers = first == ANY or (first, second) == ("GET", "HEAD")
    return (within, covers) if within or covers else None
