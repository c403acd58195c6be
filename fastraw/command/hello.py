"""What is served when nothing else is named: a page that says hello."""

from __future__ import annotations

from .. import __version__
from ..apps.look import STYLE, page
from ..errors import HTTPError
from ..parse import IMPLEMENTATION
from ..request import Request
from ..response import Response

_STYLE = (
    STYLE
    + """\
  body { display: grid; grid-template-columns: minmax(0, 1fr); place-items: center; }
  p { margin: 0 0 1rem; }
  pre { margin: 0 0 1rem; padding: 1rem; overflow-x: auto; background: var(--paper);
        border: 1px solid var(--line); border-radius: .5rem;
        font: .875rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
"""
)
_CONTENT = f"""\
<h1>Hello from fastraw</h1>
<p>The server is running, and this page has come through it. The same in a program of yours:</p>
<pre tabindex="0"><code>from fastraw import FastServer

def hello(request):
    return f"Hello, {{request.path}}!"

FastServer(hello).serve_forever()</code></pre>
<small>fastraw {__version__}, parser: {IMPLEMENTATION}</small>"""
_PAGE = page("fastraw is running", _STYLE, _CONTENT)


def hello(request: Request) -> Response:
    """The page at `/`, and nothing elsewhere."""
    if request.path != "/":
        raise HTTPError(404)
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, headers=[("Allow", "GET, HEAD")])
    return Response.html(_PAGE)
