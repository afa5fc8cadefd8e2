"""The bans as people see them."""

from __future__ import annotations

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.verdicts import Ban, FaultReason, Statement
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.queries import Case
from bitcloud_net.services.trust.ban_list import BanList
from bitcloud_net.views import BanStatement

OWN, OTHER, AUDITOR = (NodeId(bytes([at]) * 32) for at in range(3))
NOW = 3_000_000


class Cases:
    """Bans and what they rest on."""

    def __init__(self, *bans: Ban) -> None:
        self._bans = bans

    async def bans(self, period: int) -> tuple[Ban, ...]:
        assert period == NOW
        return self._bans

    async def case(self, ban: Ban) -> Case:
        if ban.reason == "fraud":
            return Case(name="Attic", statements=(), proof="audit")
        said = Statement(
            auditor=AUDITOR,
            target=ban.target,
            reason=FaultReason.TOO_SLOW,
            period=ban.since,
            recent=0b10110,
        )
        return Case(name="", statements=(said,), proof="")


def ban(target: NodeId, since: int, until: int, reason: str = "too-slow") -> Ban:
    return Ban(target=target, since=since, until=until, reason=reason)


async def test_running_bans_and_own_ones() -> None:
    cases = Cases(
        ban(OTHER, NOW - 9, NOW - 8),  # over, and not ours
        ban(OWN, NOW - 9, NOW - 8),
        ban(OTHER, NOW - 1, NOW, "fraud"),
    )
    newest, oldest = await BanList(cases, OWN, lambda: NOW).bans()
    assert (newest.node, newest.own, newest.reason) == (OTHER.hex(), False, "fraud")
    assert (newest.name, newest.proof, newest.statements) == ("Attic", "audit", ())
    assert (newest.since_s, newest.until_s) == ((NOW - 1) * PERIOD_S, (NOW + 1) * PERIOD_S)
    assert (oldest.node, oldest.own, oldest.proof) == (OWN.hex(), True, "")
    said = BanStatement(auditor=AUDITOR.hex(), reason="too-slow", periods=3)
    assert oldest.statements == (said,)
