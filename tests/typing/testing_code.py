"""Tests as users of `wsclient.testing` write them; see `user_code.py`."""

import re
import ssl
from collections.abc import Awaitable, Callable
from typing import assert_type

from wsclient import testing
from wsclient.testing import FaultProxy, Script, Server, ServerConnection


async def handler(ws: ServerConnection) -> None:
    assert_type(await ws.expect({"op": "subscribe"}), str | bytes)
    assert_type(await ws.recv(), str | bytes)
    async for message in ws:
        assert_type(message, str | bytes)
        await ws.send(message, fragments=2)
    await ws.send({"a": [1, None]}, slow=0.1)
    await ws.send([1], cut_after=3)
    await ws.close(1001, "bye")
    await ws.send(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(ws.request.headers["Host"], str)
    assert_type(ws.subprotocol, str | None)


def scripts() -> Script:
    script = Script().expect("a").expect(re.compile("b")).expect(str).send(b"c").stall(1.0)
    assert_type(script, Script)
    return script.expect_close(1000, "bye").drop().reset().close()


async def test(context: ssl.SSLContext) -> None:
    refusal = testing.refuse(503, headers={"Retry-After": "1"}, body="later")
    async with testing.serve(handler, scripts(), refusal, ssl=context) as server:
        assert_type(server, Server)
        assert_type(server.received, list[str | bytes])
        assert_type(server.ssl_context, ssl.SSLContext | None)
        await server.wait_finished(timeout=1)
        await server.connections[0].reset()
    async with testing.serve(process_request=lambda request: refusal if request.path else None):
        pass
    async with FaultProxy(server.url, on_connect=lambda ws: ws.strike("cut", after=5)) as proxy:
        assert_type(proxy.url, str)
        proxy.strike("half-open")
        proxy.strike("slow")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with testing.serve() as in_a_thread:
        assert_type(in_a_thread, Server)


async def fixtures(
    websocket_server: Callable[..., Awaitable[Server]],
    fault_proxy: Callable[..., Awaitable[FaultProxy]],
) -> None:
    server = await websocket_server(handler)
    assert_type(await fault_proxy(server.url), FaultProxy)


def kinds(own: testing.Handler) -> None:
    testing.serve(own, testing.echo)
    testing.serve(lambda ws: None)  # type: ignore[arg-type,return-value]  # pyright: ignore[reportArgumentType]
