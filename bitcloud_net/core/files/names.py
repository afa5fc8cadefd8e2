"""Names: of entries in the virtual disk, of files saved on a computer, and as they are shown.

A name comes from somebody else. In the disk it is refused when it could mislead a program; on a
computer it is changed until it is harmless there; on the screen it is shown with nothing invisible.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from bitcloud_net.core.errors import BadInput

System: TypeAlias = Literal["posix", "windows", "macos"]

MAX_NAME_BYTES: Final = 255
"""Longest name in UTF-8 bytes: the limit of ext4, APFS and NTFS alike (NTFS counts fewer)."""
MAX_PATH_PARTS: Final = 64
"""Deepest path of the virtual disk."""

_SEPARATOR: Final = "/"
_FORBIDDEN: Final = {
    "posix": frozenset("/"),
    "macos": frozenset("/:"),
    "windows": frozenset('<>:"/\\|?*'),
}
_DEVICES: Final = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)
_UNSAFE_CATEGORIES: Final = frozenset(
    ["Cc", "Cs", "Zl", "Zp"]
)  # controls, half characters, line ends
_INVISIBLE: Final = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")
_JOINERS: Final = frozenset("\u200c\u200d")  # needed to write Persian, Hindi and family emoji


def entry_name(text: str) -> str:
    """Return ``text`` as a name in the virtual disk: in NFC, unchanged otherwise.

    Raises:
        BadInput: ``bad-name``: empty, ``.`` or ``..``, with "/" or a control character, or longer
            than 255 bytes.
    """
    if len(text) > MAX_NAME_BYTES:
        raise _bad(f"a name has at most {MAX_NAME_BYTES} bytes; choose a shorter one")
    if any(unicodedata.category(char) in _UNSAFE_CATEGORIES for char in text):
        raise _bad("a name cannot contain line ends or control characters")
    name = unicodedata.normalize("NFC", text)
    if name in ("", ".", ".."):
        raise _bad("a name cannot be empty, “.” or “..”")
    if _SEPARATOR in name:
        raise _bad("a name cannot contain “/”")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _bad(f"a name has at most {MAX_NAME_BYTES} bytes; choose a shorter one")
    return name


def split_path(path: str) -> tuple[str, ...]:
    """Return the names in a path of the virtual disk; none for the root ("" or "/").

    One "/" in front and one behind do not matter.

    Raises:
        BadInput: ``bad-name`` for a part that is no name, ``bad-path`` for more than 64 parts.
    """
    trimmed = path.removeprefix(_SEPARATOR).removesuffix(_SEPARATOR)
    parts = trimmed.split(_SEPARATOR, MAX_PATH_PARTS) if trimmed else []
    if len(parts) > MAX_PATH_PARTS:
        raise BadInput(f"a path has at most {MAX_PATH_PARTS} parts", code="bad-path")
    return tuple(entry_name(part) for part in parts)


def join_path(parts: Iterable[str]) -> str:
    """Return the path of the virtual disk with these names.

    Raises:
        BadInput: as ``split_path``.
    """
    names = [entry_name(part) for part in parts]
    if len(names) > MAX_PATH_PARTS:
        raise BadInput(f"a path has at most {MAX_PATH_PARTS} parts", code="bad-path")
    return _SEPARATOR.join(names)


def file_name_for(name: str, system: System = "posix") -> str:
    """Return a name under which a file may be saved on a computer, close to ``name``.

    Harmful parts become "_": separators, controls, bidirectional overrides, device names of
    Windows, streams, a leading "-" or "~", a trailing dot or space. Never fails, never empty, never
    more than 255 bytes, and a safe name stays as it is. Two names may become one: see
    ``numbered_name``.
    """
    text = unicodedata.normalize("NFC", name[: 4 * MAX_NAME_BYTES])
    forbidden = _FORBIDDEN[system]
    safe = "".join("_" if char in forbidden or _is_unsafe(char) else char for char in text)
    safe = _shorten(_safe_start(safe, system), MAX_NAME_BYTES)
    return _safe_end(safe, system)


def numbered_name(name: str, number: int, system: System = "posix") -> str:
    """Return ``name`` with " (number)" before its extension: the way out when a name is taken."""
    stem, extension = _split_extension(file_name_for(name, system))
    tag = f" ({number})"
    room = MAX_NAME_BYTES - len((tag + extension).encode())
    return _safe_end(_cut(stem, room) + tag + extension, system)


def collision_key(name: str) -> str:
    """Return what two names share when some computer takes them for the same file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())


def display_name(name: str) -> str:
    """Return ``name`` with everything invisible or direction-changing written out, as
    ``\\u{202e}``.

    The result is plain text; the widget that shows it must not take it for markup.
    """
    return "".join(
        f"\\u{{{ord(char):x}}}" if _is_hidden(char) else char
        for char in unicodedata.normalize("NFC", name)
    )


def _is_hidden(char: str) -> bool:
    if char == " ":
        return False
    return char in _INVISIBLE or unicodedata.category(char)[0] in "CZ" or _is_variation(char)


def _is_unsafe(char: str) -> bool:
    category = unicodedata.category(char)
    return category in _UNSAFE_CATEGORIES or (category == "Cf" and char not in _JOINERS)


def _is_variation(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0e" or "\U000e0100" <= char <= "\U000e01ef"


def _safe_start(text: str, system: System) -> str:
    if text in ("", ".", ".."):
        return "_" * max(1, len(text))
    device = text.partition(".")[0].rstrip(" ").upper()
    if text[0] in "-~" or (system == "windows" and device in _DEVICES):
        return "_" + text
    return text


def _safe_end(text: str, system: System) -> str:
    kept = text.rstrip(". ") if system == "windows" else text
    kept += "_" * (len(text) - len(kept))
    return kept or "_"


def _shorten(text: str, room: int) -> str:
    if len(text.encode()) <= room:
        return text
    stem, extension = _split_extension(text)
    return _cut(stem, room - len(extension.encode())) + extension


def _split_extension(text: str) -> tuple[str, str]:
    """Split off the extension when it is one: short, and not the whole name."""
    stem, dot, extension = text.rpartition(".")
    if not stem or not dot or len(extension.encode()) > 16:
        return text, ""
    return stem, dot + extension


def _cut(text: str, room: int) -> str:
    return text.encode()[:room].decode(errors="ignore")


def _bad(message: str) -> BadInput:
    return BadInput(message, code="bad-name")
