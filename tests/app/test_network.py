"""How the node stands among the others: in step, joining, banned; as a person sees it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from desk import Desk
from fake_client import FakeClient, opener
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.ban_text import ban_text, proof_text, running
from app.membership_text import about_left_text, done_by_now, progress_text
from app.models.node_model import node_lines
from app.sync_text import clock_text, facts, span_text, verdict_text
from app.text import moment_text
from app.widgets.ban_card import evidence_text
from bitcloud_net.api import (
    BadInput,
    BanStatement,
    BanView,
    Membership,
    MembershipState,
    NodeView,
    SyncHealth,
)
from bitcloud_net.core.trust.verdicts import FRAUD, FaultReason
from bitcloud_net.nodepool.proofs import ProofKind

LEFT = Qt.MouseButton.LeftButton
MINUTES = 60


def ban_of(node: str, *, own: bool = False, minutes: int = 50, **changes: object) -> BanView:
    now = int(time.time())
    ban = BanView(
        node=node,
        name="Attic",
        reason="ping-timeout",
        since_s=now - 600,
        until_s=now + minutes * MINUTES,
        own=own,
        statements=tuple(
            BanStatement(auditor=f"{i:02x}" * 32, reason="ping-timeout", periods=3)
            for i in range(11)
        ),
    )
    return replace(ban, **changes)  # type: ignore[arg-type]


def told(desk: Desk, *bans: BanView) -> None:
    desk.client.banned = bans
    desk.session.standing._until_bans = 0
    desk.session._ask_status()


# Joining


@pytest.fixture
def mining(make_desk, qtbot: QtBot) -> Desk:  # type: ignore[no-untyped-def]
    """A window on a network where identities are mined."""
    client = FakeClient()
    client.mines(131_072)
    desk: Desk = make_desk(client, opener(client))
    qtbot.waitUntil(
        lambda: desk.session.standing.membership is not None and desk.session.status is not None
    )
    desk.window.show_page("contribute")
    return desk


def test_one_button_does_everything(mining: Desk, qtbot: QtBot) -> None:
    page, card = mining.window.contribute, mining.window.contribute.join
    assert "131,072 tries on average" in card._text.text()
    assert not card._action.isVisible()
    qtbot.mouseClick(page._switch, LEFT)
    qtbot.waitUntil(lambda: card._title.text() == "Earning an identity")
    qtbot.waitUntil(lambda: page._state.text() == "Joining…")
    assert page._switch.isChecked()
    assert "One core stays free" in card._text.text()
    mining.session.call(lambda _c: _search(mining, tries=131_072, tries_per_s=17.9, left_s=7_300))
    qtbot.waitUntil(lambda: "about 2 hours left" in card._facts.text())
    assert card._facts.text() == "131,072 tries  ·  18 a second on 3 cores  ·  about 2 hours left"
    assert "63 would have one" in card._luck.text()
    assert card._meter.value == pytest.approx(0.632, abs=0.001)
    qtbot.mouseClick(card._action, LEFT)
    qtbot.waitUntil(lambda: card._title.text() == "Earning an identity is paused")
    assert (page._state.text(), card._action.accessibleName()) == ("Paused", "Go on")
    qtbot.mouseClick(card._action, LEFT)
    qtbot.waitUntil(lambda: card._action.accessibleName() == "Pause")
    now = int(time.time())
    found = {"state": MembershipState.JOINED, "registered_s": now}
    mining.session.call(lambda _c: _search(mining, **found))
    qtbot.waitUntil(lambda: page._state.text() == "Contributing")
    assert card._title.text() == "This computer is a member of the network"
    assert not card._action.isVisible()
    assert not card._meter.isVisible()


async def _search(desk: Desk, **changes: object) -> None:
    desk.client.search(**changes)


def test_switching_off_holds_the_search(mining: Desk, qtbot: QtBot) -> None:
    page = mining.window.contribute
    qtbot.mouseClick(page._switch, LEFT)
    qtbot.waitUntil(lambda: page._state.text() == "Joining…")
    qtbot.mouseClick(page._switch, LEFT)
    qtbot.waitUntil(lambda: mining.client.member.state is MembershipState.PAUSED)
    qtbot.waitUntil(lambda: page._state.text() == "Off")
    assert not page._switch.isChecked()


def test_a_search_of_an_earlier_run_is_shown_at_once(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient()
    client.member = Membership(
        state=MembershipState.MINING, tries=5_000, mean_tries=131_072, cores=3
    )
    desk = make_desk(client, opener(client))
    qtbot.waitUntil(lambda: desk.session.standing.membership is not None)
    desk.window.show_page("contribute")
    assert "5,000 tries  ·  measuring the speed" in desk.window.contribute.join._facts.text()
    labels = desk.window.sidebar.findChildren(QLabel)
    qtbot.waitUntil(lambda: any(label.text() == "Earning an identity" for label in labels))


def test_what_stops_the_search_is_said(mining: Desk, qtbot: QtBot) -> None:
    mining.client.errors["contribute"] = BadInput("x", code="owner-banned")
    page = mining.window.contribute
    qtbot.mouseClick(page._switch, LEFT)
    qtbot.waitUntil(lambda: "banned" in mining.window.toast.text)
    assert not page._switch.isChecked()


def test_a_search_that_stopped_by_itself_says_why(mining: Desk, qtbot: QtBot) -> None:
    page, card = mining.window.contribute, mining.window.contribute.join
    qtbot.mouseClick(page._switch, LEFT)
    qtbot.waitUntil(lambda: page._state.text() == "Joining…")
    stopped = {"state": MembershipState.PAUSED, "tries": 70, "stopped_by": "disk-full"}
    mining.session.call(lambda _c: _search(mining, **stopped))
    qtbot.waitUntil(lambda: card._title.text() == "Earning an identity was stopped")
    assert card._text.text() == "The disk of this computer is full. Make room, then resume."
    assert card._facts.text() == "70 tries so far"
    mining.client.member = replace(mining.client.member, stopped_by=None)
    qtbot.mouseClick(card._action, LEFT)
    qtbot.waitUntil(lambda: card._title.text() == "Earning an identity")


def test_nothing_changes_where_nobody_mines(desk: Desk, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: desk.session.standing.membership is not None)
    desk.window.show_page("contribute")
    page = desk.window.contribute
    assert not page.join.isVisible()
    assert not page.ban.isVisible()
    assert (page._state.text(), page._switch.isChecked()) == ("Off", False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "measuring the speed"),
        (10, "less than a minute left"),
        (59, "about a minute left"),
        (600, "about 10 minutes left"),
        (3_500, "about an hour left"),
        (7_300, "about 2 hours left"),
        (86_000, "about 24 hours left"),
        (10 * 86_400, "about 10 days left"),
    ],
)
def test_averages_are_said_roughly(seconds: int | None, words: str) -> None:
    assert about_left_text(seconds) == words


def test_progress_needs_no_speed() -> None:
    member = Membership(state=MembershipState.MINING, tries=1, mean_tries=4)
    assert progress_text(member) == "1 try  ·  measuring the speed"
    assert done_by_now(Membership(state=MembershipState.OPEN)) == 0
    assert done_by_now(replace(member, tries=10**9)) == pytest.approx(1)


# Bans


def test_an_own_ban_says_until_when_why_who_and_what_to_do(desk: Desk, qtbot: QtBot) -> None:
    desk.window.show_page("contribute")
    card = desk.window.contribute.ban
    ban = ban_of("b3f1", own=True)
    before = ban_of("b3f1", own=True, since_s=1_700_000_000, until_s=1_700_003_600)
    told(desk, ban, before)
    qtbot.waitUntil(card.isVisible)
    assert moment_text(ban.until_s, int(time.time())) in card._title.text()
    assert "did not answer often enough" in card._text.text()
    assert card._evidence.text().startswith("11 auditors saw it: 000000000000 (3 periods)")
    assert card._evidence.text().endswith("and 7 more.")
    assert "port reachable" in card._advice.text()
    assert "once before within 30 days" in card._before.text()
    told(desk)
    qtbot.waitUntil(lambda: not card.isVisible())


def test_a_ban_that_ended_is_not_shown(desk: Desk, qtbot: QtBot) -> None:
    desk.window.show_page("contribute")
    told(desk, ban_of("b3f1", own=True, minutes=-1))
    qtbot.waitUntil(lambda: bool(desk.session.standing.bans))
    assert not desk.window.contribute.ban.isVisible()


def test_a_proof_is_enough() -> None:
    text = evidence_text(ban_of("x", proof="number", statements=()))
    assert text.startswith("Proved: two different rows with one number")
    assert evidence_text(ban_of("x", statements=())) == ""


def test_every_reason_and_every_proof_has_words() -> None:
    unknown = ban_text(ban_of("x", reason="no such reason"))
    for reason in [reason.text for reason in FaultReason] + [FRAUD]:
        assert ban_text(ban_of("x", reason=reason)) != unknown
    for kind in ProofKind:
        assert proof_text(kind) != proof_text("no such proof")
    false_claim = ban_text(ban_of("x", reason=FRAUD, proof=ProofKind.BLOCK))
    assert "not true about a file" in false_claim.sentence


def test_strangers_words_in_a_ban_are_ours(desk: Desk, qtbot: QtBot) -> None:
    evil = "<b>x</b>\u202e"
    assert "<" not in str(ban_text(ban_of("x", reason=evil)))
    assert "<" not in proof_text(evil)
    desk.window.show_page("network")
    told(desk, ban_of("n4", name=evil, reason=evil))
    qtbot.waitUntil(lambda: bool(desk.session.standing.bans))
    desk.window.grab()
    words = [line.spoken(0) for line in desk.window.network._model._lines]
    assert not any("\u202e" in text for text in words)


def test_banned_nodes_are_marked_in_the_list(desk: Desk, qtbot: QtBot) -> None:
    page = desk.window.network
    desk.window.show_page("network")
    assert page._count.text() == "10 storage nodes  ·  10 on"
    told(desk, ban_of("n4"), ban_of("gone", name="Lost"), ban_of("n5", minutes=-1))
    qtbot.waitUntil(lambda: "2 banned" in page._count.text())
    words = [page._model.index(row).data() for row in range(page._model.rowCount())]
    assert len(words) == 11
    assert all("banned until" in text and "did not answer" in text for text in words[:2])
    assert {text.split(",")[0] for text in words[:2]} == {"Node 5", "Lost"}
    assert words[2].startswith("Node 1,")
    assert words[-1].startswith("Node 10,")
    desk.window.show_page("test-grid")
    qtbot.waitUntil(lambda: desk.window.test_grid._map._banned == {"n4", "gone"})
    desk.window.grab()


def test_bans_in_running_are_those_that_hold() -> None:
    now = int(time.time())
    bans = (ban_of("a"), ban_of("b", minutes=-1), ban_of("c", since_s=now + 60))
    assert set(running(bans, now)) == {"a"}


# In step


def test_five_figures_and_one_sentence(desk: Desk, qtbot: QtBot) -> None:
    page = desk.window.network
    desk.window.show_page("network")
    assert page._verdict.text() == "26 rows; some partners still differ."
    assert [card.accessibleName() for card in page._figures] == [
        "In step: 15 of 16, partners agree",
        "Oldest difference: 4 min, in the last comparison",
        "Waiting: 2 rows, for other rows",
        "Exchanged: 48 kB, in these ten minutes",
        "Own clock: 1 s behind, near the others",
    ]
    assert all("<qt>" in card.toolTip() for card in page._figures)
    desk.client.sync = replace(desk.client.sync, in_step=16, oldest_s=None)
    qtbot.waitUntil(lambda: "the same as all partners" in page._verdict.text())
    assert "none" in page._figures[1].accessibleName()
    desk.client.sync = replace(desk.client.sync, owners_lacking=2)
    qtbot.waitUntil(lambda: "some of 2 owners are missing" in page._verdict.text())


@pytest.mark.parametrize(("behind", "words"), [(5, "5 s behind"), (-9, "9 s ahead")])
def test_a_wrong_clock_is_said_everywhere(
    desk: Desk, qtbot: QtBot, behind: int, words: str
) -> None:
    page = desk.window.network
    desk.window.show_page("network")
    assert not page._clock_note.isVisible()
    desk.client.sync = replace(desk.client.sync, clock_behind_s=behind)
    qtbot.waitUntil(page._clock_note.isVisible)
    assert page._figures[4]._figure.text() == words
    assert f"{abs(behind)} seconds" in page._clock_note.text()
    labels = [label.text() for label in desk.window.sidebar.findChildren(QLabel)]
    assert f"Clock {words}" in labels


def test_before_anybody_was_met() -> None:
    assert facts(SyncHealth())[0].figure == "nobody yet"
    assert clock_text(SyncHealth()) == "right"
    assert verdict_text(None) == "The node has not answered yet."
    assert [span_text(s) for s in (-1, 59, 60, 7200, 86_400, 200_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "24 h",
        "2 days",
    ]


def test_a_node_id_can_be_copied(desk: Desk, qtbot: QtBot) -> None:
    desk.window.show_page("network")
    view = desk.window.network.list
    view.setFocus()
    view.setCurrentIndex(desk.window.network._model.index(0))
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "n0"


def test_ten_thousand_nodes_are_listed_quickly(desk: Desk, qtbot: QtBot) -> None:
    nodes = [NodeView(node=f"{i:064x}", name=f"Node {i}", online=i % 3 > 0) for i in range(10_000)]
    desk.window.show_page("network")
    results = []
    for _ in range(3):
        start = time.thread_time()
        desk.window.network._model.show_lines(node_lines(nodes, {}, ""), 0)
        desk.window.network.grab()
        results.append((time.thread_time() - start) * 1000)
        desk.window.network._model.show_lines((), 0)
    assert min(results) < 120, results
