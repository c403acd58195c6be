"""Where the lines of the log go, and their form: text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, Literal

Format = Literal["text", "json"]

# The arguments of a line of fastraw.access, in order; what the line of a refusal has is fewer.
_REQUEST = ("client", "method", "target", "version", "status", "bytes", "milliseconds", "request")
_REFUSAL = ("client", "status", "bytes")


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger and message; of a request its parts as well."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        arguments = record.args
        if record.name == "fastraw.access" and isinstance(arguments, tuple):
            names = _REQUEST if len(arguments) == len(_REQUEST) else _REFUSAL
            fields.update(zip(names, arguments, strict=True))
            if request := fields.pop("request", None):
                fields["request_id"] = request.strip()
            if "milliseconds" in fields:
                fields["milliseconds"] = round(fields["milliseconds"], 1)
        else:
            fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up(log_format: Format, access_log: str) -> None:
    """Have fastraw's loggers write.

    Args:
        log_format: of all lines.
        access_log: a file for the lines of requests, `-` for standard error, `off` for nowhere.

    Raises OSError when the file cannot be written.
    """
    form = logging.Formatter("%(asctime)s %(message)s") if log_format == "text" else JsonFormatter()
    # First what can fail.
    file = None
    if access_log not in ("-", "off"):
        file = _handler(logging.FileHandler(access_log, encoding="utf-8"), form)
    root, access = logging.getLogger("fastraw"), logging.getLogger("fastraw.access")
    root.setLevel(logging.INFO)
    root.addHandler(_handler(logging.StreamHandler(sys.stderr), form))
    if access_log == "off":
        access.setLevel(logging.CRITICAL)
    elif file is not None:
        access.addHandler(file)
        access.propagate = False


def _handler(handler: logging.Handler, form: logging.Formatter) -> logging.Handler:
    handler.setFormatter(form)
    return handler
