"""Real servers behind one face: each plays a script against the client.

A script is a coroutine function that takes a peer, which is the server's end of a WebSocket.
"""

import contextlib
import os
import socket
import ssl
import subprocess

from aiohttp import WSMsgType, web
from websockets.asyncio.server import serve as websockets_serve

from wsclient import framing


class WebsocketsPeer:
    """The server's end of a WebSocket, in the `websockets` package."""

    def __init__(self, ws):
        self._ws = ws
        self.transport = ws.transport

    async def receive(self):
        return await self._ws.recv()

    async def send(self, message):
        await self._ws.send(message)

    async def send_fragments(self, *parts, text):
        await self._ws.send(iter(parts), text=text)

    async def ping(self, payload):
        """Send a ping and wait for its pong."""
        pong = await self._ws.ping(payload)
        await pong

    async def close(self, code, reason):
        await self._ws.close(code, reason)

    async def closed(self):
        """Wait for the closing handshake; returns the client's close code and reason."""
        await self._ws.wait_closed()
        return self._ws.close_code, self._ws.close_reason


class AiohttpPeer:
    """The server's end of a WebSocket, in aiohttp."""

    def __init__(self, ws, transport):
        self._ws = ws
        self.transport = transport

    async def receive(self):
        message = await self._next()
        assert message.type in {WSMsgType.TEXT, WSMsgType.BINARY}
        return message.data

    async def _next(self):
        while (message := await self._ws.receive()).type is WSMsgType.PING:
            await self._ws.pong(message.data)
        return message

    async def send(self, message):
        send = self._ws.send_str if isinstance(message, str) else self._ws.send_bytes
        await send(message)

    async def send_fragments(self, *parts, text):
        # aiohttp has no means for it.
        opcodes = [1 if text else 2] + [0] * len(parts)
        fins = [False] * (len(parts) - 1) + [True]
        for opcode, part, fin in zip(opcodes, parts, fins, strict=False):
            self.transport.write(framing.encode_frame(opcode, part, fin=fin, mask=False))

    async def ping(self, payload):
        """Send a ping and wait for its pong."""
        await self._ws.ping(payload)
        pong = await self._next()
        assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, payload)

    async def close(self, code, reason):
        await self._ws.close(code=code, message=reason.encode())

    async def closed(self):
        """Wait for the closing handshake; returns the client's close code and reason."""
        message = await self._next()
        assert message.type is WSMsgType.CLOSE
        return message.data, message.extra


@contextlib.asynccontextmanager
async def websockets_server(play, *, subprotocols, tls):
    """Serve `play(peer)` with the `websockets` package; yields the port."""

    async def handle(ws):
        await play(WebsocketsPeer(ws))

    serving = websockets_serve(
        handle, "127.0.0.1", 0, ssl=tls, subprotocols=subprotocols or None, max_size=None
    )
    async with serving as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def aiohttp_server(play, *, subprotocols, tls):
    """Serve `play(peer)` with aiohttp; yields the port."""

    async def handle(request):
        ws = web.WebSocketResponse(protocols=subprotocols, autoping=False, max_msg_size=0)
        await ws.prepare(request)
        await play(AiohttpPeer(ws, request.transport))
        return ws

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


SERVERS = {"websockets": websockets_server, "aiohttp": aiohttp_server}

NGINX_CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(program, certificate, backend, folder):
    """Run nginx, which ends TLS in front of a port on loopback; yields its own port.

    The listening socket is inherited (nginx's own way to upgrade itself without a gap), so
    the port is free for sure, and connections wait in its queue until nginx is up.
    """
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "certificate.pem", append=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = folder / "nginx.conf"
        config.write_text(NGINX_CONFIG.format(folder=folder, port=port, backend=backend))
        process = subprocess.Popen(
            [program, "-p", folder, "-c", config, "-e", "stderr"],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
        )
    try:
        yield port
        assert process.poll() is None, "nginx has ended"
    finally:
        process.terminate()
        process.wait()


def server_tls(certificate):
    """Make a server's TLS context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
