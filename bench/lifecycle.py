"""How long fastraw takes to start and to stop, idle; prints milliseconds as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
import urllib.request

from servers.fastraw import handler

from fastraw import FastServer


def once() -> tuple[float, float]:
    """Milliseconds of start() and of stop(), with one request answered between them."""
    server = FastServer(handler, port=0)
    begin = time.perf_counter()
    server.start()
    started = time.perf_counter()
    urllib.request.urlopen(server.url).read()
    stopping = time.perf_counter()
    server.stop()
    return (started - begin) * 1e3, (time.perf_counter() - stopping) * 1e3


def main() -> None:
    once()
    times = [once() for _ in range(int(sys.argv[1]))]
    starts, stops = zip(*times, strict=True)
    print(
        json.dumps(
            {
                "start_ms": statistics.median(starts),
                "start_worst_ms": max(starts),
                "stop_ms": statistics.median(stops),
                "stop_worst_ms": max(stops),
            }
        )
    )


if __name__ == "__main__":
    main()
