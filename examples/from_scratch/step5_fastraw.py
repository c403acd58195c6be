"""The same in fastraw, with as many threads: they run requests, and never wait for a client.

python examples/from_scratch/step5_fastraw.py [PORT]
"""

import sys

from fastraw import FastServer, Request


def hello(request: Request) -> str:
    """Called when a request is complete, on one of eight threads."""
    return f"Hello, {request.path}!\n"


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7878
    with FastServer(hello, port=port, workers=8) as server:
        print(server.url, flush=True)
        server.serve_forever()
