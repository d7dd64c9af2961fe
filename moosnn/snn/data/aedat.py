"""Files of event cameras: polarity events in AEDAT 3.1.

Knows: the format. Must not know: data sets.

A header of lines that begin with ``#``, up to ``#!END-HEADER``; then packets. A packet
has a header of 28 bytes (little-endian: type and source in 16 bits each; size of an
event, offset of its time, how often the 31-bit clock has overflown, capacity, number,
and number of valid events in 32 bits each), then its events. A polarity event (type 1)
is 32 bits of data (bit 0 valid, bit 1 polarity, bits 2 to 16 y, bits 17 to 31 x) and
32 bits of microseconds (iniVation, "AEDAT 3.1").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moosnn.errors import DataError
from moosnn.snn.data.events import Events, first_outside
from moosnn.snn.data.files import bad_file, read_bytes

MAGIC = b"#!AER-DAT3.1"
END = b"#!END-HEADER\r\n"
POLARITY = 1
EVENT_BYTES = 8
_PACKET = struct.Struct("<hhiiiiii")
_HEADER_MOST = 1 << 16
_CLOCK_BITS = 31
_COORDINATE = 0x7FFF


@dataclass(frozen=True, slots=True)
class _Packet:
    """Where the polarity events of one packet lie."""

    offset: int
    number: int
    overflows: int
    all_valid: bool


def read_aedat(path: Path, width: int, height: int) -> Events:
    """The polarity events of a file, in the order of time.

    Args:
        path: the file.
        width: of the camera, pixels.
        height: likewise.

    Raises:
        DataError: with the offset.
    """
    content = read_bytes(path)
    packets = _packets(path, content)
    if not packets:
        raise bad_file(path, "polarity events", "none", offset=len(content))
    raw = np.frombuffer(content, dtype=np.uint8)
    pieces = [raw[p.offset : p.offset + p.number * EVENT_BYTES] for p in packets]
    words = np.concatenate(pieces).view("<i4").reshape(-1, 2)
    data, clock = words[:, 0], words[:, 1]
    x, y = (data >> 17) & _COORDINATE, (data >> 2) & _COORDINATE
    for name, values, limit in (
        ("x", x, width),
        ("y", y, height),
        ("a time >= 0 and", clock, 1 << _CLOCK_BITS),
    ):
        wrong = first_outside(values, limit)
        if wrong is not None:
            raise _outside(
                path, packets, wrong, f"{name} < {limit}", int(values[wrong])
            )
    numbers = [p.number for p in packets]
    overflows = np.asarray([p.overflows for p in packets], dtype=np.int64)
    times = clock.astype(np.int64)
    if overflows.any():
        times += np.repeat(overflows << _CLOCK_BITS, numbers)
    polarity = ((data >> 1) & 1).astype(np.uint8)
    events = Events(t_us=times, x=x, y=y, p=polarity)
    if not all(p.all_valid for p in packets):
        trusted = np.repeat([p.all_valid for p in packets], numbers)
        events = _chosen(events, np.flatnonzero(trusted | ((data & 1) == 1)))
    if np.any(events.t_us[1:] < events.t_us[:-1]):
        events = _chosen(events, np.argsort(events.t_us, kind="stable"))
    return events


def check_header(path: Path, content: bytes) -> int:
    """Where the header ends.

    Args:
        path: for the message.
        content: of the file, at least its first 64 KiB.

    Raises:
        DataError: it is no AEDAT 3.1 file.
    """
    if not content.startswith(MAGIC):
        got = repr(content[: len(MAGIC)])
        raise bad_file(path, repr(MAGIC), got, offset=0)
    end = content.find(b"\n" + END, 0, _HEADER_MOST)
    if end < 0:
        got = f"no such line in {min(len(content), _HEADER_MOST)} bytes"
        raise bad_file(path, "a line #!END-HEADER", got)
    return end + 1 + len(END)


def _packets(path: Path, content: bytes) -> list[_Packet]:
    """The packets of polarity events that hold any.

    Raises:
        DataError: a packet is cut off, or its numbers cannot be.
    """
    place, total = check_header(path, content), len(content)
    found = []
    while place < total:
        if place + _PACKET.size > total:
            got = f"{total - place} bytes"
            expected = f"a packet's header of {_PACKET.size} bytes"
            raise bad_file(path, expected, got, offset=place)
        kind, _, size, _, overflows, capacity, number, valid = _PACKET.unpack_from(
            content, place
        )
        sound = 0 <= valid <= number <= capacity and overflows >= 0 and size > 0
        if not sound or (kind == POLARITY and size != EVENT_BYTES):
            expected = (
                "a packet with event size 8, overflow >= 0 and capacity >= number >= "
                "valid >= 0"
            )
            got = f"{size}, {overflows}, {capacity}, {number}, {valid}"
            raise bad_file(path, expected, got, offset=place)
        start = place + _PACKET.size
        place = start + capacity * size
        if place > total:
            expected = f"{capacity * size} bytes of events"
            raise bad_file(path, expected, str(total - start), offset=start)
        if kind == POLARITY and valid > 0:
            found.append(_Packet(start, number, overflows, valid == number))
    return found


def _outside(
    path: Path, packets: list[_Packet], index: int, expected: str, got: int
) -> DataError:
    """Word that an event is out of range, by its number among all of them."""
    for packet in packets:
        if index < packet.number:
            offset = packet.offset + index * EVENT_BYTES
            return bad_file(path, expected, str(got), offset=offset)
        index -= packet.number
    raise AssertionError("an event of no packet")


def _chosen(events: Events, indices: npt.NDArray[np.intp]) -> Events:
    return Events(
        t_us=events.t_us[indices],
        x=events.x[indices],
        y=events.y[indices],
        p=events.p[indices],
    )
