"""``sync`` as somebody types it."""

from __future__ import annotations

from typing import Any


def test_all_tables(bitcloud: Any, opened: Any) -> None:
    answer = bitcloud("sync")
    assert answer.out == "compared with 3 nodes: 2 rows new here, 1 row new there\n"
    assert opened.client.calls[-1] == ("sync_rows", "")


def test_one_table_as_json(bitcloud: Any, opened: Any) -> None:
    assert bitcloud("sync", "file", "--json").document == {"nodes": 3, "received": 2, "sent": 1}
    assert opened.client.calls[-1] == ("sync_rows", "file")
