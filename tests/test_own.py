"""Which addresses are this computer's."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from albumup.transfer import own


def own_address() -> str:
    """One that packets leave by; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this computer has no address but its loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:80", "http://127.9.9.9/a", "http://[::1]:2283", "http://localhost:1",
     "http://0.0.0.0", "http://[::ffff:127.0.0.1]/", "https://LOCALHOST"],
)  # fmt: skip
def test_loopback_is_this_computer(url: str) -> None:
    assert own.is_own(url)


def test_an_address_of_its_own_is_this_computer() -> None:
    assert own.is_own(f"http://{own_address()}:8080/")


@pytest.mark.parametrize(
    "url", ["http://192.0.2.77", "https://198.51.100.7:443/", "http://nobody.invalid", "http://"]
)
def test_others_are_not(url: str) -> None:
    assert not own.is_own(url)


ROUTES = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "br0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n"
    "br0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n"
)


@pytest.mark.parametrize(
    ("address", "is_inner"),
    [("172.17.0.5", True), ("192.168.1.9", False), ("8.8.8.8", False)],
    ids=["container", "network with a card in the bridge", "beyond the router"],
)
def test_a_container_is_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, is_inner: bool
) -> None:
    for bridge, port, inside in (("br0", "eth0", "device"), ("docker0", "veth1", "statistics")):
        (tmp_path / port / inside).mkdir(parents=True)
        (tmp_path / port / "brport").mkdir()
        (tmp_path / bridge / "brif").mkdir(parents=True)
        (tmp_path / bridge / "brif" / port).symlink_to(tmp_path / port / "brport")
    (tmp_path / "route").write_text(ROUTES)
    monkeypatch.setattr(own, "ROUTES", str(tmp_path / "route"))
    monkeypatch.setattr(own, "NETS", str(tmp_path))
    assert own._is_behind_inner_bridge(ipaddress.IPv4Address(address)) is is_inner
