"""permessage-deflate: offers, and which answers are taken (RFC 7692 §7.1)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wsclient
from wsclient.handshake.extensions import Agreement, PerMessageDeflate, read_compress

DEFAULT = PerMessageDeflate()


def params(text):
    """The parameters of `a; b=1`."""
    pairs = [part.strip().partition("=") for part in text.split(";") if part]
    return [(name, value if equals else None) for name, equals, value in pairs]


@pytest.mark.parametrize(
    ("settings", "offer"),
    [
        ({}, "permessage-deflate; client_max_window_bits"),
        ({"client_max_window_bits": None}, "permessage-deflate"),
        ({"client_max_window_bits": 9}, "permessage-deflate; client_max_window_bits=9"),
        ({"level": 9, "min_size": 100}, "permessage-deflate; client_max_window_bits"),
        (
            {
                "server_no_context_takeover": True,
                "client_no_context_takeover": True,
                "server_max_window_bits": 8,
                "client_max_window_bits": 15,
            },
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                "server_max_window_bits=8; client_max_window_bits=15"
            ),
        ),
    ],
)
def test_offer(settings, offer):
    assert PerMessageDeflate(**settings).offer() == offer


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"server_max_window_bits": 7}, "server_max_window_bits is 7, expected 8 to 15"),
        ({"server_max_window_bits": 16}, "server_max_window_bits is 16, expected 8 to 15"),
        ({"client_max_window_bits": 8}, "client_max_window_bits is 8, expected 9 to 15"),
        ({"client_max_window_bits": 1}, "client_max_window_bits is 1, expected 9 to 15"),
        ({"client_max_window_bits": 16}, "client_max_window_bits is 16, expected 9 to 15"),
        ({"client_max_window_bits": False}, "client_max_window_bits is False, expected 9 to 15"),
        ({"level": -1}, "level is -1, expected 0 to 9"),
        ({"level": 10}, "level is 10, expected 0 to 9"),
        ({"level": True}, "level is True, expected 0 to 9"),
        ({"min_size": False}, "min_size is False, expected 0 to"),
        ({"min_size": -1}, "min_size is -1, expected 0 to"),
        ({"min_size": 1 << 70}, "min_size is 1180591620717411303424, expected 0 to"),
    ],
)
def test_settings_out_of_range(settings, text):
    with pytest.raises(ValueError, match=text):
        PerMessageDeflate(**settings)


@pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits", "level"])
def test_settings_of_a_wrong_type(name):
    with pytest.raises(TypeError, match=f"{name} must be int, got str"):
        PerMessageDeflate(**{name: "9"})


def test_settings_are_a_value():
    assert wsclient.PerMessageDeflate is PerMessageDeflate
    assert PerMessageDeflate(level=3) == PerMessageDeflate(level=3) != DEFAULT
    with pytest.raises(AttributeError):
        DEFAULT.level = 2


def test_compress_like_aiohttp():
    assert read_compress(0) is None
    assert read_compress(15) == DEFAULT
    for bits in range(9, 15):
        settings = PerMessageDeflate(server_max_window_bits=bits, client_max_window_bits=bits)
        assert read_compress(bits) == settings
    assert read_compress(settings) is settings


@pytest.mark.parametrize("compress", [-1, 1, 8, 16, True, False])
def test_compress_out_of_range(compress):
    with pytest.raises(ValueError, match=f"compress is {compress}, expected 0 or 9 to 15"):
        read_compress(compress)


@pytest.mark.parametrize("compress", [None, "deflate", 15.0])
def test_compress_of_a_wrong_type(compress):
    with pytest.raises(TypeError, match="compress must be int or PerMessageDeflate, got"):
        read_compress(compress)


@pytest.mark.parametrize(
    ("offered", "answer", "server_alone", "client_alone", "client_bits"),
    [
        # §7.1.1.1 and §7.1.1.2: with or without having been asked.
        ({}, "", False, False, 15),
        ({}, "server_no_context_takeover", True, False, 15),
        ({}, "client_no_context_takeover", False, True, 15),
        ({}, "client_no_context_takeover; server_no_context_takeover", True, True, 15),
        ({"server_no_context_takeover": True}, "server_no_context_takeover", True, False, 15),
        # §7.1.1.2: this side may do without, whatever the server says.
        ({"client_no_context_takeover": True}, "", False, True, 15),
        # §7.1.2.1: a server may bind itself unasked, and by more than it was asked to.
        ({}, "server_max_window_bits=8", False, False, 15),
        ({"server_max_window_bits": 12}, "server_max_window_bits=12", False, False, 15),
        ({"server_max_window_bits": 12}, "server_max_window_bits=8", False, False, 15),
        # §7.1.2.2: up to what was offered, 8 included: messages are then sent as they are.
        ({}, "client_max_window_bits=8", False, False, 8),
        ({}, "client_max_window_bits=15", False, False, 15),
        ({"client_max_window_bits": 10}, "", False, False, 10),
        ({"client_max_window_bits": 10}, "client_max_window_bits=10", False, False, 10),
        ({"client_max_window_bits": 10}, "client_max_window_bits=9", False, False, 9),
        ({"client_max_window_bits": None}, "", False, False, 15),
    ],
)
def test_answers_that_are_taken(offered, answer, server_alone, client_alone, client_bits):
    settings = PerMessageDeflate(**offered, level=5, min_size=7)
    agreed = Agreement(server_alone, client_alone, client_bits, 5, 7)
    assert settings.agree(params(answer)) == agreed


FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
WINDOWS = ("server_max_window_bits", "client_max_window_bits")
BAD_BITS = ["7", "16", "0", "08", "015", "+9", "-9", "9.0", "1e1", "", "x", "²", "٩", "1" * 9999]


def refusals():
    for name in FLAGS:
        yield {}, [(name, "1")], f"{name}=1, expected no value"
        yield {}, [(name, None)] * 2, f"{name} more than once"
    for name in WINDOWS:
        yield {}, [(name, None)], f"no value as {name}, expected 8 to 15"
        yield {}, [(name, "9")] * 2, f"{name} more than once"
        for bits in BAD_BITS:
            yield {}, [(name, bits)], f"as {name}, expected 8 to 15"
    for name in ("x", "Server_No_Context_Takeover", "server_max_window_bits ", "x" * 9999):
        yield {}, [(name, None)], "an unknown parameter 'x|an unknown parameter '[Ss]erver"
    asked = {"server_no_context_takeover": True}
    yield asked, [("client_no_context_takeover", None)], "no server_no_context_takeover, which was"
    asked = {"server_max_window_bits": 10}
    yield asked, [], "no server_max_window_bits, at most 10 was asked for"
    yield asked, [("server_max_window_bits", "11")], "11 as server_max_window_bits, at most 10"
    asked = {"client_max_window_bits": 10}
    yield asked, [("client_max_window_bits", "11")], "11 as client_max_window_bits, at most 10"
    asked = {"client_max_window_bits": None}
    yield asked, [("client_max_window_bits", "10")], "client_max_window_bits, which was not offered"


@pytest.mark.parametrize(("offered", "answer", "text"), list(refusals()))
def test_answers_that_are_refused(offered, answer, text):
    with pytest.raises(ValueError, match=text) as caught:
        PerMessageDeflate(**offered).agree(answer)
    assert len(str(caught.value)) < 200


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*FLAGS, *WINDOWS, "x"]),
            st.sampled_from([None, *map(str, range(7, 17)), "08"]),
        ),
        max_size=5,
    )
)
def test_the_order_of_parameters_does_not_matter(answer):
    outcomes = set()
    for permuted in itertools.islice(itertools.permutations(answer), 24):
        try:
            outcomes.add(DEFAULT.agree(permuted))
        except ValueError:
            outcomes.add(None)
    assert len(outcomes) == 1
