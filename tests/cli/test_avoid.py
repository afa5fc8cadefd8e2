"""``bitcloud avoid``."""

from __future__ import annotations

from typing import Any


def test_avoid(bitcloud: Any, opened: Any) -> None:
    assert bitcloud("avoid").out == "nobody is avoided\n"
    result = bitcloud("avoid", "Public/John", "--reason", "too\x1b[2Jloud")
    assert result.status == 0
    assert result.out.startswith("Public/John, since 20")
    assert "\x1b" not in result.out
    assert opened.client.calls[-2] == ("avoid", "Public/John", "too\x1b[2Jloud")
    (listed,) = bitcloud("avoid", "--json").document
    assert listed["name"] == "Public/John"
    assert bitcloud("avoid", "Public/John", "--off").out == "nobody is avoided\n"


def test_somebody_has_to_be_named(bitcloud: Any, opened: Any) -> None:
    for option in (("--off",), ("--reason", "x")):
        assert bitcloud("avoid", *option).status == 1
    assert opened.client.calls == []
