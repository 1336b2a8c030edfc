"""What the documented page says, part by part, and the tests that show it.

The page is that of aiohttp 0.17 on WebSocket clients, with `wsclient` for `aiohttp`. The keys
quote its sentences, parameters and names, cut short.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

EXAMPLES = "tests/page/test_examples.py::test_"
CONNECTING = "tests/page/test_connecting.py::test_"
RESPONSE = "tests/page/test_response.py::test_"
SENDING = "tests/unit/test_sending.py::test_"
RECEIVING = "tests/unit/test_receiving_api.py::test_"
SESSION = "tests/unit/test_session.py::test_"
LIFETIME = "tests/unit/test_lifetime.py::test_"
TYPES = "tests/unit/test_types.py::test_"
MESSAGES = "tests/unit/test_messages.py::test_"

PAGE = {
    "WebSockets Client": {
        "ws_connect() coroutine": [
            CONNECTING + "plain_urls",
            SESSION + "connecting_can_be_a_task",
            SESSION + "connecting_once_is_enough",
        ],
        "accepts a url as a first parameter": [CONNECTING + "the_documented_signature"],
        "returns ClientWebSocketResponse": [RESPONSE + "the_class_is_what_ws_connect_returns"],
        "you can communicate using response's methods": [
            EXAMPLES + "the_bot_answers_until_it_is_told_to_close",
        ],
        "ws = yield from ws_connect(...)": [
            EXAMPLES + "the_bot_answers_until_it_is_told_to_close",
        ],
        "'http://...' as the url": [CONNECTING + "plain_urls", CONNECTING + "secure_urls"],
        "msg = yield from ws.receive()": [EXAMPLES + "the_bot_answers_until_it_is_told_to_close"],
        "msg.tp == MsgType.text": [EXAMPLES + "the_bot_answers_until_it_is_told_to_close"],
        "msg.tp == MsgType.closed": [EXAMPLES + "the_bot_ends_when_the_server_closes"],
        "msg.tp == MsgType.error": [EXAMPLES + "the_bot_ends_when_the_server_breaks_the_protocol"],
        "msg.data": [EXAMPLES + "the_bot_answers_until_it_is_told_to_close"],
        "ws.send_str(...), without yield from": [
            EXAMPLES + "the_bot_answers_until_it_is_told_to_close",
            RESPONSE + "what_is_sent_is_written_awaited_or_not",
            SENDING + "what_is_not_awaited_warns_of_nothing",
        ],
        "yield from ws.close()": [EXAMPLES + "the_bot_answers_until_it_is_told_to_close"],
        "ClientSession.ws_connect() coroutine": [
            EXAMPLES + "the_session_bot_connects",
            CONNECTING + "plain_urls",
            CONNECTING + "secure_urls",
        ],
        "must use the only websocket task for reading": [
            RESPONSE + "a_second_reader_is_refused_and_the_first_reads_on",
            RECEIVING + "one_reader_at_a_time",
        ],
        "and writing": [EXAMPLES + "the_bot_answers_until_it_is_told_to_close"],
        "may have multiple writer tasks": [
            RESPONSE + "one_reader_and_many_writers",
            EXAMPLES + "everything_that_can_be_awaited_can_be_yielded_from",
            SENDING + "frames_leave_in_the_order_of_the_calls_awaited_or_not",
        ],
    },
    "ws_connect": {
        "do not create ClientWebSocketResponse manually": [
            RESPONSE + "the_class_is_what_ws_connect_returns",
        ],
        "creates a websocket connection": [CONNECTING + "the_request_is_a_handshake_of_rfc_6455"],
        "checks the response": [
            CONNECTING + "a_refused_handshake",
            CONNECTING + "a_protocol_that_was_not_offered_is_refused",
        ],
        "may raise WSServerHandshakeError": [CONNECTING + "a_refused_handshake"],
        "url": [CONNECTING + "plain_urls", CONNECTING + "secure_urls"],
        "protocols=()": [CONNECTING + "the_documented_signature", CONNECTING + "protocols"],
        "timeout=10.0": [
            CONNECTING + "the_documented_signature",
            CONNECTING + "timeout_bounds_the_wait_for_the_server",
            SESSION + "close_drops_a_server_that_does_not_answer",
            SESSION + "close_without_a_bound_waits",
        ],
        "connector=None, a TCPConnector": [
            CONNECTING + "the_documented_signature",
            CONNECTING + "connector",
            SESSION + "the_connector_of_the_caller_stays_open",
        ],
        "ws_response_class=ClientWebSocketResponse": [
            CONNECTING + "ws_response_class",
            CONNECTING + "plain_urls",
            LIFETIME + "response_class",
        ],
        "autoclose=True": [
            CONNECTING + "the_documented_signature",
            CONNECTING + "autoclose_answers_the_servers_close",
        ],
        "autoclose False: handled manually": [
            CONNECTING + "without_autoclose_closing_is_the_callers",
        ],
        "autoping=True": [
            CONNECTING + "the_documented_signature",
            CONNECTING + "autoping_answers_pings_whether_or_not_anyone_receives",
            CONNECTING + "without_autoping_pings_are_messages",
            RECEIVING + "ping_and_pong_are_messages_without_autoping",
        ],
        "loop used for processing": [
            CONNECTING + "loop",
            CONNECTING + "another_loop_than_the_running_one_is_refused",
        ],
        "loop=None: the default loop": [CONNECTING + "without_loop_the_running_one_serves"],
    },
    "ClientWebSocketResponse": {
        "handles client-side websockets": [RESPONSE + "the_class_is_what_ws_connect_returns"],
        "closed: read-only": [RESPONSE + "closed_is_read_only"],
        "closed: close() has been called": [RESPONSE + "closed_once_close_has_been_called"],
        "closed: MSG_CLOSE has been received": [
            RESPONSE + "closed_once_the_servers_close_was_received",
            RESPONSE + "closed_once_the_connection_was_lost",
        ],
        "protocol: chosen subprotocol": [CONNECTING + "protocols"],
        "protocol: None if not overlapping": [CONNECTING + "protocols"],
        "exception(): if any occurs": [
            RESPONSE + "exception_tells_what_occurred",
            RESPONSE + "exception_of_a_reset",
            CONNECTING + "timeout_bounds_the_wait_for_the_server",
        ],
        "exception(): or None": [RESPONSE + "no_exception_in_a_good_life"],
        "ping(message=b'')": [
            RESPONSE + "what_is_sent_is_written_awaited_or_not",
            RESPONSE + "a_ping_of_ours_is_answered_and_its_pong_is_hidden",
            SENDING + "ping_and_pong",
        ],
        "ping: str converted to UTF-8, or bytes": [
            SENDING + "ping_and_pong",
            SENDING + "ping_and_pong_take_text_and_bytes",
            SENDING + "ping_and_pong_hold_125_bytes_at_most",
        ],
        "send_str(data)": [
            RESPONSE + "what_is_sent_is_written_awaited_or_not",
            SENDING + "text",
        ],
        "send_str: TypeError if not str": [SENDING + "text_must_be_str"],
        "send_bytes(data)": [
            RESPONSE + "what_is_sent_is_written_awaited_or_not",
            SENDING + "bytes",
            SENDING + "a_memoryview_is_sent_as_its_bytes",
        ],
        "send_bytes: TypeError otherwise": [SENDING + "bytes_must_be_bytes"],
    },
    "close": {
        "close(*, code=1000, message=b'')": [
            RESPONSE + "close_sends_a_close_frame_and_waits_for_the_answer",
            SENDING + "close_frame",
        ],
        "initiates closing handshake by MSG_CLOSE": [
            RESPONSE + "close_sends_a_close_frame_and_waits_for_the_answer",
        ],
        "waits for close response from server": [
            RESPONSE + "close_sends_a_close_frame_and_waits_for_the_answer",
        ],
        "wrap call with asyncio.wait()": [RESPONSE + "close_under_wait"],
        "or asyncio.wait_for()": [RESPONSE + "close_under_wait_for_drops_the_connection"],
        "code": [
            SENDING + "close_frame",
            SENDING + "a_close_code_that_must_not_be_sent_leaves_the_connection_open",
        ],
        "message: str converted to UTF-8, or bytes": [
            RESPONSE + "close_sends_a_close_frame_and_waits_for_the_answer",
            SENDING + "close_frame",
            SENDING + "a_close_reason_is_text_or_bytes",
            SENDING + "a_bad_close_reason_leaves_the_connection_open",
        ],
    },
    "receive": {
        "waits upcoming data message and returns it": [RECEIVING + "messages_of_each_kind"],
        "implicitly handles MSG_PING": [
            RESPONSE + "receive_hides_ping_pong_and_close",
            CONNECTING + "autoping_answers_pings_whether_or_not_anyone_receives",
        ],
        "MSG_PONG": [
            RESPONSE + "receive_hides_ping_pong_and_close",
            RESPONSE + "a_ping_of_ours_is_answered_and_its_pong_is_hidden",
        ],
        "and MSG_CLOSE without returning the message": [
            RESPONSE + "receive_hides_ping_pong_and_close",
        ],
        "ping-pong game, closing handshake internally": [
            RESPONSE + "receive_hides_ping_pong_and_close",
            CONNECTING + "autoclose_answers_the_servers_close",
        ],
        "returns Message": [
            RESPONSE + "receive_hides_ping_pong_and_close",
            MESSAGES + "attributes",
            MESSAGES + "unpacks_like_the_tuple",
        ],
        "tp is of MsgType": [
            RECEIVING + "messages_of_each_kind",
            TYPES + "message_types_have_the_documented_and_todays_names",
        ],
    },
    "names": {
        "TCPConnector, ClientSession, WSServerHandshakeError": [RESPONSE + "the_documented_names"],
        "MSG_PING, MSG_PONG, MSG_TEXT, MSG_BINARY, MSG_CLOSE": [
            RESPONSE + "the_documented_names",
            TYPES + "aliases_are_the_same_objects",
        ],
    },
}

NAMED = {test for statements in PAGE.values() for tests in statements.values() for test in tests}


def test_every_statement_has_tests():
    for section, statements in PAGE.items():
        for statement, tests in statements.items():
            assert tests, (section, statement)


@pytest.fixture(scope="module")
def collected():
    """The tests that pytest finds in the named files, without their parameters."""
    files = sorted({name.partition("::")[0] for name in NAMED})
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {line.partition("[")[0] for line in run.stdout.splitlines() if "::" in line}


def test_every_named_test_exists(collected):
    assert NAMED - collected == set()


def test_every_test_of_the_page_is_named(collected):
    assert {name for name in collected if name.startswith("tests/page/")} - NAMED == set()
