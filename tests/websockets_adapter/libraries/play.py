"""Play a library's program on both event loops: `play.py PROGRAM HOW`.

HOW says on which client: "plain" is `websockets`, as it is with "uninstalled", where the library
was imported while the adapter was installed. With "installed first" and "imported first", named for
what came first, it is this one.
"""

import asyncio
import contextlib
import importlib
import logging
import sys

import uvloop


def installed():
    import wsclient.websockets

    return wsclient.websockets.install()


def play(program, how):
    # That they reconnect; errors stay, as of exceptions that nobody has seen.
    logging.disable(logging.WARNING)
    with contextlib.ExitStack() as stack:
        if how in {"installed first", "uninstalled"}:
            stack.enter_context(installed())
        module = importlib.import_module(program)
        if how == "uninstalled":
            stack.close()
        if how == "imported first":
            stack.enter_context(installed())
        for new_event_loop in (asyncio.new_event_loop, uvloop.new_event_loop):
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(asyncio.wait_for(module.main(), 60))


if __name__ == "__main__":
    play(*sys.argv[1:])
