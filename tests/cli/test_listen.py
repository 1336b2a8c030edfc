"""`wsclient listen`: each message a line."""

from wsclient.testing import Script, serve


async def test_each_message_is_a_line(wsclient):
    async with serve(Script().send("first").send(b"\x00\xff").send("third")) as server:
        ran = await wsclient("listen", server.url)
    assert ran.out == "first\n00ff\nthird\n"
    assert ran.status == 0
    assert ran.err == ""
