"""The window as a person uses it, on a scripted node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from desk import Desk
from fake_client import OFFLINE, FakeClient, failing_opener, opener
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QLineEdit, QPlainTextEdit, QSlider
from pytestqt.qtbot import QtBot

from app.dialogs.publish import PublishDialog, measure
from app.file_actions import is_local_address
from app.pages.transfers import state_text
from app.preferences import Order, Scheme, ViewMode
from app.session import NodeState, Tone
from bitcloud_net.api import (
    BadInput,
    EntryKind,
    Transfer,
    TransferKind,
    TransferState,
    Unavailable,
)

VIDEOS = "Public/Mary/Videos"
DAWN = f"{VIDEOS}/Dawn over the Alps.webm"


def go(desk: Desk, qtbot: QtBot, path: str) -> None:
    desk.window.files.open(path)
    qtbot.waitUntil(lambda: desk.window.files.area.model.rowCount() > 0)
    qtbot.waitUntil(
        lambda: all(e.path.startswith(path) for e in desk.window.files.area.model.entries)
    )


def names(desk: Desk) -> list[str]:
    return [entry.name for entry in desk.window.files.area.model.entries]


def test_it_begins_in_my_own_folder(desk: Desk) -> None:
    assert desk.window.files.path == "Public/Mary"
    assert names(desk) == ["Documents", "Music", "Videos"]
    assert desk.window.toolbar.breadcrumb.accessibleName() == "Public / Mary"


def test_every_button_view_and_field_has_a_name(desk: Desk, qtbot: QtBot) -> None:
    for kind in (QAbstractButton, QAbstractItemView, QLineEdit, QSlider, QPlainTextEdit):
        widgets = desk.window.findChildren(kind)
        assert widgets
        nameless = [w for w in widgets if not w.accessibleName() and w.objectName()[:3] != "qt_"]
        assert not nameless


def test_opening_folders_back_forward_up(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    assert len(names(desk)) == 16
    qtbot.mouseClick(desk.window.toolbar.up, Qt.MouseButton.LeftButton)
    assert desk.window.files.path == "Public/Mary"
    qtbot.mouseClick(desk.window.toolbar.back, Qt.MouseButton.LeftButton)
    assert desk.window.files.path == VIDEOS
    qtbot.mouseClick(desk.window.toolbar.back, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(desk.window.toolbar.forward, Qt.MouseButton.LeftButton)
    assert desk.window.files.path == VIDEOS
    desk.window.toolbar.breadcrumb.wanted.emit(1)
    assert desk.window.files.path == "Public"


def test_the_whole_way_by_keyboard(desk: Desk, qtbot: QtBot) -> None:
    files = desk.window.files
    files.open("Public")
    qtbot.waitUntil(lambda: files.area.model.rowCount() == 3)
    files.area.focus()
    view = files.area.view
    view.select_path("Public/Mary")
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Videos" in names(desk))
    view.select_path(VIDEOS)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(names(desk)) == 16)
    qtbot.keyClick(view, Qt.Key.Key_Left)  # into the columns
    column = QGuiApplication.focusObject()
    assert column in [pane.view for pane in files.columns._panes]
    qtbot.keyClick(view, Qt.Key.Key_Backspace)
    assert files.path == "Public/Mary"


def test_moving_in_a_column_opens_what_it_passes(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    folders = desk.window.files.columns._panes[2].view
    qtbot.waitUntil(lambda: folders.current_entry() is not None)
    folders.setFocus()
    qtbot.keyClick(folders, Qt.Key.Key_Up)
    assert desk.window.files.path == "Public/Mary/Music"
    qtbot.waitUntil(lambda: len(names(desk)) == 2)
    qtbot.keyClick(folders, Qt.Key.Key_Left)
    assert desk.window.files.columns._panes[1].view.hasFocus()


def test_a_dropped_file_is_published_where_i_am(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    go(desk, qtbot, VIDEOS)
    source = tmp_path / "New film.webm"
    source.write_bytes(b"x" * 1_000_000)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(source))])
    actions, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(400, 300), actions, data, buttons, keys)
    desk.window.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert desk.window.drop_zone.isVisible()
    desk.window.dropEvent(QDropEvent(QPointF(400, 300), actions, data, buttons, keys))
    assert not desk.window.drop_zone.isVisible()
    qtbot.waitUntil(lambda: "New film.webm" in names(desk))
    assert ("publish", ((source,), VIDEOS)) in desk.client.calls
    qtbot.waitUntil(lambda: "on the grid" in desk.window.toast.text)


def test_foreign_folders_are_not_published_into(desk: Desk, qtbot: QtBot) -> None:
    desk.window.files.open("Public/Alice")
    assert desk.window.files.publish_target() == "Public/Mary"


def test_only_local_files_are_taken_from_a_drop(desk: Desk) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/x")])
    enter = QDragEnterEvent(
        QPoint(1, 1),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter.ignore()
    desk.window.dragEnterEvent(enter)
    assert not desk.window.drop_zone.isVisible()


def test_pasting_files_asks_and_publishes(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("hello")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(source))])
    QGuiApplication.clipboard().setMimeData(data)
    desk.window.publishing.paste()
    dialog = desk.window.findChild(PublishDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: "1 file" in dialog._size.text())
    assert dialog.target == "Public/Mary"
    dialog._where.setText("Public/Mary/Notes/")
    dialog.accept()
    qtbot.waitUntil(lambda: ("publish", ((source,), "Public/Mary/Notes")) in desk.client.calls)
    QGuiApplication.clipboard().clear()
    desk.window.publishing.paste()
    assert "no files" in desk.window.toast.text


def test_progress_pause_resume_cancel(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    desk.client.publish_rate = 20_000
    source = tmp_path / "big.bin"
    source.write_bytes(b"x" * 50_000_000)
    desk.window.publishing.begin([source])
    shelf, session = desk.window.shelf, desk.session
    qtbot.waitUntil(lambda: "Publishing “big.bin”" in shelf._title.text())
    qtbot.waitUntil(lambda: shelf._meter.value > 0)
    assert "MB/s" in shelf._facts.text()
    assert desk.window.sidebar._items["transfers"].accessibleName() == "Transfers, 1"
    qtbot.mouseClick(shelf._pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "paused" in shelf._facts.text())
    assert shelf._pause.accessibleName() == "Resume"
    qtbot.mouseClick(shelf._pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "paused" not in shelf._facts.text())
    qtbot.mouseClick(shelf._cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not session.running_transfers())
    assert [t.state for t in session.transfers.values()] == [TransferState.CANCELLED]


def test_closing_while_something_moves_asks(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    desk.client.publish_rate = 1
    source = tmp_path / "big.bin"
    source.write_bytes(b"x" * 1000)
    desk.window.publishing.begin([source])
    qtbot.waitUntil(lambda: bool(desk.session.running_transfers()))
    assert not desk.window.close()
    assert desk.window.isVisible()


def test_a_film_is_handed_to_the_player_through_the_gateway(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    view = desk.window.files.area.view
    view.select_path(DAWN)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(desk.opened_urls))
    assert desk.opened_urls[0].host() == "127.0.0.1"
    assert ("url", DAWN) in desk.client.calls


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/x",
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
    ],
)
def test_no_other_address_is_ever_opened(address: str) -> None:
    assert not is_local_address(QUrl(address))


def test_our_own_addresses_are_opened() -> None:
    assert is_local_address(QUrl("http://127.0.0.1:8080/f/x"))
    assert is_local_address(QUrl("http://f-abc.localhost:8080/x"))


def test_a_text_is_previewed_as_plain_text(desk: Desk, qtbot: QtBot) -> None:
    path = "Public/Mary/Documents/Letter to the founders.txt"
    desk.client.contents[path] = "<b>Dear founders</b>\u202e\n".encode()
    go(desk, qtbot, "Public/Mary/Documents")
    view = desk.window.files.area.view
    view.select_path(path)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    preview = desk.window.preview
    qtbot.waitUntil(lambda: "Dear" in preview._text.toPlainText())
    assert preview._text.toPlainText() == "<b>Dear founders</b>⟨U+202E⟩"
    qtbot.keyClick(preview, Qt.Key.Key_Escape)
    assert desk.window.files.isVisible()


def test_details_show_how_safe_a_file_is(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    desk.window.files.area.view.select_path(DAWN)
    card = desk.window.files.details._health
    qtbot.waitUntil(lambda: "on 10 nodes" in card._figures.text())
    assert card._title.text() == "Safe on the grid"
    assert card._figures.text() == "10 of 10 shares on 10 nodes."
    assert card._rebuild.text() == "Any 3 rebuild the file."
    assert card._spare.text() == "7 more may fail."
    desk.session.set_running_nodes(2)
    qtbot.waitUntil(lambda: card._title.text() == "Not readable now")
    assert card._spare.text() == "Switch on 1 more to read it."


def test_copy_link(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    desk.window.files.area.view.select_path(DAWN)
    qtbot.mouseClick(desk.window.files.details._link, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text().startswith("bitcloud:1:fr:"))
    assert "Link copied" in desk.window.toast.text


def test_the_menu_offers_what_is_possible(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    entries = list(desk.window.files.area.model.entries)
    one = {
        a.text(): a.isEnabled() for a in desk.window.file_actions.menu_for(entries[:1]).actions()
    }
    many = {
        a.text(): a.isEnabled() for a in desk.window.file_actions.menu_for(entries[:3]).actions()
    }
    assert all(one.values())
    assert many["Save as…"]
    assert not many["Copy link"]
    desk.window.file_actions.repair(entries[0])
    qtbot.waitUntil(lambda: "10 of 10 shares" in desk.window.toast.text)
    desk.window.file_actions.check(entries[0])
    qtbot.waitUntil(lambda: ("check", entries[0].path) in desk.client.calls)


def test_search_finds_what_was_seen(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    go(desk, qtbot, "Public/Mary/Music")
    search = desk.window.toolbar.search
    desk.window._focus_search()
    qtbot.keyClicks(search, "dawn alps")
    assert names(desk) == ["Dawn over the Alps.webm"]
    qtbot.keyClick(search, Qt.Key.Key_Return)
    search.setText("nothing like this")
    assert not desk.window.files.area.tiles.isVisible()
    desk.window._escape()
    assert len(names(desk)) == 2


def test_search_reaches_folders_not_opened_yet(desk: Desk, qtbot: QtBot) -> None:
    desk.window.toolbar.search.setText("harbour jpg")
    qtbot.waitUntil(lambda: names(desk) == ["Harbour.jpg", "Harbour.jpg"])
    paths = [entry.path for entry in desk.window.files.area.model.entries]
    assert sorted(paths) == [f"Public/{p}/Pictures/Harbour.jpg" for p in ("Alice", "Bob")]


def test_a_pasted_link_is_opened_and_nothing_else(desk: Desk, qtbot: QtBot) -> None:
    search = desk.window.toolbar.search
    search.setText("bitcloud:1:fr:abc:defg")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: ("url", "bitcloud:1:fr:abc:defg") in desk.client.calls)
    desk.window.open_link(f"bitcloud:/{DAWN}")
    assert desk.window.files.path == VIDEOS
    verbs = {name for name, _ in desk.client.calls}
    assert not verbs & {"publish", "contribute", "set_running_nodes", "fetch", "repair", "share"}


def test_contribute_switch_and_amount(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    desk.window.show_page("contribute")
    page = desk.window.contribute
    page.set_folder(tmp_path)
    qtbot.mouseClick(page._switch, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.client.lent.on)
    assert desk.client.lent.capacity_bytes == 10 * 10**9
    qtbot.waitUntil(lambda: page._state.text() == "Contributing")
    page._space.slider.setValue(500)
    qtbot.waitUntil(lambda: desk.client.lent.capacity_bytes > 100 * 10**9)
    assert desk.client.lent.capacity_bytes % 10**9 == 0
    qtbot.mouseClick(page._switch, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not desk.client.lent.on)


def test_a_refused_contribution_turns_the_switch_back(desk: Desk, qtbot: QtBot) -> None:
    desk.client.errors["contribute"] = Unavailable("x", code="disk-full")
    desk.window.show_page("contribute")
    page = desk.window.contribute
    qtbot.mouseClick(page._switch, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "disk of this computer is full" in desk.window.toast.text)
    assert not page._switch.isChecked()


def test_switching_seventy_percent_off(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    qtbot.waitUntil(lambda: desk.session.test_grid is not None)
    desk.window.show_page("test-grid")
    page = desk.window.test_grid
    qtbot.mouseClick(page._seventy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.client.running == 3)
    qtbot.waitUntil(lambda: page._files_note.text().startswith("6 of 6"))
    assert page._on.text() == "3 of 10 on"
    page._slider.setValue(2)
    qtbot.waitUntil(lambda: page._files_note.text().startswith("0 of 6"), timeout=8000)


def test_without_a_test_grid_there_is_no_such_page(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient()
    client.has_grid = False
    desk = make_desk(client, opener(client))
    qtbot.waitUntil(lambda: desk.session.status is not None)
    assert not desk.window.sidebar._items["test-grid"].isVisible()


def test_an_empty_grid_says_what_to_do(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient(empty=True)
    desk = make_desk(client, opener(client))
    state = desk.window.files.area._state
    qtbot.waitUntil(lambda: state.isVisible() and state._action.isVisible())
    assert state._sentence.text() == "Nothing here yet."
    assert state._action.accessibleName() == "Publish"


def test_an_error_says_why_and_can_be_tried_again(desk: Desk, qtbot: QtBot) -> None:
    desk.client.errors["entries"] = Unavailable("<b>evil</b>", code="node-unreachable")
    desk.window.files.open("Public/Bob")
    state = desk.window.files.area._state
    qtbot.waitUntil(lambda: state.isVisible())
    assert state._sentence.text() == "A storage node does not answer."
    desk.client.errors.clear()
    qtbot.mouseClick(state._action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: names(desk) == ["Pictures"])


def test_a_node_that_does_not_start_can_be_started_again(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient()
    desk = make_desk(client, failing_opener(OFFLINE, client))
    qtbot.waitUntil(lambda: desk.session.state is NodeState.OFFLINE)
    state = desk.window.files.area._state
    assert state.isVisible()
    qtbot.mouseClick(state._action, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.session.state is NodeState.READY)
    qtbot.waitUntil(lambda: "Videos" in names(desk))


def test_views_orders_and_themes(desk: Desk, qtbot: QtBot) -> None:
    go(desk, qtbot, VIDEOS)
    for mode in ViewMode:
        desk.window._set_view(mode)
        assert desk.window.files.columns.isVisible() is (mode is ViewMode.COLUMNS)
    area = desk.window.files.area
    area._set_order(Order.NAME)
    assert names(desk) == sorted(names(desk), key=str.casefold)
    area._set_order(Order.LARGEST)
    assert names(desk)[0] == "Lake at blue hour.mp4"
    for scheme in Scheme:
        desk.theme.choose(scheme)
        desk.window.grab()
    desk.theme.choose(Scheme.LIGHT)


@pytest.mark.parametrize("size", [(960, 600), (1199, 700), (1360, 820), (1800, 1000)])
def test_it_fits_any_size(desk: Desk, qtbot: QtBot, size: tuple[int, int]) -> None:
    go(desk, qtbot, VIDEOS)
    desk.window.resize(*size)
    qtbot.wait(20)
    area = desk.window.files.area
    assert area.width() >= 330
    assert area.tiles.gridSize().width() * 2 <= area.tiles.viewport().width()
    assert desk.window.files.details.isVisible() is (size[0] >= 1200)
    for page in ("transfers", "contribute", "network", "database", "test-grid", "settings"):
        desk.window.show_page(page)
        desk.window.grab()
        assert desk.window.width() == size[0]


def test_notices_have_a_tone_and_words(desk: Desk) -> None:
    for tone in Tone:
        desk.session.notice.emit(tone, "Something happened.")
        assert desk.window.toast.isVisible()
        assert desk.window.toast.text == "Something happened."


def test_measuring_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(b"12")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = measure([tmp_path])
    assert found.files == 2
    assert found.complete


def test_entries_are_of_the_kinds_we_draw(desk: Desk, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: desk.session.entry("Public/Mary") is not None)
    person = desk.session.entry("Public/Mary")
    assert person is not None
    assert person.kind is EntryKind.PERSON


def test_the_test_grid_page_finds_files_nobody_opened(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient(empty=True)
    client.add("Public/Mary/A/B/deep.bin", 5_000)
    desk = make_desk(client, opener(client))
    qtbot.waitUntil(lambda: desk.session.test_grid is not None)
    desk.window.show_page("test-grid")
    page = desk.window.test_grid
    qtbot.waitUntil(lambda: page._files_note.text().startswith("1 of 1"))


@pytest.mark.parametrize("code", ["unreadable", "symlink", "file-changed"])
def test_a_file_that_cannot_be_published_is_named(desk: Desk, qtbot: QtBot, code: str) -> None:
    words = "/home/mary/Films/\u202eold.webm cannot be read: Permission denied."
    failed = Transfer(
        id="t9",
        kind=TransferKind.PUBLISH,
        state=TransferState.FAILED,
        title="Films",
        target="Public/Mary/Films",
        reason_code=code,
        reason=words,
    )
    assert "/home/mary/Films/" in state_text(failed)
    other = replace(failed, kind=TransferKind.FETCH)
    assert "/home/mary" not in state_text(other)
    desk.client.errors["publish"] = BadInput(words, code=code)
    desk.session.publish([Path("/home/mary/Films")], "")
    qtbot.waitUntil(lambda: "old.webm cannot be read" in desk.window.toast.text)
    assert "\u202e" not in desk.window.toast.text


def test_what_is_missing_of_a_folder_is_named() -> None:
    words = "what a stranger may have written"
    failed = Transfer(
        id="t9",
        kind=TransferKind.PUBLISH,
        state=TransferState.FAILED,
        title="Folder",
        target="Public/Mary/Folder",
        reason_code="some-not-published",
        reason=words,
        missing=("Public/Mary/Folder/1.bin", "Public/Mary/Folder/4.bin"),
    )
    text = state_text(failed)
    assert "2 files were not published, among them “Public/Mary/Folder/1.bin”" in text
    assert "Resume" in text
    assert words not in text
    one = replace(failed, missing=failed.missing[:1])
    assert "“Public/Mary/Folder/1.bin” was not published." in state_text(one)
    assert words not in state_text(replace(failed, missing=()))
