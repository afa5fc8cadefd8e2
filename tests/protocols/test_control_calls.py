import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net.api import Client
from bitcloud_net.core.errors import BadInput, CorruptBlock, Malformed, Unavailable
from bitcloud_net.protocols.control_calls import (
    CALLS,
    error_from,
    error_plain,
    parse,
    parse_arguments,
    plain,
)
from bitcloud_net.protocols.control_client import ControlClient
from bitcloud_net.testing.fake_client import FakeClient, grid_of, transfer
from bitcloud_net.views import Health, SqlAnswer, Status, TestGrid, Transfer


async def test_views_come_back_as_they_went() -> None:
    client = FakeClient()
    client.files["Public/Mary/a"] = b"x"
    status = await client.status()
    assert parse(Status, plain(status)) == status
    details = await client.details("Public/Mary/a")
    assert parse(CALLS["details"].result, plain(details)) == details
    assert parse(Transfer, plain(transfer())) == transfer()
    assert parse(TestGrid | None, None) is None
    assert parse(TestGrid | None, plain(grid_of(3))) == grid_of(3)
    cells = ("Mary", 2**62, -1.5, None, 1.0)
    answer = SqlAnswer(columns=("a",) * 5, rows=(cells,), cut_off=False, seconds=0.1)
    came = parse(SqlAnswer, json.loads(json.dumps(plain(answer))))
    assert came == answer
    assert [type(cell) for cell in came.rows[0]] == [type(cell) for cell in cells]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "1"),
        (int, True),
        (bool, 1),
        (float, False),
        (str, None),
        (Path, "a\0b"),
        (tuple[str, ...], "abc"),
        (tuple[str, ...], [1]),
        (str | int | None, [1]),
        (str | int | None, True),
        (Health, {"state": "healthy"}),
        (Health, {"state": "no such", "alive": 1, "total": 1, "needed": 1, "checked_s": 1}),
        (Health, []),
    ],
)
def test_values_of_another_type_are_malformed(kind: Any, value: object) -> None:
    with pytest.raises(Malformed):
        parse(kind, value)


@pytest.mark.parametrize(
    "given", [{}, {"path": 1}, {"path": "", "more": 1}, [], None, {"Path": ""}]
)
def test_wrong_arguments_are_malformed(given: Any) -> None:
    with pytest.raises(Malformed):
        parse_arguments(CALLS["entries"], given)


def test_errors_travel_with_whose_fault_and_code() -> None:
    error = error_from(error_plain(BadInput("no such file", code="not-found")))
    assert isinstance(error, BadInput)
    assert (error.code, error.message) == ("not-found", "no such file")


def test_a_peers_fault_arrives_as_unavailable() -> None:
    error = error_from(error_plain(CorruptBlock("damaged", peer=b"p" * 32)))
    assert isinstance(error, Unavailable)
    assert error.code == "corrupt-block"


def test_an_unreadable_error_is_still_an_error() -> None:
    assert isinstance(error_from(["?"]), Unavailable)


def test_the_table_has_every_call_of_the_client_with_its_arguments() -> None:
    offered = {
        name: method
        for name, method in vars(Client).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }
    assert CALLS.keys() == offered.keys()
    for name, method in offered.items():
        for cls in (method, getattr(ControlClient, name), getattr(FakeClient, name)):
            asked = [item for item in inspect.signature(cls).parameters if item != "self"]
            assert list(CALLS[name].arguments) == asked, name
