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


_NEWER = (
    "This data was written by a newer Bitcloud.",
    "Install the newer version; nothing was changed.",
)

_BY_CODE: dict[str, tuple[str, str]] = {
    # The grid
    "too-few-shares": (
        "Too few shares of this file answer at the moment.",
        "It becomes readable again when more storage nodes are switched on.",
    ),
    "too-few-nodes": (
        "There are too few storage nodes to keep a file safe.",
        "Switch on more nodes, or contribute this computer.",
    ),
    "at-risk": (
        "Everything was handed over, but too few nodes have confirmed it.",
        "Bitcloud goes on until enough of them have.",
    ),
    "node-unreachable": ("A storage node does not answer.", "Bitcloud goes on with the others."),
    "node-gone": ("A storage node went away.", "Bitcloud goes on with the others."),
    "node-too-slow": ("A storage node is too slow.", "Bitcloud goes on with the others."),
    "deadline-passed": ("The grid took too long to answer.", "Try again in a moment."),
    "no-space": ("The storage nodes have no space left.", "Add nodes or lend more space."),
    "quota-exceeded": ("Your share of the grid's space is used up.", "Remove something first."),
    "owner-full": ("You have published as many files as the grid allows.", "Remove some first."),
    "budget": ("You published much in a short time.", "It goes on in some minutes."),
    "not-permitted": ("You are not allowed to do this.", ""),
    "no-such-person": (
        "There is nobody of this name here.",
        "Publish into your own folder, or wait until this person is known.",
    ),
    "not-yours": ("This folder belongs to somebody else.", "Publish into your own folder."),
    "busy": ("The node has more to do than it can take.", "Try again in a moment."),
    # Files on the grid, and links to them
    "no-such-path": ("This file is not on the grid.", "It may have been removed; press F5."),
    "not-found": ("This file is not on the grid.", "It may have been removed; press F5."),
    "file-unknown": (
        "Nobody who can be reached knows this file.",
        "Try again when more nodes are on.",
    ),
    "file-broken": ("This file was published broken.", "Only its publisher can mend it."),
    "is-a-folder": ("This is a folder.", "Open a file in it."),
    "cap-unknown": ("This is not a link of Bitcloud.", "Copy it again, whole."),
    "cap-damaged": ("This link was damaged on its way.", "Copy it again, whole."),
    "cap-cannot-read": (
        "This link can only check the file, not read it.",
        "Ask for its read link.",
    ),
    # Files on this computer
    "no-such-file": ("The file is no longer where it was.", "Choose it again."),
    "missing": ("The file is no longer where it was.", "Choose it again."),
    "unreadable": ("The file cannot be read.", "Check its permissions."),
    "unwritable": ("The folder cannot be written.", "Choose another one."),
    "symlink": ("Links to other files are not published.", "Publish the file itself."),
    "not-a-file": ("This is not an ordinary file.", "Publish files and folders only."),
    "file-changed": ("The file changed while it was read.", "Publish it again when it is at rest."),
    "file-too-large": ("The file is larger than 16 TiB.", "Cut it into parts."),
    "too-many-files": ("These are too many files at once.", "Publish them folder by folder."),
    "some-not-published": (
        "Some of its files were not published.",
        "Resume: these alone are sent.",
    ),
    "not-tried": ("The grid could not take the files before this one.", "Resume later."),
    "same-name": ("Two files would get the same name.", "Rename one of them."),
    "bad-name": ("This name cannot be used.", "Choose another one."),
    "bad-path": ("This place cannot be used.", "Choose another one."),
    "not-a-folder": ("Something of that name is in the way.", "Choose another place."),
    "name-taken": ("There are too many files of this name.", "Choose another folder."),
    "no-such-folder": ("The folder is no longer there.", "Choose another one."),
    "cut-off": ("It was cut off.", "It goes on with the next start, or do the same again."),
    "no-such-transfer": ("This transfer is over.", "Do the same again."),
    "transfer-done": ("This transfer is over.", "There is nothing left to do."),
    # This computer
    "cannot-write": ("The home of Bitcloud cannot be written.", "Check disk and permissions."),
    "store-damaged": ("The folder with what you lend is damaged.", "Check the disk."),
    "settings-damaged": ("The settings are damaged.", "Mend or remove “settings.toml”."),
    "database-damaged": ("The database is damaged.", "Start again: it is rebuilt from the grid."),
    "database-unusable": ("The database cannot be used.", "Check disk and permissions."),
    "no-key-store": ("This system has no key store.", "Use a passphrase instead."),
    "key-missing": (
        "The key that opens this home is not in the system's key store.",
        "Restore your identity from its recovery words.",
    ),
    "disk-full": ("The disk of this computer is full.", "Make room, then resume."),
    "disk-failed": ("The disk of this computer failed.", "Check it, then try again."),
    "disk-forbidden": ("The disk or folder is not writable for you.", "Check its permissions."),
    "too-little": ("This is too little space to be useful.", "Lend more."),
    "store-in-use": ("Another Bitcloud uses this folder already.", "Choose another one."),
    "store-too-new": _NEWER,
    "vault-too-new": _NEWER,
    "settings-too-new": _NEWER,
    "database-too-new": _NEWER,
    "port-taken": ("Another program uses Bitcloud's port.", "Close it, then try again."),
    "share-damaged": ("A share on this computer is damaged.", "The grid rebuilds it by itself."),
    "vault-damaged": (
        "The file with your keys is damaged.",
        "Restore your identity from its recovery words.",
    ),
    "no-home": (
        "Welcome to Bitcloud.",
        "There is no identity on this computer yet: make one, or bring yours back.",
    ),
    "passphrase-needed": ("Your keys are locked with a passphrase.", "Enter it to go on."),
    "recovery-words": ("These are not 24 recovery words of Bitcloud.", "Check each of them."),
    "home-exists": ("There is an identity already.", "Close this and try again."),
    "wrong-passphrase": ("This is not the passphrase.", "Try again."),
    "home-in-use": ("Another Bitcloud runs with this home already.", "Close it, then try again."),
    "testgrid-did-not-start": ("The test grid did not start.", "Try again."),
    "node-did-not-start": ("A node of the test grid did not start.", "Try again."),
    "testgrid-damaged": ("The test grid's files are damaged.", "Remove its folder to begin anew."),
    "no-test-grid": ("No test grid runs here.", "Start the window with “make run”."),
    "gateway-stopped": ("The gateway does not run.", "Try again."),
    "node-closed": ("The node of this window is not running.", "Press “Try again” in Files."),
    # The shared database
    "sql-error": (
        "This is not SQL that can be answered.",
        "Tables and columns are listed at the left.",
    ),
    "sql-not-allowed": (
        "Here everything can be read and nothing changed.",
        "Begin with SELECT; “Write a row…” writes rows of your own.",
    ),
    "sql-too-long": ("The statement is longer than 64 KiB.", "Ask in parts."),
    "sql-takes-too-long": (
        "The statement was ended after five seconds.",
        "Ask for less: search by key, or add WHERE or LIMIT.",
    ),
    "no-nodepool": ("There is no shared database here yet.", "Wait until the node has started."),
    "bad-json": ("The values are not JSON of a row.", "Compare them with the columns."),
    "bad-key": ("The key does not fit this table.", "Give what follows your own key, as hex."),
    "bad-body": ("The values do not fit this table.", "Compare them with its columns."),
    "unknown-table": ("There is no such table.", "Choose one of the list."),
    "check-failed": ("The application's own check refuses this row.", "Compare it with the rules."),
    "owner-banned": (
        "This computer is banned for the moment.",
        "The Contribute page says why, and until when.",
    ),
    "beacon-unknown": (
        "This computer does not know the network's number of the day yet.",
        "Try again in a few minutes, or on a computer that is not set up as a small one.",
    ),
    "must-mine-again": (
        "This computer was away too long, so its identity no longer counts.",
        "Contribute again: another one is earned by itself.",
    ),
    "not-signed-by-all": (
        "Somebody else has to sign this row, too.",
        "Rows that two people sign are written by the programs that agree on them.",
    ),
    "missing-parent": ("The row it belongs to is not there.", "Write that one first."),
    "app-full": ("The table of this application is full.", "Remove rows, or wait until some end."),
    "pool-full": ("The shared database is full.", "Wait until rows end."),
    "row-too-large": ("The row is larger than this table allows.", "Shorten it."),
    "slots-used-up": ("You wrote many rows in a short time.", "Try again in ten minutes."),
    # Nodes that break the rules
    "corrupt-block": (
        "A storage node sent changed bytes.",
        "They were refused, and the file was read from other nodes.",
    ),
    "bad-proof": ("A storage node could not prove its share.", "Another one is asked instead."),
    "bad-signature": ("A signature does not fit.", "What came with it was refused."),
    "flood-limit": ("A node sent more than the rules allow.", "It was cut off."),
}

_BY_CLASS: tuple[tuple[type[BitcloudError], str, str], ...] = (
    (BadInput, "This cannot be done as asked.", "Check what you entered."),
    (Refused, "A node refused this.", "Try again later."),
    (Unavailable, "The grid cannot do this at the moment.", "Try again in a moment."),
    (LocalFault, "This computer could not do it.", "Check disk and permissions, then try again."),
    (PeerFault, "A node broke the rules and was refused.", "Other nodes take its place."),
)

OWN_FILE_CODES = frozenset(
    {"missing", "unreadable", "symlink", "not-a-file", "file-changed", "same-name"}
)
"""What can be wrong with a file of this computer; the node's own words name it."""

_OWN_WORDS = OWN_FILE_CODES | {"sql-error", "bad-json", "bad-body", "bad-key", "not-signed-by-all"}
"""Codes of what is wrong with a person's own file, statement or row; no peer can cause these."""

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


def explain_own(error: BaseException) -> ErrorText:
    """Return what to show about a file, statement or row of this person: for those codes the
    node's own words, which say where it is wrong."""
    if isinstance(error, BadInput) and error.code in _OWN_WORDS:
        return own_words(error.code, error.message.removeprefix("SQL: "))
    return explain(error)


def own_words(code: str, words: str) -> ErrorText:
    """Return words of this computer's own node as a sentence, with the advice of its code."""
    found = explain_code(code)
    sentence = words[:1].upper() + words[1:].rstrip(".") + "."
    return ErrorText(sentence=sentence, advice=found.advice if found else "")


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
