"""Hello on a raw socket: whoever connects is answered, asked or not.

python examples/from_scratch/step1_raw_socket.py [PORT]
"""

import socket
import sys

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nHello!\n"

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7878
with socket.create_server(("127.0.0.1", port)) as listener:
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)  # what has arrived by now: the request, or its first octet
            connection.sendall(ANSWER)
