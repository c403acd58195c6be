"""The same with a thread for each connection: nobody waits for another client.

python examples/from_scratch/step3_thread_each.py [PORT]
"""

import threading

from step2_buffered import listen, serve

with listen() as listener:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
