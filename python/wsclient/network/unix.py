"""`UnixConnector`: sockets that have a path."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from wsclient.arguments import read_type
from wsclient.exceptions import UnixClientConnectorError
from wsclient.suggestions import refuse_unexpected

from .connector import BaseConnector
from .connector_arguments import parameters_of
from .transport import Reached

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    from .peer import Peer
    from .proxy import Proxy
    from .tls import SSLSetting

__all__ = ["UnixConnector"]


class UnixConnector(BaseConnector):
    """Connects to a Unix socket, whatever host a URL names. Mirrors ``aiohttp.UnixConnector``.

    Args:
        path: The socket's path.
        ssl: How TLS is verified where a call is not told, see `TCPConnector`.
        limit: Connections that may be open at once; 0 for any number.
        limit_per_host: The same for one host and port of the URLs.
        loop: The event loop, for callers of aiohttp 0.17.
        unexpected: There are no others, as for `TCPConnector`.

    Raises:
        TypeError: An argument has the wrong type, or is none that there is.
        ValueError: A limit is negative.
    """

    network = False

    def __init__(
        self,
        path: str,
        *,
        ssl: SSLSetting = True,
        limit: int = 0,
        limit_per_host: int = 0,
        loop: asyncio.AbstractEventLoop | None = None,
        **unexpected: Never,
    ) -> None:
        refuse_unexpected("UnixConnector", unexpected, parameters_of(UnixConnector))
        super().__init__(ssl=ssl, limit=limit, limit_per_host=limit_per_host, loop=loop)
        read_type("path", path, str, "str")
        self._path = path

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, path {self._path!r}>"

    @property
    def path(self) -> str:
        """The socket's path."""
        return self._path

    async def _reach(
        self,
        peer: Peer,  # noqa: ARG002 - there is one socket
        proxy: Proxy | None,
        progress: Callable[[str], None],
    ) -> Reached:
        if proxy is not None:
            raise ValueError("a UnixConnector cannot go through a proxy")
        progress("unix")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, self._path)
        except OSError as error:
            sock.close()
            raise UnixClientConnectorError(self._path, error) from error
        except BaseException:
            sock.close()
            raise
        return Reached(sock)
