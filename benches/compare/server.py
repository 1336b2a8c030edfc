"""The neutral server, started and stopped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import feed
import trustme
from native import PROGRAM

from wsclient.framing import encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT, RSV1 = 1, 4


@dataclass(frozen=True)
class Server:
    """Where the server listens.

    Attributes:
        port: Speaks plain TCP.
        tls_port: Speaks TLS.
        authority: A file with the certificate that vouches for the server's.
    """

    port: int
    tls_port: int
    authority: str

    def url(self, path: str, *, tls: bool) -> str:
        """Return the URL of one of the server's services."""
        if tls:
            return f"wss://localhost:{self.tls_port}/{path}"
        return f"ws://127.0.0.1:{self.port}/{path}"


def frames(messages: tuple[str, ...], *, deflated: bool = False) -> bytes:
    """Encode what the server sends.

    Each message is compressed with what the ones before it have left in the window, but the first:
    so a connection that has had the last may have the first again.
    """
    compressor = zlib.compressobj(wbits=-15)
    parts = []
    for message in messages:
        data = message.encode()
        if deflated:
            flushed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            data = flushed[:-4]  # RFC 7692 §7.2.1
        parts.append(encode_frame(TEXT, data, rsv=RSV1 if deflated else 0, mask=False))
    return b"".join(parts)


def write_feeds(folder: Path) -> None:
    """Write the files that the server reads."""
    for name, encoded in {
        "feed": frames(feed.messages()),
        "feed-deflated": frames(feed.messages(), deflated=True),
        "tickers": frames(feed.tickers()),
        "books": frames(feed.books()),
    }.items():
        (folder / f"{name}.frames").write_bytes(encoded)


@contextlib.contextmanager
def running(core: int, speed: int = feed.SPEED) -> Iterator[Server]:
    """Run the server on one processor core; its feeds are `speed` times as fast as real ones."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(folder / "certificate.pem", append=True)
        write_feeds(folder)
        command = [str(PROGRAM), "serve", name, str(speed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                os.sched_setaffinity(process.pid, {core})
                port, tls_port = process.stdout.readline().split()
                yield Server(int(port), int(tls_port), str(folder / "authority.pem"))
            finally:
                process.terminate()
