"""Router: a handler that finds the handler for a request by its path and method.

request -> fixed path? a look into a dictionary    -> handler
        -> segments, the tree of routing/          -> handler, mounted handler, 404, 405, OPTIONS

What patterns match stands in routing/patterns.py. The most specific route wins, whichever was
added first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HTTPError
from ..request import Request
from ..route import (
    DEFAULT,
    Answer,
    Handler,
    Middleware,
    RouteOptions,
    check_callable,
    options_of,
    surround,
    wrap,
)
from .routing.declare import (
    Options,
    caller,
    check_methods,
    check_options,
    name_of,
    with_timeout,
)
from .routing.match import Match, allow, allowing, key_below, missing, raising, unwrapped, within
from .routing.patterns import parse_pattern, segments_of
from .routing.segment_tree import ANY, Node, Route, Table

if TYPE_CHECKING:
    from typing_extensions import Unpack

AnyHandler = TypeVar("AnyHandler", bound=Handler)


class Router:
    """A handler that calls others by path and method::

        router = Router()

        @router.get("/users/{id:int}")
        def user(request: Request) -> dict[str, int]:
            return {"id": request.path_params["id"]}

    `{name}` takes a segment, `{name:int}` and `{name:uuid}` only some and convert it, and
    `{name:path}` takes the rest. The most specific route wins; two of which neither is more
    specific, though both match some request, are an error when the second is added.

    GET also answers HEAD. OPTIONS, unless a route answers it, is 204 with Allow; a path that has
    other methods only is 405 with Allow; no route is 404, see `not_found`. Nothing is redirected:
    a slash at the end is part of the path. A path that is no UTF-8, has a stray `%` or a dot
    segment (also encoded) is 400; an encoded slash never begins a segment.

    Add all routes before the server starts.
    """

    def __init__(self) -> None:
        self._root = Node()
        self._fixed: dict[str, Table] = {}
        """Raw path -> table, for patterns that match a single path."""
        self._routes: dict[Hashable, list[Route]] = {}
        """Name, and handler -> routes."""
        self._mounts: list[Route] = []
        self._methods: set[str] = set()
        self._middleware: list[Middleware] = []
        self._missing: Handler = missing
        self._entry: Handler = self._dispatch

    # ---- adding ----

    def get(self, pattern: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for GET, and HEAD; see `route`."""
        return self.route(pattern, methods=["GET"], **options)

    def post(self, pattern: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for POST; see `route`."""
        return self.route(pattern, methods=["POST"], **options)

    def put(self, pattern: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for PUT; see `route`."""
        return self.route(pattern, methods=["PUT"], **options)

    def patch(self, pattern: str, **options: Unpack[Options]) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for PATCH; see `route`."""
        return self.route(pattern, methods=["PATCH"], **options)

    def delete(
        self, pattern: str, **options: Unpack[Options]
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for DELETE; see `route`."""
        return self.route(pattern, methods=["DELETE"], **options)

    def route(
        self, pattern: str, *, methods: Collection[str] | None = None, **options: Unpack[Options]
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Add the decorated handler for some methods, or for every one; it stays as it is.

        Args:
            pattern: the paths; begins with a slash. Empty: the path of the router's mount itself.
            methods: None stands for every method.
            options: see Options. They go before what the handler tells (route.py).

        Raises TypeError or ValueError: an argument is not what it must be, or the route
        contradicts another one; then the message names both and where they were added.
        """
        parsed = parse_pattern(pattern)
        wanted = (ANY,) if methods is None else check_methods(methods)
        name, given = check_options(**options)
        place = caller(globals())

        def add(handler: AnyHandler) -> AnyHandler:
            check_callable("a handler", handler)
            run = with_timeout(handler, given.get("timeout_seconds"))
            called = name or name_of(handler)
            self._add(Route(parsed, wanted, handler, run, given, called, place), name is not None)
            return handler

        return add

    def mount(self, prefix: str, handler: Handler, *, name: str | None = None) -> None:
        """Have a handler, a router too, take `prefix` and every path below it, in every method.

        It finds what has been consumed in `request.mount_path` and the rest, as received, in
        `request.subpath`, which is empty or begins with a slash. Routes below the prefix are more
        specific and go first. The prefix may have parameters, but no `path`.

        Raises TypeError or ValueError as `route` does.
        """
        parsed = parse_pattern(prefix, mount=True)
        check_callable("a handler", handler)
        inner = unwrapped(handler)
        if isinstance(inner, Router) and inner._has(self):
            raise ValueError(f"mount {prefix!r}: a router must not be mounted inside of itself")
        called = name or name_of(handler)
        route = Route(parsed, (), handler, handler, {}, called, caller(globals()))
        self._add(route, name is not None)
        self._mounts.append(route)

    def _add(self, route: Route, named: bool) -> None:
        for other in self._routes.get(route.name, ()) if named else ():
            raise ValueError(f"{route} has the name {route.name!r} of {other}")
        node = self._root.insert(route)
        path = route.pattern.fixed_path
        if path is not None:
            self._fixed[path] = node.exact
        self._routes.setdefault(route.name, []).append(route)
        self._routes.setdefault(_key(route.handler), []).append(route)
        self._methods.update(route.methods)

    def not_found(self, handler: AnyHandler) -> AnyHandler:
        """Have the decorated handler answer where no route matches the path, in place of a 404
        in plain text. A mounted router has its own. TypeError when it cannot be called."""
        check_callable("a handler", handler)
        self._missing = handler
        return handler

    def use(self, *middleware: Middleware) -> None:
        """Wrap all that this router answers; the middleware named first is the outermost.

        Raises TypeError when one cannot be called, or makes something that cannot be.
        """
        everything = [*self._middleware, *middleware]
        entry = surround(wrap(self, self._dispatch), everything)
        self._middleware, self._entry = everything, entry

    # ---- answering ----

    def __call__(self, request: Request) -> Answer:
        return self._entry(request)

    def _dispatch(self, request: Request) -> Answer:
        head = request.head
        target = request.subpath if request.mount_path else head.target
        # A fixed path, spelled as usual, needs no splitting.
        table = self._fixed.get(target) or self._fixed.get(target.partition("?")[0])
        if table is not None:
            route = table.get(head.method)
            if route is not None:
                return route.run(request)
        _, run, values, _, below = (
            self._find(request) if request.matched is None else self._match(request)
        )
        if below is not None:
            return within(below, values, request, run)
        if values:
            outer = request.path_params
            request.path_params = {**outer, **values} if outer else values
        return run(request)

    def route_key(self, request: Request) -> Hashable:
        """For the server: the route by which slowness is learned."""
        route, _, values, _, below = self._match(request)
        if route is None or below is None:
            return route or self
        told = getattr(route.handler, "route_key", key_below)
        return route, within(below, values, request, told)

    def route_options(self, request: Request) -> RouteOptions:
        """For the server: how a request is to be served."""
        route, _, values, _, below = self._match(request)
        if route is None:
            return DEFAULT
        told = options_of(route.handler)
        if below is not None:
            return within(below, values, request, told)
        return replace(told(request), **route.given) if route.given else told(request)

    def _match(self, request: Request) -> Match:
        """What is found for a request, kept on it for the calls that will follow."""
        matched = request.matched
        if matched is None:
            matched = request.matched = {}
        found: Match | None = matched.get(id(self))
        if found is None or found[3] != request.mount_path:
            found = matched[id(self)] = self._find(request)
        return found

    def _find(self, request: Request) -> Match:
        head, mount_path = request.head, request.mount_path
        path, method = head.target.partition("?")[0], head.method
        if mount_path or path[0] != "/":
            path = request.subpath
        if path == "*":  # RFC 9110 section 9.3.7: about the server as a whole
            return None, allowing(self._methods), {}, mount_path, None
        values: list[Any] = []
        try:
            segments = segments_of(path)
            route = self._root.find(method, segments, 1, values)
        except HTTPError as error:
            return None, raising(error.status, error.detail), {}, mount_path, None
        if route is None:
            return None, self._miss(method, segments), {}, mount_path, None
        names = route.pattern.names
        taken = {names[0]: values[0]} if len(names) == 1 else dict(zip(names, values, strict=True))
        if route.methods:
            return route, route.run, taken, mount_path, None
        consumed = "/".join(path.split("/")[: len(route.pattern.segments) + 1])
        return route, route.run, taken, mount_path, mount_path + consumed

    def _miss(self, method: str, segments: list[str]) -> Handler:
        """What answers where no route has the path and the method."""
        methods = self._root.methods(segments, 1)
        if not methods:
            return self._missing
        if method == "OPTIONS":
            return allowing(methods)
        return raising(405, "", Allow=allow(methods))  # RFC 9110 section 15.5.6

    # ---- the way back ----

    def url_for(self, endpoint: str | Handler, /, **values: Any) -> str:
        """The path, percent-encoded, of a route: of this router, or of one mounted in it.

        Args:
            endpoint: a route's name, or its handler.
            values: its parameters, and those of the mounts it is in.

        Raises ValueError: there is no such route, several fit, or a value does not match.
        """
        chains = list(self._chains(endpoint))
        if not chains:
            raise ValueError(f"there is no route {endpoint!r}")
        fitting = [chain for chain in chains if _names(chain) == values.keys()]
        if not fitting:
            wanted = " or ".join(str(sorted(_names(chain))) for chain in chains)
            raise ValueError(f"{endpoint!r} takes {wanted}, not {sorted(values)}")
        paths = {"".join(r.pattern.build(values) for r in chain) for chain in fitting}
        if len(paths) > 1:
            raise ValueError(f"{endpoint!r} is one of {', '.join(sorted(paths))}: give it a name")
        return paths.pop()

    def _chains(self, endpoint: str | Handler) -> Iterator[tuple[Route, ...]]:
        """The routes of that name or handler, each behind the mounts that lead to it."""
        for route in self._routes.get(_key(endpoint), ()):
            yield (route,)
        for mount in self._mounts:
            inner = unwrapped(mount.handler)
            if isinstance(inner, Router):
                for chain in inner._chains(endpoint):
                    yield (mount, *chain)

    def _has(self, router: Router) -> bool:
        if self is router:
            return True
        inner = (unwrapped(mount.handler) for mount in self._mounts)
        return any(isinstance(each, Router) and each._has(router) for each in inner)


def _key(endpoint: str | Handler) -> Hashable:
    """A bound method is another object each time, but equal; some handlers can only be told by
    what they are."""
    return endpoint if isinstance(endpoint, Hashable) else id(endpoint)


def _names(chain: tuple[Route, ...]) -> set[str]:
    """The parameters of routes behind each other."""
    return {name for route in chain for name in route.pattern.names}
