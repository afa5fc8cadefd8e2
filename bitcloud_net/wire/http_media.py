"""Media types: the list of those we ever send, and which of them a browser would execute.

A file's stored type was written by whoever published it, so it only chooses from this list. What
is not on it goes out as plain bytes to be saved.
"""

from __future__ import annotations

BYTES = "application/octet-stream"
PLAIN_TEXT = "text/plain; charset=utf-8"

_SHOWN = {
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/ogg": ("ogv",),
    "video/x-matroska": ("mkv",),
    "video/quicktime": ("mov",),
    "video/mpeg": ("mpg", "mpeg"),
    "video/mp2t": ("ts", "m2ts"),
    "video/x-msvideo": ("avi",),
    "video/3gpp": ("3gp",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a",),
    "audio/aac": ("aac",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/webm": ("weba",),
    "audio/flac": ("flac",),
    "audio/wav": ("wav",),
    "audio/aiff": ("aif", "aiff"),
    "audio/midi": ("mid", "midi"),
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/bmp": ("bmp",),
    "image/x-icon": ("ico",),
    "application/json": ("json",),
    PLAIN_TEXT: (
        *("txt", "md", "rst", "log", "csv", "tsv", "ini", "cfg", "conf", "toml", "yaml", "yml"),
        *(
            "c",
            "cc",
            "cpp",
            "h",
            "hpp",
            "rs",
            "go",
            "py",
            "java",
            "rb",
            "sh",
            "sql",
            "diff",
            "patch",
        ),
        *("srt", "tex", "bib"),
    ),
    "text/vtt; charset=utf-8": ("vtt",),
}
"""A browser displays these itself and runs nothing in them."""

_ACTIVE = {
    "text/html; charset=utf-8": ("html", "htm"),
    "application/xhtml+xml": ("xhtml", "xht"),
    "image/svg+xml": ("svg", "svgz"),
    "application/xml": ("xml", "xsl", "xslt", "rss", "atom"),
    "application/pdf": ("pdf",),
    "text/javascript; charset=utf-8": ("js", "mjs"),
    "text/css; charset=utf-8": ("css",),
    "application/wasm": ("wasm",),
    "application/manifest+json": ("webmanifest",),
}
"""These run script, or make another page look or behave differently."""

_SAVED = {
    "application/zip": ("zip",),
    "application/gzip": ("gz", "tgz"),
    "application/x-tar": ("tar",),
    "application/x-7z-compressed": ("7z",),
    "application/epub+zip": ("epub",),
    "font/woff2": ("woff2",),
    "font/woff": ("woff",),
    "font/ttf": ("ttf",),
    "font/otf": ("otf",),
}
"""For other programs."""

_ALIASES = {
    "text/xml": "application/xml",
    "application/javascript": "text/javascript; charset=utf-8",
    "application/x-javascript": "text/javascript; charset=utf-8",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/opus": "audio/ogg",
    "video/matroska": "video/x-matroska",
    "video/avi": "video/x-msvideo",
    "image/jpg": "image/jpeg",
    "image/vnd.microsoft.icon": "image/x-icon",
}

_ALL = {**_SHOWN, **_ACTIVE, **_SAVED}
_BY_ENDING = {ending: media for media, endings in _ALL.items() for ending in endings}
_BY_TYPE = {media.partition(";")[0]: media for media in _ALL} | _ALIASES


def media_type_of(name: str, stored: str | None) -> str:
    """Return the media type to send: the stored one if we know it, else by the name's ending.

    Parameters of the stored type are dropped. What neither tells is ``application/octet-stream``.
    """
    given = (stored or "").partition(";")[0].strip().lower()
    if given in _BY_TYPE:
        return _BY_TYPE[given]
    _, dot, ending = name.rpartition(".")
    return _BY_ENDING.get(ending.lower(), BYTES) if dot else BYTES


def is_active(media_type: str) -> bool:
    """Say whether a browser would run, or apply to other pages, what is in such a file."""
    return media_type in _ACTIVE


def is_shown(media_type: str) -> bool:
    """Say whether a browser displays such a file without running anything in it."""
    return media_type in _SHOWN
