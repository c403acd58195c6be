"""A page that shows events as they come, to any number of browsers, on a few threads.

python examples/events.py [PORT]
"""

import sys
import threading

from fastraw import Broadcast, FastServer, HTTPError, Request, Response

PAGE = """\
<!doctype html>
<meta charset="utf-8">
<title>Ticks</title>
<p>Ticks so far: <output id="count">0</output>, the last one: <output id="last">none</output></p>
<script>
  const count = document.getElementById("count");
  new EventSource("/events").addEventListener("tick", event => {
    count.value = Number(count.value) + 1;
    document.getElementById("last").value = event.data;
  });
</script>
"""

ticks = Broadcast(history_events=100)


def handler(request: Request) -> Response:
    """The page at /, the events at /events."""
    if request.path == "/":
        return Response.html(PAGE)
    if request.path == "/events":
        return ticks.subscribe(request)  # holds a connection from here on, and no thread
    raise HTTPError(404)


if __name__ == "__main__":
    over = threading.Event()

    def tick() -> None:
        """Ten events a second."""
        number = 0
        while not over.wait(0.1):
            number += 1
            ticks.send(str(number), event="tick")

    with FastServer(handler, port=int(sys.argv[1]) if len(sys.argv) > 1 else 7878) as server:
        print(server.url, flush=True)
        sender = threading.Thread(target=tick)
        sender.start()
        server.serve_forever()
        over.set()
        sender.join()
