"""What can be chosen for a connection: one list for all who take it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict

from yarl import URL

from .arguments import (
    kind_of,
    read_callable,
    read_count,
    read_flag,
    read_limit,
    read_seconds,
    read_type,
)
from .handshake.auth import BasicAuth
from .handshake.extensions import read_compress
from .handshake.headers import check_headers, check_protocols, check_value
from .heartbeat import read_heartbeat
from .network.proxy import parse_proxy, proxy_from_environment
from .network.tls import check_ssl
from .queue import Conflate, DropOldest
from .recording.recorder import Recorder
from .suggestions import refuse_unexpected
from .types import ClientWSTimeout
from .websocket import ClientWebSocketResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import TypeVar
    from yarl import Query

    from .handshake.extensions import PerMessageDeflate
    from .heartbeat import Heartbeat
    from .network.proxy import Proxy
    from .network.tls import SSLSetting
    from .queue import Queue
    from .tracing import ConnectStep
    from .types import LooseHeaders

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse)
    BytesWS = TypeVar(
        "BytesWS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse[bytes]
    )
    AnyWS = TypeVar(
        "AnyWS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse[Any]
    )
    _F = TypeVar("_F", bound=Callable[..., object])
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = ["DEFAULTS", "ConnectOptions", "Options", "check_url", "takes_options"]

MAX_MSG_SIZE = 4 * 1024 * 1024


class _Options(TypedDict, Generic[_WS], total=False):
    # All but the one that says what type the WebSocket has.
    protocols: Sequence[str]
    timeout: float | ClientWSTimeout | None
    receive_timeout: float | None
    connect_timeout: float | None
    ws_response_class: type[_WS]
    autoclose: bool
    autoping: bool
    heartbeat: float | Heartbeat | None
    busy_poll: float
    origin: str | None
    headers: LooseHeaders | None
    params: Query
    auth: BasicAuth | None
    max_redirects: int
    ssl: SSLSetting | None
    server_hostname: str | None
    proxy: str | URL | None
    proxy_auth: BasicAuth | None
    proxy_headers: LooseHeaders | None
    proxy_ssl: SSLSetting
    trust_env: bool
    compress: int | PerMessageDeflate
    max_msg_size: int
    max_frame_size: int
    queue: Queue | None
    max_queue: int | tuple[int, int] | None
    receive_time: bool
    trace: Callable[[ConnectStep], object] | None
    record: Recorder | None


class ConnectOptions(_Options[_WS], Generic[_WS], total=False):
    """The keyword arguments of `ws_connect` and `ClientSession`.

    What a call is not given is as the session was given it, and else the default. The names are
    those of ``aiohttp.ClientSession`` and its ``ws_connect``.

    Attributes:
        protocols: Subprotocols to offer, preferred ones first; none by default.
        timeout: Seconds to wait for the server in the closing handshake, 10 by default; None
            waits without end. Or all limits in one object, a `ClientWSTimeout`.
        receive_timeout: Seconds that one `receive` may take; None, the default, waits without end.
        connect_timeout: Seconds for all of opening: DNS, TCP, TLS, handshake, redirects; 10 by
            default; None for no bound.
        ws_response_class: The class of the WebSocket, `ClientWebSocketResponse` by default.
        autoclose: Answer the server's close frame, which is the default. If False, `receive`
            returns it as a message, and closing is the caller's, who may send until then.
        autoping: Answer pings, which is the default. If False, `receive` returns pings and pongs.
        heartbeat: Seconds of silence before a ping; a server silent for half of that again
            counts as dead. A `Heartbeat` has more to choose. None, the default, sends no pings.
        busy_poll: Seconds for which `receive` asks the socket again and again before it suspends,
            for a bot with a processor core of its own: the message is there without the kernel's
            and the event loop's waking anybody. Meanwhile no other task of the loop runs, so that
            each waits for up to this long, which is 1 at most. Not with TLS. 0, the default, does
            not ask.
        origin: Value of ``Origin``; none is sent by default.
        headers: Further header fields; a call's are added to the session's, and win over them.
        params: Query parameters to add to the URL.
        auth: Name and password, which go before those in a session's URL. They can be in the URL as
            well; with `trust_env` they are taken from ``.netrc`` otherwise. A bearer token goes
            into `headers`.
        max_redirects: Redirects that are followed, 10 by default. None leads from TLS to plain
            text, or takes credentials to another origin.
        ssl: True to verify the certificate, False not to, an `ssl.SSLContext`, or a `Fingerprint`
            that the certificate must have; None, the default, leaves it to the connector.
        server_hostname: The name to verify the certificate for; the URL's host by default.
        proxy: URL of a proxy: ``http``, ``https`` (TLS with the proxy), ``socks5``, ``socks4a`` or
            ``socks4``; none by default. The proxy resolves the host's name, but ``socks4`` cannot;
            ``socks5h`` is the same as ``socks5``. User and password may be in it.
        proxy_auth: Credentials for the proxy, instead of its URL's.
        proxy_headers: Header fields for an HTTP proxy.
        proxy_ssl: As `ssl`, for the TLS with an ``https`` proxy; True by default.
        trust_env: Where nothing else is said, take the proxy from the environment (``WSS_PROXY``,
            ``SOCKS_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` or, without TLS, ``WS_PROXY``,
            ``SOCKS_PROXY``, ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``; the first that is
            set, and none for the hosts in ``NO_PROXY``), and credentials from the file that
            ``NETRC`` names or ``~/.netrc``. False by default.
        compress: Offer to compress messages (permessage-deflate): 9 to 15 bits of window for both
            sides, or a `PerMessageDeflate`; 0, the default, offers nothing. A server may decline;
            ``ws.compress`` says what came of it.
        max_msg_size: The largest message to take, in bytes when it is decompressed, 4 MiB by
            default; 0 for no limit. A larger one fails the connection with close code 1009.
        max_frame_size: The largest payload of one frame to take, in bytes as it comes and when it
            is decompressed; 0, the default, for no limit. A larger one fails the connection with
            close code 1009, before it has come.
        queue: What becomes of messages that nobody takes: a `DropOldest` or a `Conflate`. None, the
            default, loses none: reading pauses, and TCP slows the server down.
        max_queue: How many messages may wait: an int, or a pair of when reading pauses and when it
            goes on, by default a quarter of the first. What else one read brings is kept unparsed;
            the pieces of `receive_streaming` count one each. None, the default, counts only bytes,
            which bound it in any case. Not together with `queue`.
        receive_time: Let the `extra` of each text and binary `Message` be the `time.monotonic` at
            which its last byte was read from the socket; off by default.
        trace: Called with a `ConnectStep` at the start and the end of each step of opening. What it
            raises is told to the event loop's exception handler, and changes nothing.
        record: A `Recorder`, which writes to a file what is received and sent; None, the default,
            records nothing.
        decode_text: Text messages as `str`, which is the default; if False, as `bytes` that are
            known to be UTF-8.
    """

    decode_text: bool


if TYPE_CHECKING:

    class TextOptions(_Options[_WS], Generic[_WS], total=False):
        """`ConnectOptions` with which text is `str`."""

        decode_text: Literal[True]

    class BytesOptions(_Options[_WS], Generic[_WS]):
        """`ConnectOptions` with which text is `bytes`."""

        decode_text: Literal[False]


@dataclass(frozen=True, kw_only=True)
class Options:
    """`ConnectOptions` with every value settled; a test holds that the names agree."""

    protocols: Sequence[str] = ()
    timeout: float | None = 10.0
    receive_timeout: float | None = None
    connect_timeout: float | None = 10.0
    ws_response_class: type[ClientWebSocketResponse[Any]] = ClientWebSocketResponse
    autoclose: bool = True
    autoping: bool = True
    heartbeat: float | Heartbeat | None = None
    busy_poll: float = 0.0
    origin: str | None = None
    headers: LooseHeaders | None = None
    params: Query = None
    auth: BasicAuth | None = None
    max_redirects: int = 10
    ssl: SSLSetting | None = None
    server_hostname: str | None = None
    proxy: str | URL | None = None
    proxy_auth: BasicAuth | None = None
    proxy_headers: LooseHeaders | None = None
    proxy_ssl: SSLSetting = True
    trust_env: bool = False
    compress: int | PerMessageDeflate = 0
    max_msg_size: int = MAX_MSG_SIZE
    max_frame_size: int = 0
    queue: Queue | None = None
    max_queue: tuple[int, int] | None = None
    receive_time: bool = False
    trace: Callable[[ConnectStep], object] | None = None
    record: Recorder | None = None
    decode_text: bool = True

    def proxy_for(self, url: URL, *, network: bool = True) -> Proxy | None:
        """Choose the proxy for a URL; see `parse_proxy` for what can be wrong with it.

        Args:
            url: What is to be connected to, its scheme ``ws`` or ``wss``.
            network: There may be a proxy that only the environment names.
        """
        ssl = check_ssl(self.proxy_ssl)
        if self.proxy is not None:
            return parse_proxy(self.proxy, self.proxy_auth, self.proxy_headers, ssl)
        return proxy_from_environment(url, ssl) if self.trust_env and network else None

    def overridden(self, function: str, given: Mapping[str, Any], *further: str) -> Options:
        """Settle what a call was given, and take the rest from here.

        Args:
            function: What was called, for errors.
            given: The call's `ConnectOptions`.
            further: The keyword arguments that it has beside these.

        Raises:
            TypeError: There is no such option, or a value has the wrong type.
            ValueError: A value is out of its range, or must not be sent.
        """
        if not given:
            return self
        refuse_unexpected(function, given, (*_NAMES, *further))
        settled = {name: _READERS[name](name, value) for name, value in given.items()}
        timeout = given.get("timeout")
        if isinstance(timeout, ClientWSTimeout):
            settled = {**_limits_of(timeout), **settled}
        # `replace` would copy one field after the other, for a tenth of what opening takes here.
        options = object.__new__(Options)
        vars(options).update(vars(self), **settled)
        if settled.keys() & _OF_PROXIES and options.proxy is not None:
            options.proxy_for(_SOMEWHERE)
        if options.queue is not None and options.max_queue is not None:
            raise ValueError("max_queue cannot be used with queue: a policy has its own max_size")
        return options

    def of_call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a call was given, read once and for all: it may have been an iterator.

        Args:
            given: What this was made from by `overridden`.
        """
        return {
            name: value if name == "timeout" else getattr(self, name)
            for name, value in given.items()
        }


DEFAULTS = Options()
_NAMES = tuple(field.name for field in fields(Options))
_OF_PROXIES = {"proxy", "proxy_auth", "proxy_headers", "proxy_ssl"}
_SOMEWHERE = URL("ws://somewhere/")
_BUSIEST = 1.0
"""Seconds for which `busy_poll` may keep everybody else waiting."""


def _or_none(read: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else read(name, value)


def _read_timeout(name: str, value: object) -> Any:
    if isinstance(value, ClientWSTimeout):
        return read_limit(f"ws_close of {name}", value.ws_close)
    return read_limit(name, value, expected="a number of seconds, None or a ClientWSTimeout")


def _limits_of(timeout: ClientWSTimeout) -> dict[str, Any]:
    return {
        option: read_limit(f"{option} (as {name} of timeout)", getattr(timeout, name))
        for name, option in (("ws_receive", "receive_timeout"), ("ws_connect", "connect_timeout"))
    }


def _read_busy_poll(name: str, value: object) -> float:
    seconds = read_seconds(name, value)
    if seconds > _BUSIEST:
        raise ValueError(f"{name} is {value}, expected 0 to 1 second")
    return seconds


def _read_class(name: str, value: object) -> object:
    if not (isinstance(value, type) and issubclass(value, ClientWebSocketResponse)):
        got = value.__qualname__ if isinstance(value, type) else kind_of(value)
        raise TypeError(f"{name} must be a subclass of ClientWebSocketResponse, got {got}")
    return value  # pyright: ignore[reportUnknownVariableType] - whatever its parameter is


def _read_origin(name: str, value: object) -> str:
    read_type(name, value, str, "str or None")
    return check_value("Origin", value)


def _read_params(name: str, value: Any) -> object:
    try:
        _SOMEWHERE.extend_query(value)
    except (TypeError, ValueError):
        # Without yarl's text, which repeats values: there may be keys among them.
        raise TypeError(
            f"{name} must be a str, a mapping or pairs, of str to str or a finite number,"
            f" got {kind_of(value)}"
        ) from None
    return value


def _read_compress(_: str, value: Any) -> object:
    read_compress(value)
    return value


def _read_size(name: str, value: object) -> int:
    return read_count(name, value, expected="int, of which 0 is no limit")


def _read_bounds(name: str, value: Any) -> tuple[int, int]:
    expected = "int, a pair of int or None"
    if not isinstance(value, (tuple, list)):
        high = read_count(name, value, 1, expected=expected)
        return high, high // 4
    bounds: list[object] = [*value]
    if len(bounds) != 2:  # noqa: PLR2004 - a pair
        raise ValueError(f"{name} has {len(bounds)} numbers, expected {expected}")
    high, low = read_count(name, bounds[0], 1), read_count(name, bounds[1])
    if low >= high:
        raise ValueError(f"{name} goes on at {low}, expected less than {high}, where it pauses")
    return high, low


# Each takes the option's name and value, and returns what to use.
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "protocols": lambda _, value: check_protocols(value),
    "timeout": _read_timeout,
    "receive_timeout": read_limit,
    "connect_timeout": read_limit,
    "ws_response_class": _read_class,
    "autoclose": read_flag,
    "autoping": read_flag,
    "heartbeat": lambda _, value: read_heartbeat(value),
    "busy_poll": _read_busy_poll,
    "origin": _or_none(_read_origin),
    "headers": _or_none(lambda name, value: check_headers(value, name)),
    "params": _or_none(_read_params),
    "auth": _or_none(lambda name, value: read_type(name, value, BasicAuth, "BasicAuth")),
    "max_redirects": read_count,
    "ssl": _or_none(lambda name, value: check_ssl(value, name)),
    "server_hostname": _or_none(lambda name, value: read_type(name, value, str, "str or None")),
    "proxy": _or_none(lambda name, value: read_type(name, value, (str, URL), "str or yarl.URL")),
    "proxy_auth": _or_none(lambda name, value: read_type(name, value, BasicAuth, "BasicAuth")),
    "proxy_headers": _or_none(lambda name, value: check_headers(value, name)),
    "proxy_ssl": lambda name, value: check_ssl(value, name),
    "trust_env": read_flag,
    "compress": _read_compress,
    "max_msg_size": _read_size,
    "max_frame_size": _read_size,
    "decode_text": read_flag,
    "queue": _or_none(
        lambda name, value: read_type(name, value, (DropOldest, Conflate), "DropOldest or Conflate")
    ),
    "max_queue": _or_none(_read_bounds),
    "receive_time": read_flag,
    "trace": _or_none(
        lambda name, value: read_callable(name, value, "a function that takes a ConnectStep")
    ),
    "record": _or_none(lambda name, value: read_type(name, value, Recorder, "Recorder or None")),
}


def check_url(url: object, name: str = "url") -> None:
    """Check a URL's type, as all else of it is for when it is opened.

    Raises:
        TypeError: It is neither `str` nor `yarl.URL`.
    """
    read_type(name, url, (str, URL), "str or yarl.URL")


def takes_options(function: _F) -> _F:
    """Show the options, with their defaults, in a function's signature.

    Args:
        function: It has ``**options: Unpack[ConnectOptions]``.

    Returns:
        The same function.
    """
    signature = inspect.signature(function)
    named = [parameter for name, parameter in signature.parameters.items() if name != "options"]
    types = ConnectOptions.__annotations__
    named += [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=types[field.name].__forward_arg__,
        )
        for field in fields(Options)
    ]
    function.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    return function
