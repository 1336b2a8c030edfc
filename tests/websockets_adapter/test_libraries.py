"""Libraries that open WebSockets by `websockets`, as they are on PyPI, on either client.

Some are not in the extra `test`, as they bring much with them or have to be compiled for some
Pythons: google-genai, openai, pysignalr and web3. They run where they are installed.
"""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from .scripts import VERSION

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).with_name("libraries")

# What a library's user and the server at the other end see, on each event loop. The programs print
# whose connection it is that the library has.
SAID = {
    ("simpleobsws", "simpleobsws"): """\
True True
{client} obswebsocket.msgpack
{'rpcVersion': 1}
True
False no GetNothing of {'of': 'it'}
[True, False]
['STARTING', 'STARTED', 'RECONNECTING']
4010 Session invalidated. False
Calls to requests cannot be made without being identified with obs-websocket.
4010 (private use) Session invalidated.
True True
True
True 1000 (OK)
4009 Authentication failed. False
4009 (private use) Authentication failed.
""",
    ("gql", "gql"): """\
{client} graphql-transport-ws
this
hello
0
1
2
alive
{'answer': 0}
Error trying to receive data: ConnectionClosedError | received 4403 (private use) Forbidden; then sent 4403 (private use) Forbidden
4403 (private use) Forbidden
hello
1000 (OK)
""",
    ("polygon", "polygon-api-client"): """\
A 1.5 1
{client}
B 1.5 1
C 1.5 2
A 1.5 3
C 1.5 3
('subscribe', ['T.A', 'T.B'])
('subscribe', ['T.C'])
('subscribe', ['T.A', 'T.C'])
1012 (service restart) restart
1000 (OK)
authentication failed
{failed}
1011 (internal error) too slow | 1011 (internal error) too slow | True
1011 (internal error) too slow
1011 (internal error) too slow
""",
    ("samsungtvws", "samsungtvws"): """\
{client} True t
[{'appId': '1', 'name': 'News'}]
('ed.installedApp.get', {'data': [{'appId': '1', 'name': 'News'}]})
('pressed', {'key': 'KEY_UP'})
('pressed', {'key': 'KEY_DOWN'})
False 1011 (internal error) off
received 1011 (internal error) off; then sent 1011 (internal error) off
True ('pressed', {'key': 'KEY_MUTE'})
False 1000 (OK)
{'event': 'ms.channel.unauthorized', 'data': {}}
False 4401 (private use) not paired
""",
    ("centrifuge", "centrifuge-python"): """\
connecting 0 connect called
connected c
{client} [0, 1, 2, 'pong']
[3, 2, 1]
[{'said': 'hello'}]
connecting 3001 shutdown
ClientDisconnectedError
3001 (registered) shutdown
connected c
[0, 1, 2, 'pong'] cba
disconnected 3501 bad request
ClientDisconnectedError
3501 (registered) bad request
connecting 0 connect called
connected c
disconnected 0 disconnect called
1000 (OK)
""",
    ("pysignalr", "pysignalr"): """\
open
{client}
3
pinged
['why? because']
[0, 1, 2] None
closed 1012
open
{client}
3
pinged
['why? because']
[0, 1, 2] None
1011
""",
    ("openai", "openai"): """\
{client}
/v1/realtime?model=m
session.updated
response.output_audio.delta True
response.done
['Hello', ', ', 'you']
reconnecting 1 1012
/v1/realtime?model=m&again=1
session.updated
response.output_audio.delta True
response.done
['Hello', ', ', 'you']
1012 (service restart) restart
1000 (OK)
session.created
received 4000 (private use) session expired; then sent 4000 (private use) session expired
4000 (private use) session expired
Cross-origin WebSocket redirects are not allowed
""",
    ("genai", "google-genai"): """\
{client} s
you said  False None
hello False None
None True None
None False True
you said  False None
again False None
None True None
None False True
1011 None. overloaded
1011 (internal error) overloaded
you said  False None
hello False None
None True None
None False True
1000 (OK)
1008 None. no such model
1008 (policy violation) no such model
""",
    ("web3", "web3"): """\
{client} True
1 42
{'code': -32601, 'message': 'no eth_gasPrice'}
0 32
1 32
2 32
received 1012 (service restart) restart; then sent 1012 (service restart) restart False
1012 (service restart) restart
{client} True
1 42
{'code': -32601, 'message': 'no eth_gasPrice'}
0 32
1 32
2 32
True
1000 (OK) False
""",
}

NEEDS = {"simpleobsws": (14, 2), "gql": (14, 2), "centrifuge": (15, 0)}
"""The oldest websockets that a program's library runs with, whatever it says itself."""

# Up to websockets 16, `async with connect(...)` closes with 1000 whatever its body raises.
FAILED = "1011 (internal error)" if VERSION > (17,) else "1000 (OK)"

needs_adapter = pytest.mark.skipif(
    importlib.util.find_spec("wsclient.websockets") is None, reason="wsclient.websockets is missing"
)


@pytest.mark.parametrize(
    ("how", "client"),
    [
        ("plain", "websockets"),
        pytest.param("installed first", "wsclient", marks=needs_adapter),
        pytest.param("imported first", "wsclient", marks=needs_adapter),
        pytest.param("uninstalled", "websockets", marks=needs_adapter),
    ],
    ids=["plain", "installed-first", "imported-first", "uninstalled"],
)
@pytest.mark.parametrize(("program", "distribution"), SAID, ids=[name for name, _ in SAID])
def test_a_library(program, distribution, how, client):
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed")
    if NEEDS.get(program, VERSION) > VERSION:
        pytest.skip(f"{distribution} needs websockets {NEEDS[program]}")
    # Libraries patch what they import: each has a process of its own.
    process = subprocess.run(
        [sys.executable, "-W", "error", PROGRAMS / "play.py", f"with_{program}", how],
        capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "")
    said = SAID[program, distribution].replace("{client}", client).replace("{failed}", FAILED)
    assert process.stdout == said * 2
