"""Which name of this package does what the name from elsewhere does, or the misspelt one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any, NoReturn

__all__ = ["FUNCTIONS", "METHODS", "Elsewhere", "missing", "refuse_unexpected"]

# Each hint is what follows "use". Names are those of aiohttp, websockets, websocket-client (in this
# order), picows and httpx-ws.
_SSL = "ssl, which takes True, False, an ssl.SSLContext or a Fingerprint"
_HEARTBEAT = "heartbeat=Heartbeat(interval, timeout=...)"
_COMPRESS = "compress, which takes 15 or a PerMessageDeflate"
_PROXY = "proxy, which takes a URL, as 'http://user:password@host:3128'"
_RECEIVE = "what receive() returns, or async for"
_CONNECTOR = "connector=TCPConnector({0}=...)"

_OPTIONS = {
    # aiohttp
    "allow_redirects": "max_redirects, of which 0 follows none",
    "conn_timeout": "connect_timeout",
    "fingerprint": "ssl=Fingerprint(...)",
    "json_serialize": "dumps of send_json()",
    "method": "no method: a WebSocket is opened with GET (RFC 6455 §4.1)",
    "read_timeout": "receive_timeout",
    "ssl_context": _SSL,
    "trace_configs": "trace",
    "verify_ssl": _SSL,
    # websockets
    "additional_headers": "headers",
    "close_timeout": "timeout",
    "compression": _COMPRESS,
    "create_connection": "connector, or ws_response_class",
    "create_protocol": "ws_response_class",
    "extensions": _COMPRESS,
    "extra_headers": "headers",
    "klass": "ws_response_class",
    "logger": "the loggers below 'wsclient'",
    "max_size": "max_msg_size",
    "open_timeout": "connect_timeout",
    "ping_interval": _HEARTBEAT,
    "ping_timeout": _HEARTBEAT,
    "sock": "connector=TCPConnector(socket_factory=...)",
    "subprotocols": "protocols",
    "unix": "connector=UnixConnector(path)",
    "user_agent_header": "headers={'User-Agent': ...}",
    # websocket-client
    "cookie": "cookies of ClientSession, or headers={'Cookie': ...}",
    "enable_multithread": "loop.call_soon_threadsafe() from other threads",
    "header": "headers, which takes a mapping",
    "http_no_proxy": "trust_env, with NO_PROXY in the environment",
    "http_proxy_auth": "proxy_auth",
    "http_proxy_host": _PROXY,
    "http_proxy_port": _PROXY,
    "on_close": _RECEIVE,
    "on_data": _RECEIVE,
    "on_error": _RECEIVE,
    "on_message": _RECEIVE,
    "on_open": "what ws_connect() returns, which is open",
    "ping_payload": "heartbeat=Heartbeat(interval, payload=...)",
    "proxy_type": _PROXY,
    "redirect_limit": "max_redirects",
    "sockopt": "connector=TCPConnector(socket_options=...)",
    "sslopt": _SSL,
    "suppress_origin": "origin, of which None sends none",
    # picows
    "auto_ping_idle_timeout": _HEARTBEAT,
    "auto_ping_reply_timeout": _HEARTBEAT,
    "auto_ping_strategy": "heartbeat=Heartbeat(interval, periodic=True)",
    "enable_auto_ping": _HEARTBEAT,
    "enable_auto_pong": "autoping",
    "websocket_handshake_timeout": "connect_timeout",
    # httpx-ws
    "keepalive_ping_interval_seconds": _HEARTBEAT,
    "keepalive_ping_timeout_seconds": _HEARTBEAT,
    "max_message_size_bytes": "max_msg_size",
    "queue_size": "max_queue",
    # This package's own, in other places.
    **dict.fromkeys(
        ("base_url", "connector_owner", "cookie_jar", "cookies"), "{0} of ClientSession"
    ),
    **dict.fromkeys(
        ("healthy_after", "on_state", "process_exception", "reconnect_delays"), "reconnect()"
    ),
    **dict.fromkeys(
        (
            "dns_cache_max_size",
            "family",
            "happy_eyeballs_delay",
            "limit",
            "limit_per_host",
            "local_addr",
            "resolver",
            "socket_factory",
            "socket_options",
            "ttl_dns_cache",
            "use_dns_cache",
        ),
        _CONNECTOR,
    ),
    "connector": "{0} of ClientSession",
    "loop": "{0} of ClientSession",
}

_OF_CONNECTORS = {
    "fingerprint": "ssl=Fingerprint(...)",
    "keepalive_timeout": "nothing: there is no pool of idle connections",
    "ssl_context": _SSL,
    "timeout": "connect_timeout of ws_connect()",
    "verify_ssl": _SSL,
}

_SEND = "send_str() for text, send_bytes() for binary"

METHODS = {
    # websockets, and websocket-client where the names are its own
    "recv": "receive(), receive_str() or receive_bytes()",
    "recv_data": "receive()",
    "recv_frame": "receive()",
    "recv_streaming": "receive_streaming()",
    "send": _SEND,
    "send_binary": "send_bytes()",
    "settimeout": "receive_timeout of ws_connect(), or receive(timeout)",
    "state": "closed",
    "subprotocol": "protocol",
    "wait_closed": "close()",
    # httpx-ws, Starlette, picows
    "iter_json": "async for, and json() of the message",
    "iter_text": "async for",
    "receive_text": "receive_str()",
    "send_ping": "ping()",
    "send_pong": "pong()",
    "send_text": "send_str()",
    "subprotocols": "protocol",
    "disconnect": "close()",
}
"""What `ClientWebSocketResponse` does not have, and what it has instead."""

FUNCTIONS = {
    "ClientConnection": "ClientWebSocketResponse",
    "ClientTimeout": "ClientWSTimeout",
    "ConnectionClosed": "what receive() returns: a message whose tp is MsgType.closed",
    "WSMsg": "Message",
    "WebSocket": "ClientWebSocketResponse",
    "WebSocketApp": "ws_connect() or reconnect()",
    "WebSocketClientProtocol": "ClientWebSocketResponse",
    "aconnect_ws": "ws_connect()",
    "connect": "ws_connect(), or reconnect() for connecting again and again",
    "connect_ws": "ws_connect()",
    "create_connection": "ws_connect()",
    "unix_connect": "ws_connect(url, connector=UnixConnector(path))",
    "websocket_connect": "ws_connect()",
}
"""What the package does not have, and what it has instead."""


def refuse_unexpected(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse keyword arguments that a function does not have.

    Args:
        function: Its name, for the error.
        given: The names of what it was called with.
        known: Those that it has.

    Raises:
        TypeError: There are some; it says what they should have been.
    """
    table = _OF_CONNECTORS if function.endswith("Connector") else _OPTIONS
    unexpected = sorted(set(given) - set(known))
    if not unexpected:
        return
    told = [repr(name) + _instead(name, table, known) for name in unexpected]
    what = "an unexpected keyword argument" if len(told) == 1 else "unexpected keyword arguments"
    raise TypeError(f"{function}() got {what} {', '.join(told)}")


def _instead(name: str, table: Mapping[str, str], known: Collection[str]) -> str:
    # What it was meant for may be foreign and misspelt.
    nearest = [name] if name in table else get_close_matches(name, [*known, *table], 1)
    if not nearest:
        return ""
    if nearest[0] in known:
        return f" (did you mean {nearest[0]!r}?)"
    return f" (use {table[nearest[0]].replace('{0}', nearest[0])})"


def missing(owner: str, name: str, table: Mapping[str, str]) -> AttributeError:
    """Make the error for an attribute that there is not.

    Args:
        owner: Whose it would be, as Python's own texts begin.
        name: The attribute.
        table: What to use instead.
    """
    hint = f"; use {table[name]}" if name in table else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}")


class Elsewhere:
    """An attribute that a class does not have, whose absence says what to use instead.

    A ``__getattr__`` would slow down every look-up of a method, as CPython then caches none.

    Args:
        owner: The class.
        name: The attribute.
    """

    def __init__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name

    def __get__(self, instance: object, kind: type) -> Any:
        # Of several bases, another one may have it.
        owner: Any = self._owner
        try:
            above = super(owner, kind if instance is None else instance)  # pyright: ignore[reportUnknownVariableType]
            return getattr(above, self._name)  # pyright: ignore[reportUnknownArgumentType]
        except AttributeError:
            self._fail(instance, kind)

    def __repr__(self) -> str:
        return f"<not here; use {METHODS[self._name]}>"

    def _fail(self, instance: object, kind: type) -> NoReturn:
        owner = (
            f"type object {kind.__name__!r}" if instance is None else f"{kind.__name__!r} object"
        )
        raise missing(owner, self._name, METHODS) from None
