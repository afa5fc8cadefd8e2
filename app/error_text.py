"""From an error's code to a sentence and advice in our own words.

What a peer or a library wrote never reaches the screen: the code decides. Figures an error carries
(``have``, ``need``) are filled in when they are numbers. An unknown code falls back to its class.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.text import tr
from bitcloud_net.api import BadInput, BitcloudError, LocalFault, PeerFault, Refused, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """What happened, and what to do about it. Both are plain text."""

    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


_BY_CODE: dict[str, tuple[str, str]] = {
    "too-few-shares": (
        "Too few shares of this file answer at the moment.",
        "It becomes readable again when more storage nodes are switched on.",
    ),
    "too-few-nodes": (
        "There are too few storage nodes to keep a file safe.",
        "Switch on more nodes, or contribute this computer.",
    ),
    "node-unreachable": ("A storage node does not answer.", "Bitcloud goes on with the others."),
    "deadline-passed": ("The grid took too long to answer.", "Try again in a moment."),
    "no-space": ("The storage nodes have no space left.", "Add nodes or lend more space."),
    "quota-exceeded": ("Your share of the grid's space is used up.", "Remove something first."),
    "not-permitted": ("You are not allowed to do this.", ""),
    "busy": ("The node has more to do than it can take.", "Try again in a moment."),
    "not-found": ("This file is not on the grid.", "It may have been removed; press F5."),
    "unknown-path": ("This file is not on the grid.", "It may have been removed; press F5."),
    "bad-cap": ("This link is not complete or was changed.", "Copy it again, whole."),
    "bad-checksum": ("This link was damaged on its way.", "Copy it again, whole."),
    "missing-file": ("The file is no longer where it was.", "Choose it again."),
    "unreadable-file": ("The file cannot be read.", "Check its permissions."),
    "symlink": ("Links to other files are not published.", "Publish the file itself."),
    "source-changed": ("The file changed while it was read.", "Publish it again when it is still."),
    "disk-full": ("The disk of this computer is full.", "Make room, then resume."),
    "port-taken": ("Another program uses Bitcloud's port.", "Close it, then try again."),
    "share-damaged": ("A share on this computer is damaged.", "The grid rebuilds it by itself."),
    "database-too-new": (
        "This data was written by a newer Bitcloud.",
        "Install the newer version; nothing was changed.",
    ),
    "wrong-passphrase": ("This is not the passphrase.", "Try again."),
    "already-running": (
        "Another Bitcloud uses this home already.",
        "Close it, or start with another --home.",
    ),
    "corrupt-block": (
        "A storage node sent changed bytes.",
        "They were refused, and the file was read from other nodes.",
    ),
    "bad-proof": ("A storage node could not prove its share.", "Another one is asked instead."),
    "bad-signature": ("A signature does not fit.", "What came with it was refused."),
    "flood-limit": ("A node sent more than the rules allow.", "It was cut off."),
    "node-closed": ("The node of this window is not running.", "Press “Try again”."),
}

_BY_CLASS: tuple[tuple[type[BitcloudError], str, str], ...] = (
    (BadInput, "This cannot be done as asked.", "Check what you entered."),
    (Refused, "A node refused this.", "Try again later."),
    (Unavailable, "The grid cannot do this at the moment.", "Try again in a moment."),
    (LocalFault, "This computer could not do it.", "Check disk and permissions, then try again."),
    (PeerFault, "A node broke the rules and was refused.", "Other nodes take its place."),
)

_BUG = (
    "Bitcloud made a mistake.",
    "Nothing was lost on the grid. The log says more; please report it.",
)


def explain(error: BaseException) -> ErrorText:
    """Return what to show for an error of any kind; anything but a ``BitcloudError`` is our bug."""
    if not isinstance(error, BitcloudError):
        return ErrorText(sentence=tr(_BUG[0]), advice=tr(_BUG[1]))
    found = explain_code(error.code)
    if found is None:
        found = next(
            (
                ErrorText(sentence=tr(sentence), advice=tr(advice))
                for kind, sentence, advice in _BY_CLASS
                if isinstance(error, kind)
            ),
            ErrorText(sentence=tr(_BUG[0]), advice=tr(_BUG[1])),
        )
    return _with_figures(found, error)


def explain_code(code: str | None) -> ErrorText | None:
    """Return the text of a code alone, such as a transfer's reason, or None when it is unknown."""
    if code not in _BY_CODE:
        return None
    sentence, advice = _BY_CODE[code]
    return ErrorText(sentence=tr(sentence), advice=tr(advice))


def _with_figures(text: ErrorText, error: BitcloudError) -> ErrorText:
    have, need = error.detail.get("have"), error.detail.get("need")
    if not (isinstance(have, int) and isinstance(need, int)):
        return text
    figures = tr("({have} of {need})").format(have=have, need=need)
    return ErrorText(sentence=f"{text.sentence} {figures}", advice=text.advice)
