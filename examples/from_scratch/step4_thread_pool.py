"""The same with eight threads for all connections: the memory they take is bounded.

python examples/from_scratch/step4_thread_pool.py [PORT]
"""

from concurrent.futures import ThreadPoolExecutor

from step2_buffered import listen, serve

with listen() as listener, ThreadPoolExecutor(max_workers=8) as pool:
    while True:
        pool.submit(serve, listener.accept()[0])
