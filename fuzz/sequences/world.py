"""What all parts of an episode share: chance, the trace, and what is wrong."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

__all__ = ["Interrupt", "RefusedError", "World", "chain"]


class Interrupt(KeyboardInterrupt):
    """Stands for Ctrl-C where no test can press it."""


class RefusedError(OSError):
    """What a loop's method raises that was told to fail."""


class _OutOfMemoryError(MemoryError):
    pass


FAULTS = (RefusedError, _OutOfMemoryError)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Go through an exception and what led to it."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += [one.__cause__, one.__context__]


class World:
    """One episode's state.

    Attributes:
        findings: What must not be, a short kind and a text.
        expected: Beginnings of what may be logged, warned of or told to the exception handler.
        armed: Methods of the loop that are to fail, each with how often it works before.
        raised: What such methods, and key functions, have raised.
        surfaced: Those `Interrupt` that have come out somewhere.
        over: The event loop is closed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.trace: list[str] = []
        self.findings: list[tuple[str, str]] = []
        self.expected: set[str] = set()
        self.armed: dict[str, int] = {}
        self.raised: list[BaseException] = []
        self.surfaced: list[BaseException] = []
        self.faulty = False
        self.over = False

    def random(self, *names: object) -> Random:
        """Make a source of chance that depends on the seed and a name alone."""
        return Random("/".join(map(str, (self.seed, *names))))

    def note(self, who: str, what: str) -> None:
        """Write into the trace."""
        line = f"{who:12} {what}"
        if self.trace and self.trace[-1].startswith(line):
            self.trace[-1] = f"{line} (again)"
        else:
            self.trace.append(line)

    def find(self, kind: str, text: str) -> None:
        """Write down what must not be; what follows from it may be more of its kind."""
        if all(kind != one for one, _ in self.findings):
            self.findings.append((kind, text))
            self.note("FINDING", f"{kind}: {text}")

    def is_injected(self, error: BaseException | None) -> bool:
        """Tell whether an exception, or what led to it, is one of those that were injected."""
        return any(isinstance(one, FAULTS) for one in chain(error))

    def strike(self, method: str) -> None:
        """Raise, if a method of the loop is to fail now."""
        left = self.armed.get(method)
        if left is None:
            return
        if left:
            self.armed[method] = left - 1
            return
        del self.armed[method]
        error = FAULTS[len(self.raised) % 2]("injected", method)
        self.raised.append(error)
        self.note("fault", f"{method} raises {type(error).__name__}")
        raise error

    def complain(self, kind: str, error: BaseException, text: str = "") -> None:
        """Write down an exception that must not be, unless it was injected."""
        if isinstance(error, Interrupt):
            self.surfaced.append(error)
        elif not self.is_injected(error):
            shown = "".join(traceback.format_exception(error))
            self.find(kind, f"{text}{type(error).__name__}: {error}\n{shown}")

    def is_expected(self, text: str) -> bool:
        """Tell whether something that was logged or told has to be so."""
        return text.startswith(tuple(self.expected))

    def loop_told(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002 - asyncio's
        """Judge what the loop's exception handler is told."""
        message, error = str(context.get("message")), context.get("exception")
        self.note("loop told", f"{message} {error!r}")
        if isinstance(error, Interrupt):
            # Told is not raised; but uvloop's own TLS raises nothing out of a read.
            if message.startswith("Fatal error on transport TCPTransport"):
                self.surfaced.append(error)
            return
        if self.is_expected(message) or self.is_injected(error) or _is_servers(context):
            return
        shown = "".join(traceback.format_exception(error)) if error else ""
        self.find("told to the loop's exception handler", f"{context!r}\n{shown}")

    def unraisable(self, hooked: Any) -> None:
        """Judge what nobody could catch."""
        error = hooked.exc_value
        text = f"{hooked.err_msg or 'Exception ignored in'} {hooked.object!r}: {error!r}"
        self.note("unraisable", text)
        if not self.is_injected(error):
            shown = "".join(traceback.format_exception(error)) if error else ""
            self.find("unraisable", f"{text}\n{shown}")

    def warned(self, message: Warning | str, category: type[Warning], *_: object) -> None:
        """Judge a warning."""
        text = str(message)
        self.note("warning", text.partition("\n")[0])
        if not (self.is_expected(text) or self.is_injected(sys.exc_info()[1])):
            self.find("warning", f"{category.__name__}: {text}")


def _is_servers(context: dict[str, Any]) -> bool:
    """Tell whether a message is about the hostile server's end, which is asyncio's affair."""
    protocol = context.get("protocol")
    app = getattr(protocol, "_app_protocol", protocol)
    message = str(context.get("message"))
    return type(app).__name__ == "Hostile" or (
        protocol is not None and message.startswith(("SSL handshake failed", "SSL error"))
    )


class Listener(logging.Handler):
    """Judges what is logged."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.INFO)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - a record that cannot be formatted is a finding
            text = f"{record.msg}, which cannot be formatted: {error!r}"
            self._world.find("logged", text)
            return
        error = record.exc_info[1] if record.exc_info else None
        known = self._world.is_expected(text) or self._world.is_injected(error)
        if record.levelno >= logging.ERROR and not known:
            self._world.find("logged", text)


def watch(world: World) -> None:
    """Let a world hear of all that is told, logged, warned of and cannot be raised."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(Listener(world))
    logging.getLogger("wsclient").setLevel(logging.INFO)
    warnings.resetwarnings()
    warnings.simplefilter("always")
    warnings.showwarning = world.warned
    sys.unraisablehook = world.unraisable
