"""Real proxies, each on a port of loopback that is its own for a while."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from tests.ports import free_port

USER, PASSWORD = "someone", "pass-word"
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])

TINYPROXY = """
Listen 127.0.0.1
Port {port}
LogLevel Error
"""

DANTE = """
logoutput: /dev/null
internal: 127.0.0.1 port = {port}
external: lo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
"""


def installed(name):
    return shutil.which(name, path=PATH)


def await_listener(port, process):
    for _ in range(600):
        assert process.poll() is None, f"{process.args[0]} has ended"
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        # Programs do not tell when they listen.
        time.sleep(0.05)
    raise AssertionError(f"{process.args[0]} does not listen")


@contextlib.contextmanager
def running(port, *command):
    """Run a proxy; yields its port."""
    process = subprocess.Popen(
        [os.fspath(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await_listener(port, process)
        yield port
        assert process.poll() is None, f"{command[0]} has ended"
    finally:
        # With its children, some of which would not end by themselves.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tinyproxy(folder, *, auth=False):
    """HTTP, by CONNECT."""
    port = free_port()
    config = folder / "tinyproxy.conf"
    text = TINYPROXY.format(port=port)
    config.write_text(text + f"BasicAuth {USER} {PASSWORD}\n" if auth else text)
    return running(port, installed("tinyproxy"), "-d", "-c", config)


def proxy_py(folder, *, auth=False, certificate=None):
    """HTTP, by CONNECT, with TLS or without."""
    port = free_port()
    options = ["--basic-auth", f"{USER}:{PASSWORD}"] if auth else []
    if certificate is not None:
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(folder / "certificate.pem", append=True)
        options += ["--key-file", folder / "key.pem", "--cert-file", folder / "certificate.pem"]
    return running(
        port,
        *(sys.executable, "-W", "ignore", "-m", "proxy", "--hostname", "127.0.0.1"),
        *("--port", f"{port}", "--num-workers", "1", "--num-acceptors", "1"),
        *("--timeout", "60", "--data-dir", folder / "data", "--log-level", "CRITICAL"),
        *options,
    )


def microsocks(_, *, auth=False):
    """SOCKS5."""
    port = free_port()
    options = ["-u", USER, "-P", PASSWORD] if auth else []
    return running(port, installed("microsocks"), "-i", "127.0.0.1", "-p", f"{port}", *options)


TINY_PROXY = """
import sys, anyio, tiny_proxy

async def main(port, *user):
    handler = tiny_proxy.Socks4ProxyHandler(*user)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=int(port))
    await listener.serve(handler.handle)

anyio.run(main, *sys.argv[1:])
"""


def tiny_proxy(_, *, auth=False):
    """SOCKS4 and SOCKS4a, which has names and no passwords."""
    port = free_port()
    return running(port, sys.executable, "-c", TINY_PROXY, f"{port}", *([USER] if auth else []))


def danted(folder):
    """SOCKS4 and SOCKS5."""
    port = free_port()
    config = folder / "danted.conf"
    config.write_text(DANTE.format(port=port))
    return running(port, installed("danted"), "-f", config)


KINDS = {
    "tinyproxy": (tinyproxy, ["http"]),
    "proxy.py": (proxy_py, ["http"]),
    "proxy.py-tls": (proxy_py, ["https"]),
    "microsocks": (microsocks, ["socks5", "socks5h"]),
    "danted": (danted, ["socks4", "socks5"]),
    "tiny_proxy": (tiny_proxy, ["socks4", "socks4a"]),
}
DEBIAN = {"tinyproxy", "microsocks", "danted"}
ROUTES = [(kind, scheme) for kind, (_, schemes) in KINDS.items() for scheme in schemes]
WITH_AUTH = [route for route in ROUTES if route[0] != "danted"]
