"""A ban of this computer: until when, why, who said so, and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import QTimer

from app.ban_text import ban_text, proof_text, running
from app.membership_text import MINUTE_S
from app.session import Session, now_s
from app.sync_text import span_text
from app.text import count_text, moment_text, tr
from app.theme import Theme
from app.widgets.label import Label
from app.widgets.notice_card import NoticeCard
from bitcloud_net.api import BanStatement, BanView

MAX_WITNESSES = 4
"""So many auditors are named; the database has all of them."""
NODE_CHARACTERS = 12
LOOK_AGAIN_MS = 30_000


class BanCard(NoticeCard):
    """Hidden while this computer is not banned."""

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__(theme, "shield_error", serious=True)
        self._session = session
        self._evidence = Label(role="small", wrap=True)
        self._advice = Label(role="strong", wrap=True)
        self._before = Label(role="small", wrap=True)
        for label in (self._evidence, self._advice, self._before):
            self.words.addWidget(label)
        again = QTimer(self, interval=LOOK_AGAIN_MS)
        again.timeout.connect(self.refresh)
        again.start()
        session.standing.bans_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is true now."""
        own = [ban for ban in self._session.standing.bans if ban.own]
        held = running(own, now_s())
        self.setVisible(bool(held))
        if held:
            ban = max(held.values(), key=lambda each: each.until_s)
            self._show(ban, [each for each in own if each is not ban])

    def _show(self, ban: BanView, before: list[BanView]) -> None:
        text = ban_text(ban)
        left_s = max(MINUTE_S, ban.until_s - now_s())
        self.say(
            self.tr("This computer is banned until {when}").format(
                when=moment_text(ban.until_s, now_s())
            ),
            self.tr(
                "{why} Other nodes place nothing new here for {span}; then it ends by itself. What "
                "is kept here stays, and is handed out as before."
            ).format(why=text.sentence, span=span_text(left_s)),
        )
        self._evidence.setText(evidence_text(ban))
        self._advice.setText(text.advice)
        self._before.setVisible(bool(before))
        times = count_text(len(before), "once", "{count} times")
        self._before.setText(
            self.tr("It was banned {times} before within 30 days; each ban lasts longer.").format(
                times=times
            )
        )


def evidence_text(ban: BanView) -> str:
    """Return on whose word, or by which proof, a node is banned."""
    if ban.proof:
        return tr("Proved: {proof}. Anybody can check it.").format(proof=proof_text(ban.proof))
    if not ban.statements:
        return ""
    who = ", ".join(_witness(said) for said in ban.statements[:MAX_WITNESSES])
    more = len(ban.statements) - MAX_WITNESSES
    if more > 0:
        who = tr("{who} and {count} more").format(who=who, count=more)
    count = count_text(len(ban.statements), "An auditor saw it", "{count} auditors saw it")
    return f"{count}: {who}."


def _witness(said: BanStatement) -> str:
    periods = count_text(said.periods, "one period", "{count} periods")
    return f"{said.auditor[:NODE_CHARACTERS]} ({periods})"
