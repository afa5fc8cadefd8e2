"""Foreign text made safe to show, and figures made readable. Pure; knows Qt only for translations.

Names, nicknames and messages come from strangers. Two tricks are met here: characters that change
the direction or vanish (shown as visible escapes, so that ``evil\\u202Egpj.exe`` cannot pose as a
picture) and rich text (every widget that shows foreign text is plain, and tooltips are escaped by
``as_tooltip``).
"""

from __future__ import annotations

import html
import unicodedata

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale

MAX_SHOWN_CHARACTERS = 512
"""Longer foreign text is cut: laying out a megabyte of text would block the window."""

_FIRST_STRONG_ISOLATE = "\u2068"
_POP_ISOLATE = "\u2069"
# Unassigned and private-use characters have no agreed look; Cf are the invisible ones.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters that Unicode classes as visible although nothing is drawn (Hangul fillers, Braille blank).
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")


def tr(text: str) -> str:
    """Return the translation of one of our own texts, outside widgets."""
    return QCoreApplication.translate("bitcloud", text)


def shown(text: str, limit: int = MAX_SHOWN_CHARACTERS) -> str:
    """Return foreign text with every invisible, direction-changing or control character escaped,
    and with an ellipsis instead of what goes beyond ``limit`` characters."""
    return visible(text if len(text) <= limit else text[: limit - 1] + "…")


def visible(text: str) -> str:
    """Return all of a foreign text with the same characters escaped, for where nothing is drawn."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    hidden = unicodedata.category(character) in _ESCAPED_CATEGORIES
    if hidden or character in _INVISIBLE_LETTERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def isolated(text: str) -> str:
    """Return ``shown(text)`` wrapped so that it cannot reorder the sentence it stands in."""
    safe = shown(text)
    return safe if safe.isascii() else f"{_FIRST_STRONG_ISOLATE}{safe}{_POP_ISOLATE}"


def as_tooltip(text: str) -> str:
    """Return foreign text for a tooltip, which Qt would otherwise read as HTML."""
    return f"<qt>{html.escape(shown(text))}</qt>"


def extension(name: str) -> str:
    """Return the real extension of a name without its dot, in capitals; ``""`` when it has none."""
    stem, dot, last = name.rpartition(".")
    return shown(last).upper() if dot and stem and 0 < len(last) <= 5 else ""


def size_text(size_bytes: int | None) -> str:
    """Return a size such as ``746.1 MB`` (decimal units, as discs are sold)."""
    if size_bytes is None:
        return "—"
    if size_bytes < 1000:
        return tr("{count} bytes").format(count=size_bytes)
    figure, units = size_bytes / 1000, ["kB", "MB", "GB", "TB", "PB"]
    while figure >= 999.95 and len(units) > 1:
        figure /= 1000
        units.pop(0)
    unit = units[0]
    digits = 0 if unit == "kB" or figure >= 999 else 1
    return f"{QLocale().toString(figure, 'f', digits)} {unit}"


def round_size_text(size_bytes: int) -> str:
    """Return a size without needless decimals: ``500 GB``, ``1.5 TB``."""
    text = size_text(size_bytes)
    return text.replace(f"{QLocale().decimalPoint()}0 ", " ")


def part_text(part_bytes: int, whole_bytes: int) -> str:
    """Return a part of a whole, with the unit once where both have the same: ``212 / 500 GB``."""
    part = round_size_text(part_bytes) if part_bytes else "0"
    whole = round_size_text(whole_bytes)
    figure, _space, unit = part.partition(" ")
    return f"{figure if unit and whole.endswith(f' {unit}') else part} / {whole}"


def speed_text(bytes_per_s: int) -> str:
    """Return a speed such as ``5.1 MB/s``."""
    return f"{size_text(bytes_per_s) if bytes_per_s >= 1000 else f'{bytes_per_s} B'}/s"


def time_left_text(seconds: int | None) -> str:
    """Return what is left of a transfer, rounded as a person would say it."""
    if seconds is None:
        return ""
    if seconds < 5:
        return tr("a moment left")
    if seconds < 60:
        return tr("{count} s left").format(count=seconds)
    if seconds < 3600:
        return tr("{count} min left").format(count=round(seconds / 60))
    return tr("{count} h left").format(count=round(seconds / 3600))


def ago_text(then_s: int | None, now_s: int) -> str:
    """Return how long ago something was, or its date when that is longer than a month."""
    if then_s is None:
        return ""
    passed = max(0, now_s - then_s)
    for limit_s, unit_s, one, many in _AGES:
        if passed < limit_s:
            count = passed // unit_s
            return tr(one) if count <= 1 else tr(many).format(count=count)
    return QLocale().toString(
        QDateTime.fromSecsSinceEpoch(min(then_s, _LATEST_DATE_S)).date(),
        QLocale.FormatType.ShortFormat,
    )


def moment_text(then_s: int, now_s: int) -> str:
    """Return a moment as a time of day, with its date where that is not today's."""
    then = QDateTime.fromSecsSinceEpoch(min(then_s, _LATEST_DATE_S))
    short = QLocale.FormatType.ShortFormat
    time = QLocale().toString(then.time(), short)
    if then.date() == QDateTime.fromSecsSinceEpoch(now_s).date():
        return time
    return f"{QLocale().toString(then.date(), short)}, {time}"


_LATEST_DATE_S = 253402300799  # the end of year 9999; peers may claim later dates
_AGES = (
    (60, 60, "just now", "just now"),
    (3600, 60, "a minute ago", "{count} minutes ago"),
    (86400, 3600, "an hour ago", "{count} hours ago"),
    (31 * 86400, 86400, "yesterday", "{count} days ago"),
)


def count_text(count: int, one: str, many: str) -> str:
    """Return ``one`` or ``many`` with the number in it, such as ``1 item`` or ``16 items``."""
    return tr(one if count == 1 else many).format(count=QLocale().toString(count))


_KINDS = {
    "video/webm": "WebM video",
    "video/mp4": "MP4 video",
    "video/x-matroska": "Matroska video",
    "audio/mpeg": "MP3 music",
    "audio/ogg": "Ogg music",
    "audio/flac": "FLAC music",
    "audio/wav": "WAV sound",
    "image/png": "PNG picture",
    "image/jpeg": "JPEG picture",
    "image/gif": "GIF picture",
    "image/webp": "WebP picture",
    "image/svg+xml": "SVG drawing",
    "application/pdf": "PDF document",
    "application/zip": "ZIP archive",
    "text/plain": "Plain text",
    "text/html": "Web page",
    "text/markdown": "Markdown text",
    "application/json": "JSON data",
}
_FAMILIES = {
    "video": "{extension} video",
    "audio": "{extension} sound",
    "image": "{extension} picture",
    "text": "{extension} text",
}


def kind_text(media_type: str | None, name: str) -> str:
    """Return what sort of file this is, in words."""
    if media_type in _KINDS:
        return tr(_KINDS[media_type])
    family = (media_type or "").partition("/")[0]
    pattern = _FAMILIES.get(family, "{extension} file")
    return tr(pattern).format(extension=extension(name)).strip().capitalize()
