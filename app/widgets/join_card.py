"""The way into a network where identities are mined: what it costs, how far it is, pause."""

from __future__ import annotations

from app.error_text import explain_code
from app.membership_text import done_by_now, progress_text
from app.session import Session, now_s
from app.text import ago_text, count_text
from app.theme import Theme
from app.widgets.label import Label
from app.widgets.meter import Meter
from app.widgets.notice_card import NoticeCard
from bitcloud_net.api import Membership, MembershipState


class JoinCard(NoticeCard):
    """Hidden where nobody mines. ``wanted`` means: go on, or pause, as the button says."""

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__(theme, "key")
        self._session = session
        self._facts = Label(role="strong")
        self._meter = Meter(theme, self.tr("Computers that would have one by now"))
        self._luck = Label(role="small")
        self._searching = (self._facts, self._meter, self._luck)
        for widget in self._searching:
            self.words.addWidget(widget)
        session.standing.membership_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is true now."""
        member = self._session.standing.membership
        state = member.state if member is not None else MembershipState.OPEN
        self.setVisible(state is not MembershipState.OPEN)
        if member is None or state is MembershipState.OPEN:
            return
        searching = state in (MembershipState.MINING, MembershipState.PAUSED)
        for widget in self._searching:
            widget.setVisible(searching)
        if member.stopped_by is not None and state is not MembershipState.JOINED:
            self._show_stopped(member, member.stopped_by)
            return
        {
            MembershipState.NONE: self._show_none,
            MembershipState.MINING: self._show_mining,
            MembershipState.PAUSED: self._show_paused,
            MembershipState.JOINED: self._show_joined,
        }[state](member)

    def _show_stopped(self, member: Membership, code: str) -> None:
        why = explain_code(code)
        self.say(
            self.tr("Earning an identity was stopped"),
            str(why) if why else self.tr("The log of this node says why."),
            self.tr("Try again"),
            icon="arrow_sync",
        )
        self._show_progress(member, self._tries_text(member))

    def _show_none(self, member: Membership) -> None:
        tries = count_text(member.mean_tries, "{count} try", "{count} tries")
        self.say(
            self.tr("An identity comes first"),
            self.tr(
                "On this network each computer earns one by computing, once: {tries} on average. "
                "Switch “Contribute storage” on, and all of it happens by itself; lending begins "
                "when it is found."
            ).format(tries=tries),
        )

    def _show_mining(self, member: Membership) -> None:
        self.say(
            self.tr("Earning an identity"),
            self.tr(
                "One core stays free for you. Chance decides, so it may take less or longer. You "
                "can close the window: it goes on with the next start."
            ),
            self.tr("Pause"),
            icon="pause",
        )
        self._show_progress(member, progress_text(member))

    def _show_paused(self, member: Membership) -> None:
        self.say(
            self.tr("Earning an identity is paused"),
            self.tr("Nothing of it is lost. It stays paused until you go on."),
            self.tr("Go on"),
            icon="play",
        )
        self._show_progress(member, self._tries_text(member))

    def _tries_text(self, member: Membership) -> str:
        return count_text(member.tries, "{count} try so far", "{count} tries so far")

    def _show_joined(self, member: Membership) -> None:
        since = ago_text(member.registered_s, now_s()) or self.tr("before")
        self.say(
            self.tr("This computer is a member of the network"),
            self.tr(
                "Its identity was registered {when}. It counts for as long as this computer is not "
                "away for more than three days."
            ).format(when=since),
        )

    def _show_progress(self, member: Membership, facts: str) -> None:
        share = done_by_now(member)
        self._facts.setText(facts)
        self._meter.set_value(share)
        lucky = round(100 * share)
        luck = self.tr("Of 100 computers that tried as often, {count} would have one by now.")
        none = self.tr("Of 100 computers that tried as often, hardly any would have one yet.")
        self._luck.setText(luck.format(count=lucky) if lucky else none)
