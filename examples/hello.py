"""A server in three lines, around a handler that may block.

python examples/hello.py [PORT]
"""

import sys

from fastraw import FastServer, Request, Response


def hello(request: Request) -> Response:
    """Greets whom the query names: /?name=Ada."""
    return Response.text(f"Hello, {request.query.get('name', 'world')}!\n")


if __name__ == "__main__":
    server = FastServer(hello, port=int(sys.argv[1]) if len(sys.argv) > 1 else 7878)
    with server:  # start() on entry, stop() at the end
        print(server.url, flush=True)
        server.serve_forever()
