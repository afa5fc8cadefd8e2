from __future__ import annotations

import random
import sys
import time

import pytest
from fake_client import file_entry
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from app.models.entry_model import ENTRY_ROLE, PAGE_ROWS, EntryModel
from app.models.listing import Listing, ListingState, arranged, columned, fold, path_chain, search
from app.models.transfer_model import TransferModel
from app.preferences import Order
from app.widgets.columns import places
from bitcloud_net.api import Entry, EntryKind, Transfer, TransferKind, TransferState

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal


def entries(count: int, start: int = 0) -> list[Entry]:
    return [file_entry(f"Public/M/f{i:05d}.txt", i, 0) for i in range(start, start + count)]


@pytest.fixture
def model(qtbot: QtBot) -> EntryModel:
    made = EntryModel()
    made.tester = QAbstractItemModelTester(made, FATAL)  # type: ignore[attr-defined]
    return made


def shown(model: EntryModel) -> list[str]:
    return [model.index(row).data(ENTRY_ROLE).path for row in range(model.rowCount())]


def test_pages_of_five_hundred(qtbot: QtBot) -> None:
    model = EntryModel()  # without the tester, which fetches more by itself
    model.replace(entries(1201))
    assert model.rowCount() == PAGE_ROWS
    root = QModelIndex()
    while model.canFetchMore(root):
        model.fetchMore(root)
    assert model.rowCount() == 1201
    assert shown(model)[-1].endswith("f01200.txt")


def test_what_stays_is_not_reset(model: EntryModel, qtbot: QtBot) -> None:
    model.replace(entries(20))
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    changed = entries(25, 2)
    model.replace(changed)
    assert shown(model) == [entry.path for entry in changed]
    assert not resets


def test_changed_values_are_told(model: EntryModel, qtbot: QtBot) -> None:
    model.replace(entries(5))
    other = [file_entry(e.path, 77, 0) for e in entries(5)]
    with qtbot.waitSignal(model.dataChanged):
        model.replace(other)
    assert model.index(3).data(ENTRY_ROLE).size_bytes == 77


def test_any_sequence_of_listings_ends_right(model: EntryModel) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201 - to run it again
    chance = random.Random(seed)
    pool = entries(60)
    for _ in range(60):
        wanted = chance.sample(pool, chance.randrange(61))
        if chance.random() < 0.7:
            wanted.sort(key=lambda e: e.path)
        model.replace(wanted)
        assert shown(model) == [entry.path for entry in wanted]


def test_many_entries_are_quick(qtbot: QtBot) -> None:
    many = entries(20_000)
    plain = EntryModel()
    started = time.perf_counter()
    plain.replace(many)
    assert time.perf_counter() - started < 0.5
    assert plain.rowCount() == PAGE_ROWS
    started = time.perf_counter()
    plain.replace(many[:5] + many[6:])
    assert time.perf_counter() - started < 0.5


def test_no_reference_of_none_is_lost(model: EntryModel) -> None:
    """PySide6 6.12 on Python 3.11 drops one for every ``data()`` that returns None; then it
    crashes."""
    model.replace(entries(1))
    index = model.index(0)
    if sys.version_info >= (3, 12):
        pytest.skip("None is immortal")
    before = sys.getrefcount(None)
    for _ in range(1000):
        index.data(Qt.ItemDataRole.DecorationRole)
    assert abs(sys.getrefcount(None) - before) < 100


def test_transfers_are_newest_first(qtbot: QtBot) -> None:
    model = TransferModel()
    tester = QAbstractItemModelTester(model, FATAL)

    def transfer(number: int, state: TransferState = TransferState.RUNNING) -> Transfer:
        return Transfer(
            id=f"t{number}", kind=TransferKind.PUBLISH, state=state, title=f"T{number}", target="x"
        )

    for count in (1, 2, 5):
        model.replace([transfer(i) for i in range(count)])
        assert model.index(0).data() == f"T{count - 1}"
    model.replace([transfer(4, TransferState.DONE)])
    assert model.rowCount() == 1
    assert isinstance(tester.model(), QAbstractItemModel)


def test_orders() -> None:
    folder = Entry(kind=EntryKind.FOLDER, path="P/M/Z", name="Z")
    small = file_entry("P/M/b.txt", 1, 10)
    large = file_entry("P/M/a.txt", 9, 20)
    assert arranged([small, folder, large], Order.NEWEST) == [folder, small, large]
    assert arranged([small, folder, large], Order.NAME) == [folder, large, small]
    assert arranged([small, folder, large], Order.LARGEST) == [folder, large, small]
    assert columned([small, folder]) == [folder]


def test_search_ignores_case_and_accents() -> None:
    listing = Listing(
        path="P", state=ListingState.READY, entries=(file_entry("P/Año Nuevo.txt", 1, 1),)
    )
    assert search([listing], "ano nue") == listing.entries
    assert search([listing], "nuevo año") == listing.entries
    assert search([listing], "q") == ()
    assert search([listing], "   ") == ()
    assert fold("ÀÉß") == "aess"


def test_the_way_to_a_path_as_columns() -> None:
    assert path_chain("A/B") == ["", "A", "A/B"]
    assert places("", inner_folders=False) == [("", "")]
    assert places("A/B", inner_folders=True) == [("", "A"), ("A", "A/B"), ("A/B", "")]
    deep = places("A/B/C", inner_folders=False)
    assert deep == [("", "A"), ("A", "A/B"), ("A/B", "A/B/C")]
    assert places("A/B/C", inner_folders=True)[-1] == ("A/B/C", "")
