"""Digests a file, with all algorithms in one pass."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Generator, Iterable

BLOCK_BYTES = 1 << 20
"""Bytes that ``digest`` reads at once. Larger blocks are no faster; smaller ones cost calls."""

_AHEAD_BYTES = 16 << 20
"""From this size on, a file is worth a thread that reads ahead."""


class CopyFault(OSError):
    """The copy could not be written."""


def digest(
    fd: int,
    algorithms: Iterable[str],
    *,
    size_hint: int = 0,
    copy_to: int | None = None,
    on_block: Callable[[int], None] | None = None,
) -> tuple[int, dict[str, str]]:
    """Read a file once from start to end, and return its length in bytes and ``{algorithm: hex
    digest}``.

    ``fd`` is open for reading and seekable; its position is neither used nor moved. ``algorithms``
    are hashlib's names. ``size_hint`` is the length in bytes from fstat (0: unknown); it saves
    memory and a call for small files, and a wrong one does no harm. ``copy_to`` is a descriptor to
    which every block is written. ``on_block`` is called with the length of every block after it is
    digested and written. Raises OSError, CopyFault when writing fails, and whatever ``on_block``
    raises.
    """
    # The digests identify bytes and protect nothing, so even a FIPS build may make the MD5 that a
    # server wants.
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    total = 0
    with contextlib.closing(
        _blocks_ahead(fd) if size_hint >= _AHEAD_BYTES else _blocks(fd, size_hint)
    ) as blocks:
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
    """The blocks of a file, each valid until the next."""
    # One byte more than expected: a read that does not fill it has seen the end. Never tiny, as the
    # file may grow.
    capacity = min(BLOCK_BYTES, max(size_hint + 1, 1 << 16)) if size_hint else BLOCK_BYTES
    buffer = memoryview(bytearray(capacity))
    total = 0
    while length := os.preadv(fd, [buffer], total):
        total += length
        yield buffer[:length]
        if total == size_hint and length < capacity:
            break


def _blocks_ahead(fd: int) -> Generator[memoryview]:
    """Like ``_blocks``, while another thread reads the next block."""
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
