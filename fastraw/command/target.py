"""What is to be served: nothing, a directory, or an object of a module.

    load -> a directory:     StaticFiles, with listings
         -> module:name:     import, look at the object -> a handler, or WSGI around an application

An object is told apart by how it wants to be called: with one argument it is a handler, with two a
WSGI application. Where that cannot be seen, --handler or --wsgi has to say it; nothing is guessed.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

from ..apps.static import StaticFiles
from ..apps.wsgi import WSGI
from ..response import Response
from ..route import Handler, is_asynchronous
from .hello import hello

# What a handler returns, and so a class that is a handler.
_ANSWERS = (Response, str, bytes, dict, list)

Kind = Literal["handler", "wsgi"] | None


class TargetError(Exception):
    """There is nothing to serve; the text says why, in one line."""


def load(target: str | None, kind: Kind) -> Handler:
    """The handler for a TARGET of the command line; raises TargetError."""
    if target is None:
        return hello
    if os.path.isdir(target):
        return StaticFiles(target, listing=True)
    module_name, colon, name = target.partition(":")
    if not colon or not name or not module_name:
        what = "no such directory" if os.sep in target or target in (".", "..") else "no directory"
        raise TargetError(f"{target!r} is {what}, and no module:name either")
    return as_handler(_find(module_name, name), target, kind)


def _find(module_name: str, name: str) -> Any:
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise TargetError(f"{module_name!r} is no name of a module")
    # As `python -m` does, and the script does not: modules of the working directory come first.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise TargetError(f"there is no module {error.name!r}") from error
        raise TargetError(_failure(module_name, error)) from error
    except Exception as error:
        raise TargetError(_failure(module_name, error)) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise TargetError(f"the module {module_name!r} has no {name!r}") from None
    return found


def _failure(module_name: str, error: Exception) -> str:
    """What went wrong inside a module, and where, in one line."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}, line {frame.lineno}"
    text = " ".join(traceback.format_exception_only(error)[-1].split())
    return f"importing {module_name!r} fails: {text} ({place})"


def as_handler(found: Any, target: str, kind: Kind) -> Handler:
    """A handler for an object that is one, or is a WSGI application; raises TargetError."""
    if not callable(found):
        raise TargetError(f"{target!r} is {_article(found)}, which cannot be called")
    if is_asynchronous(found):
        raise TargetError(
            f"{target!r} is asynchronous; fastraw serves handlers that block, and WSGI"
        )
    if kind is None:
        kind = _kind_of(found, target)
    return WSGI(found) if kind == "wsgi" else found


def _kind_of(found: Callable[..., Any], target: str) -> Kind:
    if isinstance(inspect.unwrap(found), WSGI):
        return "handler"  # an extension's call has no signature to look at
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    positional = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    required = sum(each.default is each.empty for each in positional)
    open_ended = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    if len(positional) == required and not open_ended:
        if inspect.isclass(found) and required < 2 and not issubclass(found, _ANSWERS):
            raise TargetError(f"{target!r} is a class; name an object made of it")
        if required == 1:
            return "handler"
        if required == 2:
            return "wsgi"
        if required == 3:
            raise TargetError(f"{target!r} takes three arguments, as ASGI applications do; fastraw"
                              " serves handlers (one) and WSGI applications (two)")  # fmt: skip
    raise TargetError(
        f"{target!r} does not show how it wants to be called; say --handler (with a request) or "
        "--wsgi (with environ and start_response)"
    )


def _article(found: object) -> str:
    name = type(found).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
