"""The neutral server, started and stopped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from native import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        """Return the URL of one of the server's services: echo, push or sink."""
        if tls:
            return f"wss://localhost:{self.tls_port}/{path}"
        return f"ws://127.0.0.1:{self.port}/{path}"


@contextlib.contextmanager
def running(core: int) -> Iterator[Server]:
    """Run the server on one processor core."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(folder / "certificate.pem", append=True)
        command = [str(PROGRAM), "serve", str(folder / "certificate.pem"), str(folder / "key.pem")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                os.sched_setaffinity(process.pid, {core})
                port, tls_port = process.stdout.readline().split()
                yield Server(int(port), int(tls_port), str(folder / "authority.pem"))
            finally:
                process.terminate()
