"""aiohttp; content that is sent by length waits for 100 (Continue)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from tests.clients import STEPS, Step, run


async def pieces(step: Step) -> AsyncIterator[bytes]:
    for piece in step.pieces():
        yield piece


async def converse(url: str) -> list[tuple[int, bytes]]:
    results = []
    timeout = aiohttp.ClientTimeout(15)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for step in STEPS:
            data = pieces(step) if step.chunked else step.content
            async with session.request(
                step.method, url + step.path, data=data, expect100=bool(step.content)
            ) as response:
                results.append((response.status, await response.read()))
    return results


def hold(url: str) -> list[tuple[int, bytes]]:
    return asyncio.run(converse(url))


if __name__ == "__main__":
    run(hold)
