"""Makes the published vectors in this directory: ``python -m tests.vectors.make_vectors``.

Every file holds vectors to accept, with what they give, and vectors to refuse, each with one
reason. All input is fixed here, so two runs give the same files; a test compares them. Bytes are
hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.vectors import parts, stored
from tests.vectors.common import Vector

HERE: Final = Path(__file__).parent

MAKERS: Final[dict[str, Callable[[], Vector]]] = {
    "caps": parts.make_caps,
    "code": parts.make_code,
    "golden": stored.make_golden,
    "keys": parts.make_keys,
    "manifest": stored.make_manifest,
    "merkle": parts.make_merkle,
    "padding": parts.make_padding,
    "placement": parts.make_placement,
    "receipt": stored.make_receipt,
    "recovery": parts.make_recovery,
    "sealing": parts.make_sealing,
    "share": stored.make_share,
}


def text_of(name: str) -> str:
    """Return the text of one vector file."""
    make = MAKERS[name]
    made = {"format": 1, "about": (make.__doc__ or "").strip()} | make()
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write all files."""
    for name in MAKERS:
        (HERE / f"{name}.json").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()
