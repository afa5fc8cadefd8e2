"""Admission of accepted sockets."""

from __future__ import annotations

from bitcloud_net.net.limits import Admission, NetLimits, Pace


def admitted(admission: Admission, *ips: str) -> list[bool]:
    return [admission.admit(ip) for ip in ips]


def test_a_subnet_holds_only_its_share() -> None:
    admission = Admission(NetLimits(max_inbound_per_subnet=2))
    same = ("203.0.113.1", "203.0.113.2", "203.0.113.3")
    assert admitted(admission, *same, "203.0.114.1") == [True, True, False, True]
    admission.closed(same[0])
    assert admission.admit(same[2])


def test_ipv6_counts_by_48_bits_and_mapped_addresses_as_ipv4() -> None:
    admission = Admission(NetLimits(max_inbound_per_subnet=1))
    assert admitted(admission, "2001:db8:1:1::1", "2001:db8:1:2::1") == [True, False]
    assert admitted(admission, "2001:db8:2:1::1", "::ffff:203.0.113.1") == [True, True]
    assert not admission.admit("203.0.113.9")


def test_loopback_has_a_limit_of_its_own() -> None:
    admission = Admission(NetLimits(max_inbound_per_subnet=0, max_inbound_loopback=2))
    assert admitted(admission, "127.0.0.1", "::1", "127.0.0.1") == [True, True, False]


def test_every_machine_of_an_office_may_be_a_node() -> None:
    admission = Admission(NetLimits())
    office = [f"192.168.7.{host}" for host in range(1, 60)]
    assert all(admitted(admission, *office))
    assert all(admitted(admission, *(f"fd00:1::{host}" for host in range(4))))
    assert Admission(NetLimits(max_inbound_private=1)).admit("10.1.2.3")
    crowd = admitted(Admission(NetLimits()), *(f"100.64.1.{host}" for host in range(9)))
    assert crowd.count(True) == NetLimits().max_inbound_per_subnet  # customers of one provider


def test_strangers_in_their_handshake_are_counted_apart() -> None:
    admission = Admission(NetLimits(max_pending_handshakes=1))
    assert admitted(admission, "203.0.113.1", "198.51.100.1") == [True, False]
    admission.handshake_ended()
    assert admission.pending == 0
    assert admission.admit("198.51.100.1")


def test_a_pace_lets_a_burst_pass_and_spreads_the_rest() -> None:
    pace = Pace(0.0, per_s=10, at_once=5)
    assert [pace.wait_s(0.0) for _ in range(7)] == [0, 0, 0, 0, 0, 0.1, 0.2]
    assert pace.wait_s(0.3) == 0
    assert [pace.wait_s(1000.0) for _ in range(6)] == [0, 0, 0, 0, 0, 0.1]
