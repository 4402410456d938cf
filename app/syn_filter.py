"""An end to new connections, before the socket is closed that takes them.

The kernel makes connections by itself and keeps them until somebody accepts them. One that is made between the last
accept and the close is reset with the request that its client has sent. So the packets that ask for a connection are
dropped first: their clients ask again a second later, and are told that nobody listens, or find another instance.
"""

import ctypes
import socket
import struct
import sys
from contextlib import suppress

# Linux's, which Python has no name for (asm-generic/socket.h).
SO_ATTACH_FILTER = 26

# Bytes of an instruction of a filter.
INSTRUCTION = 8
# Classic BPF over a TCP header (linux/filter.h): drop what has SYN and not ACK among its flags, take all else.
PROGRAM = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of the flags
        (0x54, 0, 0, 0x12),  # SYN and ACK of it
        (0x15, 0, 1, 0x02),  # where it is SYN alone, go on; else skip one
        (0x06, 0, 0, 0),  # drop the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
    )
)


def take_no_more(listener: socket.socket) -> None:
    """Let no connection begin on a TCP socket, whichever process listens to it; where the system can do that."""
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    program = ctypes.create_string_buffer(PROGRAM, len(PROGRAM))
    described = struct.pack("@HP", len(PROGRAM) // INSTRUCTION, ctypes.addressof(program))
    with suppress(OSError):  # not every sandbox has filters
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
