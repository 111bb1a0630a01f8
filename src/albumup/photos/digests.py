"""The digests of a file, all of them from reading it once."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Generator, Iterable

BLOCK_BYTES = 1 << 20
"""How much ``digest`` reads at once. Larger blocks are no faster; smaller ones cost calls."""

_AHEAD_BYTES = 16 << 20
"""From this size on a file is worth a thread that reads the next block while this one is digested."""


class CopyFault(OSError):
    """What was read could not be written to its copy."""


def digest(
    fd: int,
    algorithms: Iterable[str],
    *,
    size_hint: int = 0,
    copy_to: int | None = None,
    on_block: Callable[[int], None] | None = None,
) -> tuple[int, dict[str, str]]:
    """Read a file from its start to its end, once, and return its length in bytes and ``{algorithm: hex digest}``.

    ``fd`` is open for reading and seekable; its position is neither used nor moved. ``algorithms`` are hashlib's names.
    ``size_hint`` is the length in bytes that fstat told (0: unknown): it saves memory and a call for small files, and a
    wrong one changes nothing else. ``copy_to`` is a descriptor that every block is written to. ``on_block`` is called
    with the length of every block once it is digested and written; what it raises comes through, as OSError does
    (CopyFault from writing).
    """
    # A digest here names bytes and guards nothing, so a FIPS build may still make the MD5 that a server asks for.
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    total = 0
    with contextlib.closing(_blocks_ahead(fd) if size_hint >= _AHEAD_BYTES else _blocks(fd, size_hint)) as blocks:
        for block in blocks:
            for running in hashes.values():
                running.update(block)
            if copy_to is not None:
                _write(copy_to, block)
            total += len(block)
            if on_block is not None:
                on_block(len(block))
    return total, {name: running.hexdigest() for name, running in hashes.items()}


def _blocks(fd: int, size_hint: int) -> Generator[memoryview]:
    """What is in a file, each block valid until the next."""
    # One byte more than expected: a read that leaves it empty has also seen the end. Never tiny, should the file grow.
    capacity = min(BLOCK_BYTES, max(size_hint + 1, 1 << 16)) if size_hint else BLOCK_BYTES
    buffer = memoryview(bytearray(capacity))
    total = 0
    while length := os.preadv(fd, [buffer], total):
        total += length
        yield buffer[:length]
        if total == size_hint and length < capacity:
            break


def _blocks_ahead(fd: int) -> Generator[memoryview]:
    """The same, while another thread reads the next one."""
    from concurrent.futures import ThreadPoolExecutor

    buffers = [memoryview(bytearray(BLOCK_BYTES)) for _ in range(2)]
    total = 0
    with ThreadPoolExecutor(1, "reader") as reader:
        ahead = reader.submit(os.preadv, fd, [buffers[0]], 0)
        for turn in itertools.cycle((0, 1)):
            length = ahead.result()
            if not length:
                break
            total += length
            ahead = reader.submit(os.preadv, fd, [buffers[1 - turn]], total)
            yield buffers[turn][:length]


def _write(fd: int, block: memoryview) -> None:
    try:
        while block:
            block = block[os.write(fd, block) :]
    except OSError as error:
        raise CopyFault(error.errno, error.strerror) from error
