"""Messages inside messages, as deep as can be: dropping them does not overflow the stack."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

DEPTH = 200_000

PROGRAM = """
import gc, sys, threading
from wsclient import Message, MsgType
{setup}

class Held:
    dropped = 0
    def __del__(self):
        Held.dropped += 1

def nest():
    message = Held()
    for level in range({depth}):
        message = {layer}
    return message

def drop():
    message = nest()
    del message
    assert Held.dropped == 1, Held.dropped
    Held.dropped = 0

drop()
# What is kept of the dead for their next use is sound.
kept = [Message(MsgType.text, str(n), "") for n in range(3000)]
assert [message.data for message in kept] == [str(n) for n in range(3000)]
del kept
# The stack of a thread is smaller.
thread = threading.Thread(target=drop)
thread.start()
thread.join()
# In a cycle, it is the collector that drops them.
cycle = [nest()]
cycle.append(cycle)
del cycle
gc.collect()
assert Held.dropped == 1
print("well")
"""

ADAPTER = """
from wsclient.aiohttp.dialect import WSMessage, WSMessageTextBytes, dialect
dialect(decode_text=False)
"""


@pytest.mark.parametrize(
    "layer",
    [
        "Message(MsgType.text, message, '')",
        "Message(message, None, '')",
        "Message(MsgType.text, None, message)",
        "Message(MsgType.text, [message], '')",
        "Message(MsgType.text, (message, b'x'), {1: message})",
        "Message(message, str(level), b'%d' % level)",
    ],
)
def test_messages(layer):
    assert run("", layer) == "well"


@pytest.mark.parametrize(
    "layer",
    [
        "WSMessage(1, message, '')",
        "WSMessage(message, b'x', '')",
        "WSMessage(1, [message], '') if level % 2 else WSMessageTextBytes(1, message, '')",
        "WSMessage(1, message, '') if level % 2 else Message(1, message, '')",
    ],
)
def test_messages_of_the_adapter(layer):
    pytest.importorskip("aiohttp")
    assert run(ADAPTER, layer) == "well"


def run(setup, layer):
    program = PROGRAM.format(setup=setup, layer=layer, depth=DEPTH)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout.strip()
