"""JSON from a client (RFC 8259): a value, or a sentence that says where it is wrong."""

from __future__ import annotations

import json
from typing import Any

from .errors import HTTPError


def parse_json(content: bytes) -> Any:
    """The value of `content`; HTTPError 400 when it is not JSON in UTF-8.

    The sentence repeats nothing of the content.
    """
    if not content:
        raise HTTPError(400, "The content is empty, and must be JSON.")
    try:
        return _DECODER.decode(content.decode())
    except UnicodeDecodeError as error:
        fault = f"octet {error.start + 1} is not valid UTF-8"
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}"
    except RecursionError:
        fault = "it is nested too deeply"
    except ValueError as error:
        fault = str(error) if isinstance(error, _NotJSON) else "it has too long a number"
    raise HTTPError(400, f"The content is not valid JSON: {fault}.")


class _NotJSON(ValueError):
    """Something that Python's decoder would take, and RFC 8259 does not have."""


def _refuse_constant(name: str) -> Any:
    raise _NotJSON("it has NaN or Infinity")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
