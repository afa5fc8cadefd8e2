from __future__ import annotations

from pathlib import Path

import pytest
from fake_client import OFFLINE, FakeClient, failing_opener, opener
from PySide6.QtCore import QUrl
from pytestqt.qtbot import QtBot

from app.__main__ import parser
from app.player import player_command
from app.preferences import Order, Preferences, Scheme, ViewMode
from app.program import Program, app_icon
from app.single_instance import SingleInstance, server_name


def test_arguments() -> None:
    options = parser().parse_args(["--home", "/x", "--test-grid", "10", "--selftest"])
    assert (options.home, options.test_grid, options.selftest) == (Path("/x"), 10, True)


def test_selftest_opens_and_closes(tmp_path: Path, qapp: object) -> None:
    client = FakeClient()
    program = Program(home=tmp_path, open_client=opener(client))
    assert program.selftest() == 0
    program.window.close()


def test_selftest_fails_when_the_node_does(
    tmp_path: Path, qapp: object, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(home=tmp_path, open_client=failing_opener(OFFLINE, FakeClient()))
    assert program.selftest() == 1
    assert "did not open" in capsys.readouterr().err
    program.window.close()


def test_one_window_for_each_home(qtbot: QtBot, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert not first.hand_over("")
    assert first.listen()
    with qtbot.waitSignal(first.called) as caught:
        assert second.hand_over("bitcloud:/Public/Mary")
    assert caught.args == ["bitcloud:/Public/Mary"]
    first.close()
    assert server_name(tmp_path) != server_name(tmp_path / "other")
    assert server_name(None) == server_name(None)


def test_a_crashed_window_does_not_lock_its_home(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.listen()
    second = SingleInstance(tmp_path)
    assert second.listen()
    second.close()
    first.close()


def test_choices_are_kept_and_nonsense_is_forgotten(tmp_path: Path) -> None:
    one = Preferences(tmp_path)
    one.scheme, one.view, one.order = Scheme.DARK, ViewMode.LIST, Order.NAME
    one._settings.sync()
    again = Preferences(tmp_path)
    assert (again.scheme, again.view, again.order) == (Scheme.DARK, ViewMode.LIST, Order.NAME)
    again._settings.setValue("scheme", "purple")
    again._settings.setValue("geometry", "x")
    assert again.scheme is Scheme.SYSTEM
    assert again.geometry.isEmpty()


def test_the_icon_is_drawn_in_all_sizes(qapp: object) -> None:
    assert {size.width() for size in app_icon().availableSizes()} >= {16, 48, 256}


def test_a_player_is_preferred_to_a_browser() -> None:
    url = QUrl("http://127.0.0.1:1234/token/Dawn over the Alps.webm")
    found = player_command(url, lambda name: f"/usr/bin/{name}" if name == "vlc" else "")
    assert found is not None
    program, arguments = found
    assert program == "/usr/bin/vlc"
    assert arguments[-2:] == ["--", "http://127.0.0.1:1234/token/Dawn%20over%20the%20Alps.webm"]
    assert player_command(url, lambda _name: "") is None
