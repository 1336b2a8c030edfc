"""Where the adapter does something else than websockets, and why; docs/websockets.md tells users."""

_WORDS = "what a server did wrong is told in this client's words, and so is the cause"
_PIECES = "what has arrived before it is asked for is one piece"
_LEFT = (
    "the rest of a message that is not read to its end is discarded, and what follows can be read"
)
_NATIVE = "the core's methods are neither coroutine functions nor named by it in full"

DIFFERENCES: dict[str, str] = {
    "addresses_after_a_lost_connection": "this end's address is known on after the end",
    "a_send_that_is_cancelled_between_fragments": "that ends the connection with 1011: all that is"
    " sent later would be a part of the message",
    "a_violation_after_the_close_frame_of_the_client": _WORDS,
    "a_violation_that_the_server_does_not_see": _WORDS,
    "a_violation_while_recv_waits": _WORDS,
    "callbacks_are_overridden": "eof_received is not called where the core reads the socket",
    "coroutines_that_are_not_awaited": _NATIVE,
    "invalid_text_that_is_not_decoded": "text is checked, decoded or not (RFC 6455 §8.1)",
    "keepalive_of_a_dead_server": "pings that wait are told why the connection closed, too",
    "kinds_of_methods": _NATIVE,
    "limits_for_messages_and_fragments": _WORDS,
    "messages_are_queued_when_the_client_closes": "a message that is cut off by the end of the"
    " connection is no cause of it",
    "sending_finds_the_server_gone": "what cannot be written is told at once",
    "sends_wait_for_a_fragmented_message": "what waits leaves in the order of the calls",
    "signatures": _NATIVE,
    "streaming_after_the_end": _PIECES,
    "streaming_and_the_connection_ends": "a close frame between fragments ends the connection with"
    " its own code",
    "streaming_a_character_that_does_not_end": _WORDS,
    "streaming_between_messages": _PIECES,
    "streaming_bytes_that_are_no_text": _PIECES,
    "streaming_decoded_characters_that_are_cut": _PIECES,
    "streaming_fragments": _PIECES,
    "streaming_invalid_utf8": _WORDS,
    "streaming_is_closed": _LEFT,
    "text_that_cannot_be_encoded": "UnicodeEncodeError, and the connection stays as it is",
    "the_server_resets": "the cause is the reset, wherever it was seen",
    "tls_and_a_violation": _WORDS,
    "tls_for_another_name": "the error has no line of CPython's source",
    "tls_that_is_not_trusted": "the error has no line of CPython's source",
    "with_the_answer_an_unknown_opcode": _WORDS,
    "with_the_answer_the_end_of_the_stream": _WORDS,
    **dict.fromkeys(
        (
            "stream_ends_in_a_head", "stream_ends_in_a_length", "stream_ends_in_a_payload",
            "stream_ends_in_a_ping",
        ),
        _WORDS,
    ),
    **dict.fromkeys(
        (
            "violation_close_between_fragments", "violation_close_of_one_byte",
            "violation_close_reason_that_is_no_text", "violation_close_with_1004",
            "violation_close_with_1005", "violation_close_with_1006", "violation_close_with_1015",
            "violation_close_with_2999", "violation_close_with_5000", "violation_close_with_999",
            "violation_continuation_of_nothing", "violation_fragmented_close",
            "violation_fragmented_ping", "violation_fragments_that_are_no_text",
            "violation_garbage_compressed", "violation_length_of_more_than_63_bits",
            "violation_masked", "violation_ping_of_126_bytes", "violation_rsv1_of_a_continuation",
            "violation_rsv1_of_a_ping", "violation_rsv1_without_an_extension", "violation_rsv2",
            "violation_rsv3_of_a_ping", "violation_text_between_fragments",
            "violation_text_that_ends_in_a_character", "violation_text_that_is_no_text",
            "violation_text_with_a_surrogate", "violation_too_big",
            "violation_too_big_in_fragments", "violation_too_big_when_inflated",
            "violation_too_big_with_a_long_length", "violation_unknown_control_opcode",
            "violation_unknown_data_opcode",
        ),
        _WORDS,
    ),
}  # fmt: skip
"""Names of scenarios, each with what is different and not taken over."""

UNPLAYED: dict[str, str] = {
    "streaming_is_broken_off": _LEFT,
    "streaming_is_cancelled_between_fragments": _LEFT,
    "too_many_fragments": "a message may have any number of fragments: its size is bounded",
}
"""The same, where the scenario would wait for what does not come."""

_NO_CAUSE = "older releases do not tell the cause of an end without a close frame"

OLDER: dict[str, tuple[tuple[int, ...], str]] = {
    "decoding_what_is_not_utf8": ((17,), "older releases lose what came behind"),
    "messages_after_the_close_frame_of_the_client": ((15,), "older releases lose them"),
    "messages_are_queued_when_the_end_comes": ((15,), "older releases lose them"),
    "streaming_what_is_not_fragmented": ((16,), "older releases give bytearray"),
    **dict.fromkeys(
        (
            "a_context_whose_connection_is_lost", "attributes_of_the_exception",
            "iteration_ends_with_1006_of_a_cut", "reconnects_when_the_connection_is_lost",
            "stream_ends_after_a_message", "stream_ends_between_fragments",
            "stream_ends_without_a_word", "streaming_and_the_server_is_gone",
            "the_server_closes_and_never_ends_the_stream", "the_server_never_answers",
            "the_server_never_ends_the_stream", "the_server_resets_while_the_client_closes",
            "the_transport_is_aborted", "the_transport_is_closed", "tls_and_the_server_never_answers",
            "tls_ends_without_a_word",
        ),
        ((17,), _NO_CAUSE),
    ),
}  # fmt: skip
"""Names of scenarios, each with the first release of websockets that does the same, and why."""
