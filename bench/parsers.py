"""The parsers that are measured, and the two kinds of work that they do.

    offsets   the head validated and split; no object for what stands in it
    objects   method, target, and every field's name and value as objects

parse_head keeps nothing between heads. A parser that keeps the state of a connection is made anew
for each head, which is part of its time; `kept` ones go on with the next head, as on a connection.
The objects of fastraw are str, those of the others bytes; `text` is with bytes decoded.
"""

from __future__ import annotations

import asyncio
import importlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Objects = tuple[Any, Any, Iterable[tuple[Any, Any]]]
"""Method, target, and (name, value) pairs: str, or bytes."""
Parse = Callable[[bytes], Any]

FASTRAW = "fastraw"
PURE = "fastraw, in Python"
H1C_RAW = "gunicorn_h1c, raw"
H1C_FAST = "gunicorn_h1c, fast"
H1C_ALL = "gunicorn_h1c, all headers"
HTTPTOOLS = "httptools"
HTTPTOOLS_TEXT = "httptools, text"
H11 = "h11"


@dataclass(frozen=True)
class Parser:
    """One parser doing one kind of work.

    Attributes:
        parse: takes a head; this is what is timed.
        found: takes a head and what `parse` made of it; gives Objects, to be compared.
    """

    name: str
    parse: Parse
    found: Callable[[bytes, Any], Objects]


def as_they_are(data: bytes, objects: Objects) -> Objects:
    return objects


# fastraw.


def fastraw_objects(module: Any) -> Callable[[bytes], Objects]:
    parse_head = module.parse_head

    def parse(data: bytes) -> Objects:
        head = parse_head(data)
        return head.method, head.target, head.headers

    return parse


def of_head(data: bytes, head: Any) -> Objects:
    return head.method, head.target, head.headers.items()


def of_headers(data: bytes, result: Objects) -> Objects:
    return result[0], result[1], result[2].items()


# gunicorn_h1c.


def of_raw(data: bytes, result: Any) -> Objects:
    """Offsets and lengths: of method and target; and of each field's name and value, packed."""
    method, method_length, target, target_length, _, _, _, table = result
    fields = [
        (data[name : name + name_length], data[value : value + value_length])
        for name, name_length, value, value_length in struct.iter_unpack("=IHIH", table)
    ]
    return (
        data[method : method + method_length],
        data[target : target + target_length],
        fields,
    )


def of_lazy(data: bytes, request: Any) -> Objects:
    return request.method, request.path, request.headers


def h1c_objects(module: Any) -> Callable[[bytes], Objects]:
    parse_request = module.parse_request_fast

    def parse(data: bytes) -> Objects:
        request = parse_request(data)
        return request.method, request.path, request.headers

    return parse


# The others.


class Collector:
    """The callbacks of httptools."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.fields = []

    def on_url(self, target: bytes) -> None:
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))


def httptools_new(module: Any) -> Parse:
    make = module.HttpRequestParser

    def parse(data: bytes) -> Objects:
        collector = Collector()
        parser = make(collector)
        parser.feed_data(data)
        return parser.get_method(), collector.target, collector.fields

    return parse


def httptools_text(module: Any) -> Parse:
    make = module.HttpRequestParser

    def parse(data: bytes) -> Objects:
        collector = Collector()
        parser = make(collector)
        parser.feed_data(data)
        fields = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in collector.fields
        ]
        return parser.get_method().decode(), collector.target.decode("latin-1"), fields

    return parse


def httptools_kept(module: Any) -> Parse:
    collector = Collector()
    parser = module.HttpRequestParser(collector)

    def parse(data: bytes) -> Objects:
        parser.feed_data(data)
        return parser.get_method(), collector.target, collector.fields

    return parse


def h11_objects(module: Any) -> Parse:
    connection, server = module.Connection, module.SERVER

    def parse(data: bytes) -> Objects:
        receiver = connection(server)
        receiver.receive_data(data)
        request = receiver.next_event()
        return request.method, request.target, request.headers.raw_items()

    return parse


def aiohttp_kept(module: Any) -> Parse:
    protocol = importlib.import_module("aiohttp.base_protocol").BaseProtocol
    loop = asyncio.new_event_loop()
    parser = module.HttpRequestParser(
        protocol(loop), loop, 2**16, max_line_size=8190, max_field_size=8190
    )
    loop.close()

    def parse(data: bytes) -> Objects:
        ((message, _),), _, _ = parser.feed_data(data)
        return message.method, message.path, message.raw_headers

    return parse


# Name; module; what makes, of the module, the function that is timed; what reads its result.
Row = tuple[str, str, Callable[[Any], Parse], Callable[[bytes, Any], Objects]]
OFFSETS: tuple[Row, ...] = (
    (FASTRAW, "fastraw._parse", lambda module: module.parse_head, of_head),
    (H1C_RAW, "gunicorn_h1c", lambda module: module.parse_request_raw, of_raw),
    (H1C_FAST, "gunicorn_h1c", lambda module: module.parse_request_fast, of_lazy),
)
OBJECTS: tuple[Row, ...] = (
    (FASTRAW, "fastraw._parse", fastraw_objects, of_headers),
    (PURE, "fastraw._parse_py", fastraw_objects, of_headers),
    (H1C_ALL, "gunicorn_h1c", h1c_objects, as_they_are),
    (HTTPTOOLS, "httptools", httptools_new, as_they_are),
    (HTTPTOOLS_TEXT, "httptools", httptools_text, as_they_are),
    ("httptools, kept", "httptools", httptools_kept, as_they_are),
    ("aiohttp, kept", "aiohttp.http_parser", aiohttp_kept, as_they_are),
    (H11, "h11", h11_objects, as_they_are),
)
WORK = {"offsets": OFFSETS, "objects": OBJECTS}


def load(work: str) -> tuple[list[Parser], dict[str, str]]:
    """The parsers that do this work, and the reason why by the name of each that is missing."""
    parsers, missing = [], {}
    for name, module, make, found in WORK[work]:
        try:
            parsers.append(Parser(name, make(importlib.import_module(module)), found))
        except ImportError as error:
            if module.startswith("fastraw"):
                raise
            missing[name] = str(error)
    return parsers, missing


def normal(objects: Objects) -> tuple[str, str, list[tuple[str, str]]]:
    """Objects in one form: str, field names in lower case."""

    def text(part: Any) -> str:
        return part.decode("latin-1") if isinstance(part, bytes) else part

    method, target, fields = objects
    return (
        text(method),
        text(target),
        [(text(name).lower(), text(value)) for name, value in fields],
    )


def check(parser: Parser, head: bytes) -> None:
    """ValueError unless the parser finds in this head what stands there."""
    line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    fields = [(name.lower(), value) for name, value in (each.split(": ", 1) for each in lines)]
    found = normal(parser.found(head, parser.parse(head)))
    if found != (method, target, fields):
        raise ValueError(f"{parser.name} found {found}")
