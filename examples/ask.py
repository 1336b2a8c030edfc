"""Ask many questions over one connection: `python examples/ask.py ws://HOST/`.

The server answers `{"id": 1, "ask": ...}` with `{"id": 1, "answer": ...}`, in any order.
"""

import asyncio
import itertools
import sys
from typing import Any

import wsclient


class Caller:
    """Sends requests, and gives each the answer with its number."""

    def __init__(self, ws: wsclient.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.numbers = itertools.count(1)
        self.waiting: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, question: str, timeout: float = 10) -> Any:
        number = next(self.numbers)
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self.ws.send_json({"id": number, "ask": question})
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            # An answer that comes too late belongs to nobody.
            del self.waiting[number]

    async def listen(self) -> None:
        async for msg in self.ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                reply = msg.json()
                waiting = self.waiting.get(reply["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply["answer"])
        # Nobody waits for a connection that has ended.
        error = self.ws.exception() or ConnectionError(f"closed, code {self.ws.close_code}")
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(error)


async def main(url: str) -> None:
    async with wsclient.ws_connect(url) as ws:
        caller = Caller(ws)
        listening = asyncio.create_task(caller.listen())
        questions = [f"question {number}" for number in range(5)]
        answers = await asyncio.gather(*map(caller.ask, questions))
        for question, answer in zip(questions, answers, strict=True):
            print(f"{question}: {answer}")
        await ws.close()
        await listening


asyncio.run(main(sys.argv[1]))
