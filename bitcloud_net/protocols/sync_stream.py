"""How the sync protocol's messages travel (``protocols.questions``)."""

from __future__ import annotations

from typing import Final

from bitcloud_net.core.errors import Refused
from bitcloud_net.protocols.questions import Codec
from bitcloud_net.wire import sync_session as wire


def _refusal(answer: wire.Answer) -> Refused | None:
    if isinstance(answer, wire.RefusedIs):
        return Refused(answer.text, code=answer.error_code)
    return None


CODEC: Final[Codec[wire.Request, wire.Answer]] = Codec(
    max_frame_bytes=wire.MAX_FRAME_BYTES,
    pack=wire.pack,
    parse_request=wire.parse_request,
    parse_answer=wire.parse_answer,
    refusal=_refusal,
)
