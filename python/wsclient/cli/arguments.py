"""Options that several sub-commands have, and the keyword arguments that they stand for."""

from __future__ import annotations

import argparse
import getpass
import math
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsclient import BasicAuth, ClientWebSocketResponse

from .exits import CommandError, Exit, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from wsclient import ConnectOptions

    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other name
    _Group: TypeAlias = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

__all__ = [
    "Subparsers",
    "add_connection",
    "add_count",
    "add_reconnect",
    "add_send",
    "ask_password",
    "connect_options",
    "message_of",
    "number_of",
]

WIDEST_WINDOW = 15
"""Bits of a compression window (RFC 7692 §7.1.2)."""


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the URL, and all options that say how to connect.

    Args:
        parser: A sub-command's. What it parses is for `connect_options`.
    """
    parser.add_argument("url", metavar="URL", help="ws:// or wss:// (http:// and https:// too)")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell the steps of connecting, and the answer"
    )
    _add_handshake(parser.add_argument_group("handshake"))
    _add_network(parser.add_argument_group("connection"))
    _add_tls(parser.add_argument_group("TLS"))


def _add_handshake(group: _Group) -> None:
    group.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a further header field, or @FILE for a file of them; may be repeated",
    )
    group.add_argument(
        "-s",
        "--subprotocol",
        action="append",
        default=[],
        metavar="NAME",
        help="a subprotocol to offer, preferred ones first; may be repeated",
    )
    group.add_argument(
        "--auth",
        metavar="USER[:PASSWORD]",
        help="credentials; the password is asked for if it is left out, and both are looked up"
        " in ~/.netrc if this is",
    )
    group.add_argument("--origin", metavar="ORIGIN", help="value of the Origin field")
    group.add_argument(
        "--compress", action="store_true", help="offer to compress messages (permessage-deflate)"
    )


def _add_network(group: _Group) -> None:
    group.add_argument("--proxy", metavar="URL", help="an http, https, socks5 or socks4 proxy")
    group.add_argument(
        "--no-env",
        action="store_true",
        help="take no proxy from the environment (HTTPS_PROXY, ...) and nothing from ~/.netrc",
    )
    group.add_argument(
        "--connect-timeout",
        type=number_of(float, "seconds"),
        default=10.0,
        metavar="SECONDS",
        help="for all of opening, from DNS to the handshake (default: 10)",
    )
    group.add_argument(
        "--heartbeat",
        type=number_of(float, "seconds"),
        metavar="SECONDS",
        help="send a ping after so much silence, and give up when nothing comes back",
    )
    group.add_argument(
        "--max-size",
        type=number_of(int, "bytes"),
        metavar="BYTES",
        help="the largest message to take (default: 4 MiB; 0 for any)",
    )


def _add_tls(group: _Group) -> None:
    group.add_argument(
        "-k", "--insecure", action="store_true", help="do not verify the server's certificate"
    )
    group.add_argument(
        "--ca", metavar="PATH", help="PEM file or folder of the authorities to trust, and no others"
    )
    group.add_argument("--cert", metavar="FILE", help="PEM file of this client's certificate")
    group.add_argument("--key", metavar="FILE", help="PEM file of its key, if it is not in --cert")


def add_reconnect(parser: argparse.ArgumentParser) -> None:
    """Add ``--reconnect``.

    Args:
        parser: A sub-command's.
    """
    parser.add_argument(
        "--reconnect",
        action="store_true",
        help="connect again whenever the connection ends, or cannot be made for now",
    )


def add_send(parser: argparse.ArgumentParser) -> None:
    """Add ``--send``.

    Args:
        parser: A sub-command's.
    """
    parser.add_argument(
        "--send",
        action="append",
        type=message_of,
        default=[],
        metavar="TEXT",
        help="send this when the connection is open, and each time that it is; may be repeated",
    )


def add_count(parser: argparse.ArgumentParser) -> None:
    """Add ``--count``.

    Args:
        parser: A sub-command's.
    """
    parser.add_argument(
        "-n",
        "--count",
        type=number_of(int, "messages", least=1),
        metavar="N",
        help="leave after so many messages",
    )


def message_of(text: str) -> str:
    """Read a message for argparse.

    Args:
        text: It; bytes that are no text are surrogates in it.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!r}, expected UTF-8") from None
    return text


def number_of(
    kind: type[int | float],
    unit: str,
    *,
    least: float = 0,
    most: float = sys.float_info.max,
) -> Callable[[str], float]:
    """Make what argparse reads a number with.

    Args:
        kind: `int` or `float`.
        unit: What it counts, for the error.
        least: The smallest that makes sense.
        most: The largest that does; infinity if ``inf`` does, too.
    """

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            limit = f" to {most:g}" if most < sys.float_info.max else " or more"
            raise argparse.ArgumentTypeError(f"{text!r}, expected {unit}, {least:g}{limit}")
        return number

    return read


def ask_password(options: argparse.Namespace) -> None:
    """Ask for the password if ``--auth`` has none.

    Outside the event loop, which could not take Ctrl-C meanwhile.

    Args:
        options: What was parsed, of any command.

    Raises:
        CommandError: Nobody has entered one.
    """
    given = getattr(options, "auth", None)
    if given is not None and ":" not in given:
        try:
            password = getpass.getpass(f"Password of {given}: ")
        except EOFError:
            raise CommandError("--auth has no password", Exit.USAGE) from None
        options.auth = f"{given}:{password}"


def connect_options(options: argparse.Namespace) -> ConnectOptions[ClientWebSocketResponse[Any]]:
    """Make the keyword arguments of `ws_connect` and `reconnect` from what was parsed.

    Args:
        options: From a parser with `add_connection`.

    Raises:
        CommandError: An option cannot be used: a file that is not there, a header without a colon.
    """
    made: ConnectOptions[ClientWebSocketResponse[Any]] = {
        "headers": _headers(options.header),
        "protocols": options.subprotocol,
        "trust_env": not options.no_env,
        "connect_timeout": options.connect_timeout or None,
        "heartbeat": options.heartbeat or None,
        "compress": WIDEST_WINDOW if options.compress else 0,
    }
    if options.auth is not None:
        login, _, password = options.auth.partition(":")
        made["auth"] = BasicAuth(login, password, "utf-8")
    if options.origin is not None:
        made["origin"] = options.origin
    if options.proxy is not None:
        made["proxy"] = options.proxy
    if options.max_size is not None:
        made["max_msg_size"] = options.max_size
    context = _tls(options)
    if context is not None:
        made["ssl"] = context
    return made


def _headers(given: list[str]) -> list[tuple[str, str]]:
    lines: list[str] = []
    for value in given:
        if value.startswith("@"):
            try:
                text = Path(value[1:]).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"--header {value}: {reason_of(error)}", Exit.USAGE) from None
            lines += [line for line in text.splitlines() if line.strip()]
        else:
            lines.append(value)
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            # Without the text, which may be a credential alone.
            raise CommandError("a --header has no colon, expected 'Name: value'", Exit.USAGE)
        fields.append((name.strip(), value.strip()))
    return fields


def _tls(options: argparse.Namespace) -> ssl.SSLContext | bool | None:
    if options.key is not None and options.cert is None:
        raise CommandError("--key needs --cert", Exit.USAGE)
    if options.insecure and options.ca is not None:
        raise CommandError("--insecure and --ca were given, expected one", Exit.USAGE)
    if options.ca is None and options.cert is None:
        return False if options.insecure else None
    context = _authorities(options.ca)
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert is not None:
        try:
            context.load_cert_chain(options.cert, options.key)
        except (OSError, ssl.SSLError) as error:
            raise CommandError(f"--cert {options.cert}: {reason_of(error)}", Exit.USAGE) from None
    return context


def _authorities(path: str | None) -> ssl.SSLContext:
    try:
        if path is None:
            context = ssl.create_default_context()
        elif Path(path).is_dir():
            context = ssl.create_default_context(capath=path)
        else:
            context = ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"--ca {path}: {reason_of(error)}", Exit.USAGE) from None
    context.set_alpn_protocols(["http/1.1"])
    return context
