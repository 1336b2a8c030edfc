"""A terminal, emulated: what somebody sees who sits before a command."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

PATIENCE = 60
"""Seconds after which what was to be seen will not come any more."""


class _Screen(pyte.HistoryScreen):
    """Answers a program that asks where the cursor is."""

    answer = None

    def write_process_input(self, data):
        self.answer(data.encode())

    def set_title(self, title):
        self.title_was_set = title


class Terminal:
    """Runs a command.

    Args:
        arguments: The command's.
        columns: Of the terminal.
        lines: Of the terminal.
        env: Further variables of the environment.
        stdin: What the command reads instead of what is typed.
        stderr: Where its standard error goes instead.
    """

    def __init__(self, *arguments, columns=80, lines=24, env=(), stdin=None, stderr=None):
        self._master, slave = pty.openpty()
        self._screen = _Screen(columns, lines, history=10_000)
        self._screen.answer = self.type
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.resize(columns, lines)
        self._modes = termios.tcgetattr(self._master)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wsclient", *arguments],
            stdin=slave if stdin is None else stdin,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
            env={**os.environ, "TERM": "xterm-256color", **dict(env)},
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self):
        """Be no terminal any more, as when its window is closed."""
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def resize(self, columns, lines):
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
        self._screen.resize(lines, columns)
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def type(self, text):
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def enter(self, text):
        self.type(text + "\r")

    @property
    def lines(self):
        """The lines that are to be seen, those that have gone up included."""
        gone = [
            "".join(line[column].data for column in range(self._screen.columns))
            for line in self._screen.history.top
        ]
        return [line.rstrip() for line in (*gone, *self._screen.display)]

    @property
    def text(self):
        return "\n".join(self.lines).rstrip("\n")

    def colour(self, text):
        """The colour that the first character of a text has on the screen."""
        for row, line in enumerate(self._screen.display):
            if text in line:
                return self._screen.buffer[row][line.index(text)].fg
        return None

    @property
    def title(self):
        return getattr(self._screen, "title_was_set", None)

    def read(self, wait):
        """Take in what the command has written; false if it writes nothing any more."""
        ready, _, _ = select.select([self._master], [], [], wait)
        if not ready:
            return True
        with contextlib.suppress(OSError):  # the command has ended
            data = os.read(self._master, 65536)
            self.raw += data
            self._stream.feed(data)
            return bool(data)
        return False

    def wait_until_full(self):
        """Read nothing until the terminal takes no more of what the command writes."""
        before, waiting = -1, 0
        deadline = time.monotonic() + PATIENCE
        while waiting > before or not waiting:
            assert time.monotonic() < deadline, self.text
            # Nothing tells that a command waits to write.
            time.sleep(0.2)
            answer = fcntl.ioctl(self._master, termios.FIONREAD, struct.pack("i", 0))
            before, waiting = waiting, struct.unpack("i", answer)[0]

    def see(self, *wanted):
        """Wait until all of some texts are to be seen."""
        deadline = time.monotonic() + PATIENCE
        while not all(text in self.text for text in wanted):
            writes = self.read(1)
            if not (writes and time.monotonic() < deadline):
                missing = [text for text in wanted if text not in self.text]
                assert not missing, f"not to be seen: {missing}\n{self.text}"

    def see_prompt(self, typed=""):
        """Wait until the last line is a prompt, with what has been typed."""
        deadline = time.monotonic() + PATIENCE
        while self.text.rpartition("\n")[2] != f"> {typed}".rstrip():
            assert self.read(1), self.text
            assert time.monotonic() < deadline, self.text

    def end(self, status):
        """Wait for the command's end, with this status and the terminal as it was before."""
        deadline = time.monotonic() + PATIENCE
        while self.read(1):
            assert time.monotonic() < deadline, self.text
        assert self.process.wait(PATIENCE) == status, self.text
        assert termios.tcgetattr(self._master) == self._modes
