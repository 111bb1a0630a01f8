"""What stands in for the network: looking names up, and connecting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from albumup.transfer.values import CONNECT_SECONDS, Fault, Stopped
from simulation.line import Line
from simulation.wire import Peer, SimulatedWire


class SimulatedNetwork:
    """Connections of one life. ``accept`` gives the server's side of a new one."""

    def __init__(
        self,
        line: Line,
        accept: Callable[[str, int, SimulatedWire], Peer | None],
        on_handed: Callable[[SimulatedWire, bytes | None, int], None],
    ) -> None:
        self.wires: list[SimulatedWire] = []
        self._is_over = False
        self._line, self._accept, self._on_handed = line, accept, on_handed

    async def connect(self, host: str, port: int, *, context: Any, proxy: Any) -> SimulatedWire:
        """Raises Stopped, as the real one does."""
        assert context is None and proxy is None
        how = self._line.how_to_connect()
        number = self._line.connected
        await self._takes(
            {"hangs": CONNECT_SECONDS, "connects slowly": 8.0}.get(how, 2 * self._line.delay())
        )
        match how:
            case "unknown host":
                raise Stopped(Fault.UNKNOWN_HOST, f"no host is called {host}")
            case "no network":
                raise Stopped(Fault.NOT_REACHED, f"{host} cannot be looked up: no network?")
            case "hangs" | "silent":
                raise Stopped(Fault.NOT_REACHED, f"no connection within {CONNECT_SECONDS:.0f} s")
        if self._line.is_away(host):
            raise Stopped(Fault.NOT_REACHED, "connection refused")
        wire = SimulatedWire(self._line, number, self._on_handed)
        peer = None if how == "refused" else self._accept(host, port, wire)
        if peer is None:
            raise Stopped(Fault.NOT_REACHED, "connection refused")
        wire.peer = peer
        self.wires.append(wire)
        return wire

    async def _takes(self, seconds: float) -> None:
        future = self._line.loop.create_future()
        self._line.loop.outside(seconds, self._taken, future)
        await future

    def _taken(self, future: asyncio.Future[None]) -> None:
        if not self._is_over and not future.done():
            self._line.last_heard = self._line.loop.time()
            future.set_result(None)

    def end(self, *, power: bool) -> None:
        """The life is over."""
        self._is_over = True
        for wire in self.wires:
            if power:
                wire.power_went()
            else:
                wire.owner_died()
