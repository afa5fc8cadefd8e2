"""Random values that nobody can know long before, choose, or keep from others."""

from __future__ import annotations

from bitcloud_net.core.keys import derive


def genesis(network: str) -> bytes:
    """Return what the values of a network begin with: the hash of its name."""
    return derive(network.encode(), "beacon genesis")


def fallback(before: bytes, number: int) -> bytes:
    """Return the next link of the chain where nobody could agree on a value; ``number`` is that of
    the period or day.
    """
    return derive(before, "beacon fallback", number.to_bytes(8, "big"))


def mixed(period: int, value: bytes) -> bytes:
    """Return the value of a period from what a source says for it. Sources do not keep to our
    periods, and may say the same twice.
    """
    return derive(value, "beacon source", period.to_bytes(8, "big"))
