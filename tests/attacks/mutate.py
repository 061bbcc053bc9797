"""Random mutations of bytes: flipped bits, odd integers, cuts, splices and repetitions."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

LIMITS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[random.Random, bytearray, bytes], bytearray]


def flip_bits(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Flip up to 256 bits anywhere."""
    for _count in range(rng.choice((1, 4, 32, 256))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def change_head(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Replace bytes of the header."""
    for _count in range(rng.choice((1, 2, 4, 16))):
        data[rng.randrange(min(len(data), 256))] = rng.randrange(256)
    return data


def set_integers(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Write limits of integer types into the first 4 KiB."""
    for _count in range(rng.choice((1, 2, 4, 8))):
        at, form = rng.randrange(min(len(data) - 8, 4096)), rng.choice(("<H", ">H", "<I", ">I"))
        mask = 0xFFFF if form[1] == "H" else 0xFFFFFFFF
        struct.pack_into(form, data, at, rng.choice(LIMITS) & mask)
    return data


def cut(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Keep a random beginning."""
    return data[: rng.randrange(1, len(data))]


def splice(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    """Put the end of another file behind the beginning of this one."""
    at = rng.choice((4, 8, 12, 16, 36, 44, 64, 128, 512, 2048))
    return data[:at] + other[rng.choice((0, 4, 8, at)) :]


def blank(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Overwrite a stretch with 00 or FF."""
    at, count = rng.randrange(len(data)), rng.choice((4, 64, 1024, 8192))
    data[at : at + count] = rng.choice((b"\0", b"\xff")) * len(data[at : at + count])
    return data


def insert(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Insert random bytes."""
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 3, 17, 300)))
    return data


def repeat(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Repeat a stretch up to 200 times."""
    at = rng.randrange(len(data))
    return data[:at] + data[max(0, at - 600) : at] * rng.choice((2, 20, 200)) + data[at:]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, change_head, set_integers, cut, splice, blank, insert, repeat,
)  # fmt: skip


def mutated(rng: random.Random, data: bytes, other: bytes) -> tuple[str, bytes]:
    """Return the mutations' names and the mutated bytes, never empty."""
    names, changed = [], bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        changed = mutation(rng, changed, other) if len(changed) > 16 else changed
        names.append(mutation.__name__)
    return "+".join(names), bytes(changed or b"\0")
