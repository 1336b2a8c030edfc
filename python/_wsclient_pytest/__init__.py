"""The pytest plugin of `wsclient.testing`, which pytest loads wherever wsclient is installed.

It stands outside of the package, which is imported when a test first uses a fixture of it.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from wsclient.testing import FaultProxy, Server

__all__ = ["fault_proxy", "pytest_runtest_call", "websocket_server"]

_STACK = "_wsclient_servers"


@pytest.fixture(name=_STACK)
def _servers(request: pytest.FixtureRequest) -> AsyncExitStack:
    """Hold the servers and proxies of a test, which `pytest_runtest_call` ends."""
    if not inspect.iscoroutinefunction(request.function):
        raise pytest.UsageError(
            "websocket_server and fault_proxy are for tests that are coroutine functions; elsewhere"
            " use wsclient.testing.serve, in a `with` statement if there is no event loop"
        )
    return AsyncExitStack()


@pytest.fixture
def websocket_server(_wsclient_servers: AsyncExitStack) -> Callable[..., Awaitable[Server]]:
    """Start a WebSocket server that ends with the test.

    ``await websocket_server(handler)``; it takes what `wsclient.testing.serve` does.
    """

    def start(*handlers: Any, **options: Any) -> Awaitable[Server]:
        from wsclient import testing  # noqa: PLC0415 - when it is used

        return _wsclient_servers.enter_async_context(testing.serve(*handlers, **options))

    return start


@pytest.fixture
def fault_proxy(_wsclient_servers: AsyncExitStack) -> Callable[..., Awaitable[FaultProxy]]:
    """Start a proxy that ends with the test.

    ``await fault_proxy(url)``; it takes what `wsclient.testing.FaultProxy` does.
    """

    def start(*arguments: Any, **options: Any) -> Awaitable[FaultProxy]:
        from wsclient import testing  # noqa: PLC0415 - when it is used

        return _wsclient_servers.enter_async_context(testing.FaultProxy(*arguments, **options))

    return start


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """End what a test has started within its own event loop, whichever plugin has made that.

    A fixture's end would be run by one plugin or another, and by none in their strict modes.
    """
    stack = getattr(item, "funcargs", {}).get(_STACK)
    if stack is None or not isinstance(item, pytest.Function):
        return (yield)
    test = item.obj

    @functools.wraps(test)
    async def test_and_end(*args: Any, **kwargs: Any) -> None:
        async with stack:
            await test(*args, **kwargs)

    item.obj = test_and_end
    try:
        return (yield)
    finally:
        item.obj = test
