"""How many segments with data TCP has sent: what a write is, on a connection that is not full."""

import socket
import struct
import sys

import pytest

needs_segments = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's TCP")
# struct tcp_info of linux/tcp.h.
_DATA_SEGMENTS_OUT = 156


def segments(ws):
    info = ws.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, _DATA_SEGMENTS_OUT)[0]
