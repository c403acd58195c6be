"""The parsers that are measured, and the two kinds of work that they do.

    offsets   the head validated and split; no object for what stands in it
    objects   method, target, and every field's name and value as objects

A parser that keeps a connection's state is used again for head after head, as on a connection,
where it can be; h11 cannot without an answer in between.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Text = str | bytes
Objects = tuple[Text, Text, Any]
"""Method, target, and (name, value) pairs."""

PARSER_IN_C = "fastraw"
PARSER_IN_PYTHON = "fastraw, Python"
H1C_RAW = "gunicorn_h1c raw"
H1C_LAZY = "gunicorn_h1c fast"
H1C_ALL = "gunicorn_h1c, all headers"
HTTPTOOLS = "httptools"
H11 = "h11"
AIOHTTP = "aiohttp"


@dataclass(frozen=True)
class Parser:
    """One parser doing one kind of work.

    Attributes:
        parse: takes a head; this is what is timed.
        found: what the result says, to be compared; None where it has to be asked for first.
    """

    name: str
    parse: Callable[[bytes], Any]
    found: Callable[[bytes, Any], Objects]


def as_objects(data: bytes, result: Any) -> Objects:
    """What a parser found that makes objects."""
    return result  # type: ignore[no-any-return]


# fastraw.


def fastraw_offsets(module: Any) -> Callable[[bytes], Any]:
    return module.parse_head  # type: ignore[no-any-return]


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
    """Offsets: of method and target, and four of 16 bits for each field."""
    method, method_length, target, target_length, _, count, _, table = result
    places = memoryview(table).cast("H")
    fields = []
    for field in range(count):
        name, name_length, value, value_length = places[4 * field : 4 * field + 4]
        fields.append((data[name : name + name_length], data[value : value + value_length]))
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


def httptools_objects(module: Any) -> Callable[[bytes], Objects]:
    collector = Collector()
    parser = module.HttpRequestParser(collector)

    def parse(data: bytes) -> Objects:
        parser.feed_data(data)
        return parser.get_method(), collector.target, collector.fields

    return parse


def h11_objects(module: Any) -> Callable[[bytes], Objects]:
    connection, server = module.Connection, module.SERVER

    def parse(data: bytes) -> Objects:
        receiver = connection(server)
        receiver.receive_data(data)
        request = receiver.next_event()
        return request.method, request.target, request.headers.raw_items()

    return parse


def aiohttp_objects(module: Any) -> Callable[[bytes], Objects]:
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


Make = Callable[[Any], Callable[[bytes], Any]]

# Name, module, how to make the function that is timed, how to read its result.
OFFSETS: tuple[tuple[str, str, Make, Callable[[bytes, Any], Objects]], ...] = (
    (PARSER_IN_C, "fastraw._parse", fastraw_offsets, of_head),
    (H1C_RAW, "gunicorn_h1c", lambda module: module.parse_request_raw, of_raw),
    (H1C_LAZY, "gunicorn_h1c", lambda module: module.parse_request_fast, of_lazy),
)
OBJECTS: tuple[tuple[str, str, Make, Callable[[bytes, Any], Objects]], ...] = (
    (PARSER_IN_C, "fastraw._parse", fastraw_objects, of_headers),
    (PARSER_IN_PYTHON, "fastraw._parse_py", fastraw_objects, of_headers),
    (H1C_ALL, "gunicorn_h1c", h1c_objects, as_objects),
    (HTTPTOOLS, "httptools", httptools_objects, as_objects),
    (AIOHTTP, "aiohttp.http_parser", aiohttp_objects, as_objects),
    (H11, "h11", h11_objects, as_objects),
)
WORK = {"offsets": OFFSETS, "objects": OBJECTS}
