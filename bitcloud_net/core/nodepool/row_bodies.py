"""What the rows of each table say: typed bodies, strictly parsed.

A body travels as a map with exactly the fields of its class. The kinds of rows stand in
``core.nodepool.bodies``, by subject; here they are gathered, and turned into what travels and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bitcloud_net.core.encoding import Value
from bitcloud_net.core.nodepool.bodies import (
    apps,
    certificates,
    contracts,
    heads,
    market,
    network,
    people,
    permissions,
    requests,
    storage,
)
from bitcloud_net.core.nodepool.bodies.apps import AppBody, DefinitionBody, app_body
from bitcloud_net.core.nodepool.bodies.certificates import CertificateBody
from bitcloud_net.core.nodepool.bodies.contracts import (
    BidBody,
    NodeContractBody,
    PublisherContractBody,
    ReceiptSummaryBody,
)
from bitcloud_net.core.nodepool.bodies.fields import Body, parse_fields, plain_fields
from bitcloud_net.core.nodepool.bodies.heads import HeadBody
from bitcloud_net.core.nodepool.bodies.kinds import Kind, Parents, RowLike
from bitcloud_net.core.nodepool.bodies.market import GatewayBody, GridBody, PublisherBody, TrustBody
from bitcloud_net.core.nodepool.bodies.network import (
    MAX_FAULT_COUNT,
    MAX_NAME_CHARS,
    BeaconBody,
    FaultBody,
    IdentityBody,
    NodeBody,
)
from bitcloud_net.core.nodepool.bodies.people import UserBody
from bitcloud_net.core.nodepool.bodies.permissions import PermissionBody
from bitcloud_net.core.nodepool.bodies.requests import (
    GridOwnerRequestBody,
    PublisherRequestBody,
    UserRequestBody,
)
from bitcloud_net.core.nodepool.bodies.storage import (
    FILE_ID_BYTES,
    FOLDER_ID_BYTES,
    MAX_SEALED_FILE_BYTES,
    FileBody,
    FolderBody,
    PlacementBody,
)
from bitcloud_net.core.nodepool.tables import TableRule

__all__ = [
    "FILE_ID_BYTES",
    "FOLDER_ID_BYTES",
    "KINDS",
    "MAX_FAULT_COUNT",
    "MAX_NAME_CHARS",
    "MAX_SEALED_FILE_BYTES",
    "AppBody",
    "BeaconBody",
    "BidBody",
    "Body",
    "CertificateBody",
    "DefinitionBody",
    "FaultBody",
    "FileBody",
    "FolderBody",
    "GatewayBody",
    "GridBody",
    "GridOwnerRequestBody",
    "HeadBody",
    "IdentityBody",
    "NodeBody",
    "NodeContractBody",
    "PermissionBody",
    "PlacementBody",
    "PublisherBody",
    "PublisherContractBody",
    "PublisherRequestBody",
    "ReceiptSummaryBody",
    "TrustBody",
    "UserBody",
    "UserRequestBody",
    "app_body",
    "body_value",
    "parents_of",
    "parse_body",
]

_MODULES = (
    network,
    people,
    storage,
    apps,
    market,
    contracts,
    requests,
    permissions,
    heads,
    certificates,
)

KINDS: Mapping[int, Kind] = MappingProxyType(
    {kind.rule.table: kind for module in _MODULES for kind in module.KINDS}
)
"""The kind of row of every table that is not an application's, by the table's number."""


def body_value(body: Body) -> dict[str, Value]:
    """Return the map of plain values that travels for ``body``."""
    if isinstance(body, AppBody):
        return dict(zip(body.names, body.values, strict=True))
    return plain_fields(body)


def parse_body(rule: TableRule, value: object) -> Body:
    """Return the typed body of a row of the table with this rule.

    Raises:
        Malformed: ``bad-body``; the message names the field.
    """
    if rule.columns:
        return app_body(rule, value)
    kind = KINDS[rule.table]
    body: Body = parse_fields(kind.body, f"a {rule.name} row", value)
    kind.check(body)
    return body


def parents_of(row: RowLike, body: Body) -> Parents:
    """Return the rows that must all be there before ``row``, which says ``body``."""
    kind = _BY_BODY.get(type(body))
    return () if kind is None else kind.parents(row, body)


_BY_BODY: Mapping[type[Body], Kind] = MappingProxyType({kind.body: kind for kind in KINDS.values()})
