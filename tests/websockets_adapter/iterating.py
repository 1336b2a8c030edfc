"""Scenarios: `async for` over messages."""

from tests.conftest import BINARY, CLOSE, TEXT, frame

from .receiving import sends
from .scripts import closing, scenario


def iterates_to(*end):
    async def play(script):
        async def server(peer):
            await peer.send(frame(TEXT, b"a"), frame(BINARY, b"b"), *end)
            if end:
                await peer.hear()
            peer.end()
            await peer.hear_all()

        ws = await script.connect(await script.server(server))
        try:
            async for message in ws:
                script.note(message)
            script.note("ended")
        except Exception as error:  # noqa: BLE001 - noted
            script.note(error)
        script.state(ws)
        await script.attempt("again", anext(aiter(ws), "nothing"))

    return play


for name, end in {
    "1000": [closing(1000)],
    "1001": [closing(1001, b"going")],
    "no_code": [frame(CLOSE)],
    "1011": [closing(1011, b"oops")],
    "1006_of_a_cut": [],
    "4000": [closing(4000)],
}.items():
    iteration = iterates_to(*end)
    iteration.__name__ = f"iteration_ends_with_{name}"
    scenario(iteration)


@scenario
async def iteration_is_left_and_resumed(script):
    ws = await script.connect(
        await sends(script, *[frame(TEXT, str(n).encode()) for n in range(4)])
    )
    async for message in ws:
        script.note(message)
        if message == "1":
            break
    await script.recv(ws)
    async for message in ws:
        script.note(message)
        await ws.close()
    script.state(ws)
