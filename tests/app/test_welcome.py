"""The first start: making an identity, or bringing one back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from desk import Desk
from fake_client import FakeClient
from pytestqt.qtbot import QtBot

from app.dialogs.welcome import WelcomeDialog, WordsDialog
from app.session import NodeState
from bitcloud_net.api import BadInput, Client

WORDS = " ".join(f"word{number}" for number in range(1, 25))


class Maker:
    """Makes identities as the library would, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        self.error: BadInput | None = None

    async def __call__(self, *, name: str, passphrase: str, words: str | None) -> str:
        self.asked.append((name, passphrase, words))
        if self.error is not None:
            raise self.error
        return WORDS


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def new_desk(make_desk, maker: Maker, qtbot: QtBot) -> Desk:  # type: ignore[no-untyped-def]
    """A window whose home does not exist until an identity was made."""
    client = FakeClient()

    def open_client(_passphrase: Callable[[], str]) -> AbstractAsyncContextManager[Client]:
        if not maker.asked or maker.error is not None:
            raise BadInput("there is no home", code="no-home")
        return client.opened()

    desk: Desk = make_desk(client, open_client)
    desk.window.first_start.create_home = maker
    qtbot.waitUntil(lambda: desk.session.state is NodeState.OFFLINE)
    return desk


def begin(desk: Desk) -> WelcomeDialog:
    state = desk.window.files.area._state
    assert state._sentence.text() == "Welcome to Bitcloud."
    assert state._action.accessibleName() == "Begin"
    state._action.click()
    dialog = desk.window.findChild(WelcomeDialog)
    assert dialog is not None
    return dialog


def test_a_new_identity(new_desk: Desk, maker: Maker, qtbot: QtBot) -> None:
    dialog = begin(new_desk)
    dialog._name.setText("Mary")
    dialog._passphrase.setText("swordfish")
    dialog.action.click()
    assert "differ" in dialog._problem.text()
    dialog._again.setText("swordfish")
    dialog.action.click()
    qtbot.waitUntil(lambda: new_desk.window.findChild(WordsDialog) is not None)
    assert maker.asked == [("Mary", "swordfish", None)]
    words = new_desk.window.findChild(WordsDialog)
    assert words is not None
    _write_down(words)
    qtbot.waitUntil(lambda: new_desk.session.state is NodeState.READY)


def _write_down(words: WordsDialog) -> None:
    words.action.click()
    assert not words._sheet.isVisible()
    words.action.click()  # nothing entered
    assert "Look again" in words._problem.text()
    words.back.click()
    assert words._sheet.isVisible()
    words.action.click()
    for position, field in zip(words._asked, words._fields, strict=True):
        field.setText(f" WORD{position + 1} ")
    words.action.click()


def test_an_identity_brought_back(new_desk: Desk, maker: Maker, qtbot: QtBot) -> None:
    dialog = begin(new_desk)
    dialog._restore.click()
    dialog._words.setPlainText("too few words")
    dialog._name.setText("Mary")
    dialog.action.click()
    assert "3 were entered" in dialog._problem.text()
    maker.error = BadInput("x", code="recovery-words")
    dialog._words.setPlainText(WORDS)
    dialog.action.click()
    qtbot.waitUntil(lambda: "Check each" in dialog._problem.text())
    maker.error = None
    dialog.action.click()
    qtbot.waitUntil(lambda: new_desk.session.state is NodeState.READY)
    assert maker.asked[-1] == ("Mary", "", WORDS)
    assert new_desk.window.findChild(WordsDialog) is None


def test_a_name_is_needed(new_desk: Desk, maker: Maker) -> None:
    dialog = begin(new_desk)
    dialog._name.setText("  ")
    dialog.action.click()
    assert "Enter a name" in dialog._problem.text()
    assert not maker.asked
    dialog.reject()


def test_words_are_asked_at_random(new_desk: Desk) -> None:
    asked = {tuple(WordsDialog(new_desk.theme, new_desk.window, WORDS)._asked) for _ in range(20)}
    assert len(asked) > 5
