"""From a ban's reason to sentences and advice in our own words."""

from __future__ import annotations

from collections.abc import Iterable

from app.error_text import ErrorText
from app.text import tr
from bitcloud_net.api import BanView

_REASONS: dict[str, tuple[str, str]] = {
    "ping-timeout": (
        "It did not answer often enough.",
        "Let this computer run without pauses, and keep its port reachable.",
    ),
    "wrong-signature": (
        "Its signatures did not fit.",
        "Install Bitcloud anew; the node's key and its answers did not match.",
    ),
    "wrong-audit": (
        "Shares were missing or damaged when they were asked for.",
        "Check the disk that holds the space you lend.",
    ),
    "too-slow": (
        "It answered too late, again and again.",
        "Lend from a faster disk, or use less of this line yourself.",
    ),
    "denial-of-service": (
        "It flooded other nodes.",
        "See which program uses this node; scan the computer.",
    ),
    "corrupt-data": (
        "It sent damaged blocks.",
        "Check the disk and the memory of this computer.",
    ),
    "clock": (
        "Its clock was wrong.",
        "Set the clock right, best by your system's time service.",
    ),
    "fraud": (
        "Its key signed two different things as one.",
        "Never run one home on two computers at once.",
    ),
}
_PROOFS = {
    "number": "two different rows with one number, both signed by its key",
    "slot": "two different rows in one slot, both signed by its key",
    "identity": "an identity that was not earned",
    "audit": "a wrong answer to an audit, signed by its key",
    "block": "a block that is not the file's, signed by its key",
    "receipt": "a receipt for what is not the file's, signed by its key",
}
_FALSE_CLAIMS = ("audit", "block", "receipt")
_CLAIM = (
    "Its key signed what is not true about a file.",
    "Check the disk and the memory of this computer, and that its program is the right one.",
)


def ban_text(ban: BanView) -> ErrorText:
    """Return why a node is banned, and what its owner can do."""
    sentence, advice = _REASONS.get(ban.reason, ("It broke the rules.", "The log may say more."))
    if ban.proof in _FALSE_CLAIMS:
        sentence, advice = _CLAIM
    return ErrorText(sentence=tr(sentence), advice=tr(advice))


def proof_text(kind: str) -> str:
    """Return what a proof shows, in words."""
    return tr(_PROOFS.get(kind, "a contradiction that its key signed"))


def running(bans: Iterable[BanView], now_s: int) -> dict[str, BanView]:
    """Return the bans that hold at ``now_s``, by node."""
    return {ban.node: ban for ban in bans if ban.since_s <= now_s < ban.until_s}
