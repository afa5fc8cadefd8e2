"""What is done with one batch of rows or proofs, inside one transaction of the writer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.nodepool.acceptance import Acceptance
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.own_rows import OwnRows
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.signing import NewRow, RowSigner


def accept_rows(acceptance: Acceptance, raws: Sequence[bytes]) -> list[Outcome]:
    """Offer rows in their wire form; return the fate of each, in the order given."""
    rules = acceptance.registry.rule_of
    parsed = [_parse(raw, rules) for raw in raws]
    fates: dict[int, Outcome] = {}
    rows = [(at, row) for at, row in enumerate(parsed) if isinstance(row, SignedRow)]
    for at, row in sorted(rows, key=_turn):
        fates[at] = acceptance.accept(row)
    return [fates.get(at, row) for at, row in enumerate(parsed)]  # type: ignore[arg-type]


def write_rows(
    acceptance: Acceptance, rows: Sequence[NewRow], *, key: SigningKey, own: OwnRows, now_s: int
) -> list[Outcome]:
    """Sign rows with ``key``, accept them and keep them safe with the own rows: all or none.

    Raises:
        BadInput: one of them was refused; the code says why.
        Unavailable: ``slots-used-up``.
    """
    signer = RowSigner(own, acceptance.registry, acceptance, key)
    outcomes = []
    for new, slot in zip(rows, signer.take_slots(rows), strict=True):
        outcome = acceptance.accept(signer.sign(new, slot, now_s), own=True)
        if outcome.fate is not Fate.ACCEPTED:
            raise BadInput(outcome.reason or "the row was refused", code=outcome.code)
        outcomes.append(outcome)
    own.keep([outcome.row for outcome in outcomes if outcome.row is not None])
    return outcomes


def accept_proofs(acceptance: Acceptance, raws: Sequence[bytes]) -> list[Outcome]:
    """Offer proofs; after the first that proves nothing the rest is not read."""
    outcomes: list[Outcome] = []
    for raw in raws:
        outcomes.append(_accept_proof(acceptance, raw))
        if outcomes[-1].is_senders_fault:  # a check may cost a try of mining: one is enough
            code = outcomes[-1].code
            outcomes += [Outcome(fate=Fate.REFUSED, code=code)] * (len(raws) - len(outcomes))
            break
    return outcomes


def _accept_proof(acceptance: Acceptance, raw: bytes) -> Outcome:
    try:
        adds = acceptance.convict(
            Proof.parse(raw, acceptance.admission, acceptance.registry.rule_of)
        )
    except Malformed as error:
        return Outcome(fate=Fate.REFUSED, code=error.code, reason=error.message)
    return Outcome(fate=Fate.ACCEPTED if adds else Fate.KNOWN)


_FIRST: Mapping[int, int] = {Table.IDENTITY: 0, Table.NODE: 1, Table.PUBLISHER: 2}


def _turn(item: tuple[int, SignedRow]) -> tuple[int, int]:
    """Return when a row of a batch is looked at: what others belong to comes first. The numbers of
    tables are in that order, but for those that others need most.
    """
    table = item[1].table
    return _FIRST.get(table, len(_FIRST)), table


def _parse(raw: bytes, rules: Rules) -> SignedRow | Outcome:
    try:
        return SignedRow.parse(raw, rules)
    except Malformed as error:
        return Outcome(fate=Fate.REFUSED, code=error.code, reason=error.message)


def accepted(outcomes: Iterable[Outcome]) -> tuple[SignedRow, ...]:
    """Return the rows that were accepted."""
    return tuple(
        outcome.row
        for outcome in outcomes
        if outcome.fate is Fate.ACCEPTED and outcome.row is not None
    )
