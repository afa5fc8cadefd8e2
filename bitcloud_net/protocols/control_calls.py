"""The calls of the control socket: one table, used by both ends.

Each call names its arguments and its result by type. ``plain`` turns a value into what JSON can
hold, and ``parse`` turns it back, checking every field, so that nothing unchecked passes either
end.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bitcloud_net.core import errors
from bitcloud_net.core.errors import BitcloudError, Malformed
from bitcloud_net.views import (
    AppView,
    Avoided,
    BanView,
    Contribution,
    Details,
    EntriesChanged,
    Entry,
    Membership,
    MembershipChanged,
    Published,
    SqlAnswer,
    Status,
    StatusChanged,
    Synced,
    TestGrid,
    TestGridChanged,
    Transfer,
    TransferChanged,
    WrittenRow,
    to_json,
)
from bitcloud_net.wire.control_frames import CONTROL_VERSION, ControlFrame, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: the names and types of its arguments, and what comes back."""

    arguments: Mapping[str, Any]
    result: Any = None  # a type; None for no result
    streams: bool = False


CALLS: Final[Mapping[str, Call]] = {
    "status": Call(arguments={}, result=Status),
    "entries": Call(arguments={"path": str}, result=tuple[Entry, ...]),
    "details": Call(arguments={"target": str}, result=Details),
    "publish": Call(
        arguments={"sources": tuple[Path, ...], "to": str, "wait": bool},
        result=tuple[Published, ...],
    ),
    "fetch": Call(arguments={"target": str, "destination": Path, "wait": bool}, result=Path),
    "read": Call(arguments={"target": str, "offset": int, "length": int | None}, streams=True),
    "share": Call(arguments={"path": str}, result=str),
    "check": Call(arguments={"target": str, "verify": bool}, result=Details),
    "repair": Call(arguments={"target": str}, result=Details),
    "url": Call(arguments={"target": str}, result=str),
    "contribute": Call(
        arguments={"folder": Path | None, "capacity_bytes": int}, result=Contribution
    ),
    "membership": Call(arguments={"role": str}, result=Membership),
    "join": Call(arguments={"role": str, "wait": bool}, result=Membership),
    "pause_join": Call(arguments={}, result=Membership),
    "avoided": Call(arguments={}, result=tuple[Avoided, ...]),
    "avoid": Call(arguments={"target": str, "reason": str}),
    "unavoid": Call(arguments={"target": str}),
    "transfers": Call(arguments={}, result=tuple[Transfer, ...]),
    "pause": Call(arguments={"transfer": str}),
    "resume": Call(arguments={"transfer": str}),
    "cancel": Call(arguments={"transfer": str}),
    "news": Call(arguments={}, streams=True),
    "select": Call(arguments={"statement": str}, result=SqlAnswer),
    "put_row": Call(arguments={"table": str, "key": str, "values": str}, result=WrittenRow),
    "apps": Call(arguments={}, result=tuple[AppView, ...]),
    "install_app": Call(arguments={"definition": str}, result=AppView),
    "uninstall_app": Call(arguments={"app": str}),
    "bans": Call(arguments={}, result=tuple[BanView, ...]),
    "sync_rows": Call(arguments={"table": str}, result=Synced),
    "test_grid": Call(arguments={}, result=TestGrid | None),
    "set_running_nodes": Call(arguments={"count": int}, result=TestGrid),
}

NEWS: Final = {
    kind.__name__: kind
    for kind in (
        EntriesChanged,
        TransferChanged,
        StatusChanged,
        TestGridChanged,
        MembershipChanged,
    )
}

ERRORS: Final = {
    "bad-input": errors.BadInput,
    "refused": errors.Refused,
    "unavailable": errors.Unavailable,
    "local-fault": errors.LocalFault,
}
"""Whose fault, as it travels. A peer's fault arrives as ``Unavailable``: the program did not see
the peer."""


def error_plain(error: BitcloudError) -> dict[str, str]:
    """Return an error as it travels: its kind, code and sentence."""
    kind = next((name for name, cls in ERRORS.items() if type(error) is cls), "unavailable")
    return {"kind": kind, "code": error.code, "message": error.message}


def error_from(plain: Any) -> BitcloudError:
    """Return the error that ``error_plain`` described; an unknown kind becomes ``Unavailable``."""
    if not isinstance(plain, dict):
        return errors.Unavailable("the node answered with an error that cannot be read")
    cls = ERRORS.get(str(plain.get("kind")), errors.Unavailable)
    return cls(str(plain.get("message", "no reason given")), code=str(plain.get("code", "error")))


def plain(value: object) -> Any:
    """Return ``value`` as JSON can hold it."""
    return to_json(value)


def parse_call(frame: ControlFrame) -> tuple[str, Call, dict[str, Any]]:
    """Return the name of the call in ``frame``, its entry in the table, and its checked arguments.

    Raises:
        BadInput: not a call, or not one that this version knows.
    """
    try:
        return _parse_call(frame)
    except Malformed as error:
        raise errors.BadInput(error.message, code="bad-call") from error


def _parse_call(frame: ControlFrame) -> tuple[str, Call, dict[str, Any]]:
    given = frame.json()
    if frame.kind is not Kind.CALL or not isinstance(given, dict):
        raise Malformed("the first control message must be a call")
    if given.get("version") != CONTROL_VERSION:
        raise errors.BadInput(
            "this command and the running node are of different versions; restart the node",
            code="control-version",
        )
    name = given.get("call")
    if not isinstance(name, str) or name not in CALLS:
        raise Malformed("no such call")
    return name, CALLS[name], parse_arguments(CALLS[name], given.get("arguments"))


def parse_arguments(call: Call, given: Any) -> dict[str, Any]:
    """Return checked arguments.

    Raises:
        Malformed: one is missing, unknown, or of a wrong type.
    """
    if not isinstance(given, dict) or given.keys() != call.arguments.keys():
        raise Malformed("the call's arguments are not those that it takes")
    return {name: parse(kind, given[name]) for name, kind in call.arguments.items()}


def parse(kind: Any, value: object) -> Any:
    """Return ``value``, as it came from JSON, as a value of the type ``kind``.

    ``kind`` is a view, an enumeration, str, int, float, bool, Path, tuple[…, ...] or a union of
    one of these, or of str, int and float, with None.

    Raises:
        Malformed: it cannot be.
    """
    if kind is None or kind is types.NoneType:
        return _expect(value is None, value)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _parse_optional(kind, value)
    if origin is tuple:
        return _parse_list(typing.get_args(kind)[0], value)
    if dataclasses.is_dataclass(kind):
        return _parse_view(kind, value)
    return _parse_scalar(kind, value)


def _parse_optional(kind: Any, value: Any) -> Any:
    options = [option for option in typing.get_args(kind) if option is not types.NoneType]
    if value is None:
        return None
    return parse(type(value) if type(value) in options else options[0], value)


def _parse_list(kind: Any, value: Any) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value)
    return tuple(parse(kind, item) for item in value)


def _parse_view(kind: Any, value: Any) -> Any:
    _expect(isinstance(value, dict), value)
    hints = _hints(kind)
    try:
        fields = {name: parse(hint, value[name]) for name, hint in hints.items() if name in value}
        return kind(**fields)
    except TypeError as error:
        raise Malformed(f"a field of {kind.__name__} is missing") from error


def _parse_scalar(kind: Any, value: Any) -> Any:
    if kind is float:
        _expect(isinstance(value, int | float) and not isinstance(value, bool), value)
        return float(value)
    if kind in (int, str, bool):
        _expect(type(value) is kind, value)
        return value
    if kind is Path:
        _expect(isinstance(value, str) and "\0" not in value, value)
        return Path(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        _expect(value in [member.value for member in kind], value)
        return kind(value)
    raise AssertionError(f"no such type on the control socket: {kind}")


def _expect(holds: bool, value: object) -> Any:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise Malformed(f"a {type(value).__name__} is not what belongs here")
    return value


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
