"""A WebSocket that echoes, by the library wsproto: fastraw answers 101 and hands the socket over.

pip install wsproto
python examples/websocket.py [PORT]
"""

import socket
import sys

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token

from fastraw import FastServer, HTTPError, Request, Response

PAGE = """\
<!doctype html>
<meta charset="utf-8">
<title>Echo</title>
<form><input name="text" autofocus><button>Send</button></form>
<ol id="heard"></ol>
<script>
  const socket = new WebSocket(`ws://${location.host}/echo`);
  socket.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("heard").append(item);
  };
  document.forms[0].onsubmit = event => {
    event.preventDefault();
    socket.send(document.forms[0].text.value);
    document.forms[0].reset();
  };
</script>
"""


def handler(request: Request) -> Response:
    """The page at /, the WebSocket at /echo."""
    if request.path == "/":
        return Response.html(PAGE)
    if request.path != "/echo":
        raise HTTPError(404)
    key = request.headers.get("sec-websocket-key")
    if key is None or request.headers.get("sec-websocket-version") != "13":
        raise HTTPError(400, "This is no handshake of RFC 6455.")
    accept = {"Sec-WebSocket-Accept": generate_accept_token(key.encode()).decode()}
    with request.upgrade("websocket", accept) as (sock, received):
        echo(sock, received)
    return Response()  # nobody gets it: the connection was ours


def echo(sock: socket.socket, received: bytes) -> None:
    """Until one side closes. The worker is this connection's for as long as that takes."""
    websocket = Connection(ConnectionType.SERVER)
    while True:
        if received:
            websocket.receive_data(received)
        for event in websocket.events():
            if isinstance(event, TextMessage):
                more = TextMessage(event.data, message_finished=event.message_finished)
                sock.sendall(websocket.send(more))
            elif isinstance(event, (CloseConnection, Ping)):
                sock.sendall(websocket.send(event.response()))
            if isinstance(event, CloseConnection):
                return
        received = sock.recv(65536)
        if not received:
            return


if __name__ == "__main__":
    with FastServer(handler, port=int(sys.argv[1]) if len(sys.argv) > 1 else 7878) as server:
        print(server.url, flush=True)
        server.serve_forever()
