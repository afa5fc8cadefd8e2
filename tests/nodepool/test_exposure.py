"""No row of a narrower table ever reaches a wider audience (R-NP-03), at the wire.

Mary is registered with a publisher, so her rows are for the two of them. A hostile node asks for
them in every way there is, and hears what it would hear if they did not exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
from grids import NOW, FixedClock, Member, key_of, open_member, raws_of, until, view_of

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool import mandates
from bitcloud_net.core.nodepool.audience import EVERYBODY, audience_of
from bitcloud_net.core.nodepool.bodies.certificates import CertificateBody, CertificateKind
from bitcloud_net.core.nodepool.mandates import Mandate
from bitcloud_net.core.nodepool.row_bodies import FolderBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, Table, rule_of
from bitcloud_net.core.trust.certificates import key_of as certificate_key
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.frames import FrameParser, pack_frame
from tests.core import row_samples
from tests.core.row_samples import SAMPLES, before

MARY, PUBLISHER, EVE = key_of("mary"), key_of("publisher"), key_of("eve")


def row(table: Table, suffix: bytes = b"", *, seq: int = 1, name: str = "Mary") -> SignedRow:
    """A row of Mary's that her publisher signed, too."""
    body: UserBody | FolderBody = UserBody(nickname=name)
    if table is Table.FOLDER:
        body = FolderBody(parent=b"", open_key=b"", sealed=name.encode())
    slot = seq * 64 + suffix[0] if suffix else seq
    numbers = {"seq": seq, "period": NOW, "slot": slot, "expires": NOW + 100}
    return make_row(table, suffix, body, signer=MARY, co_signers=[PUBLISHER], **numbers)


SHOP = make_row(
    Table.PUBLISHER,
    b"",
    SAMPLES[Table.PUBLISHER].body,
    signer=PUBLISHER,
    **{"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 100},
)
ROWS = [row(Table.USER), *(row(Table.FOLDER, bytes([at]) * 16) for at in range(40))]


@asynccontextmanager
async def mary_and_eve(
    tmp_path: Path, hub: MemoryHub
) -> AsyncIterator[tuple[Member, MemoryNetwork]]:
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(
            open_member(hub, tmp_path / "mary", "marys machine", persons=(MARY,))
        )
        known = [each.raw for each in (SHOP, *ROWS)]
        outcomes = await machine.store.accept_many(known, source=None)
        assert {outcome.fate for outcome in outcomes} == {Fate.ACCEPTED}
        eve = await stack.enter_async_context(hub.open(EVE))
        await eve.connect(machine.network.addresses[0])
        yield machine, eve


class Asker:
    """A peer that says what it likes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._parser = FrameParser()

    @classmethod
    async def at(cls, network: MemoryNetwork, member: Member) -> Asker:
        return cls(await network.open_stream(member.key.node_id, ProtocolId(wire.PROTOCOL)))

    async def ask(self, message: wire.Request) -> wire.Answer:
        kind, head, payload = wire.pack(message)
        await self.stream.send(pack_frame(1, kind, head, len(payload)), payload)
        while data := await self.stream.receive():
            for frame in self._parser.feed(data):
                return wire.parse_answer(frame.type, frame.head, frame.payload)
        raise Unavailable("ended", code="stream-ended")

    async def greet(self, *shown: Mandate, now_s: int = NOW * 600) -> wire.HelloIs:
        sets = tuple(wire.SetDepth(set=number) for number in range(24))
        answer = await self.ask(wire.Hello(now_s=now_s, mandates=shown, sets=sets))
        assert isinstance(answer, wire.HelloIs)
        return answer


def given(key: SigningKey, node: SigningKey, member: Member, period: int = NOW) -> Mandate:
    return mandates.give(key, node=node.node_id, peer=member.key.node_id, period=period)


async def gleanings(asker: Asker, rows: list[SignedRow] = ROWS) -> list[wire.Answer]:
    """Everything that a stranger can ask about rows of which it knows all but the content."""
    answers: list[wire.Answer] = []
    for number in sorted({each.table for each in rows}):
        everything = b"\x61\x00\x00\x02\x00"  # no ids up to infinity: so list yours
        answers.append(await asker.ask(wire.Recon(set=number, message=everything)))
        answers += [
            await asker.ask(wire.Want(set=of, ids=tuple(each.id for each in rows)))
            for of in (number, Table.NODE, PROOFS, 2**31)
        ]
        glances = [wire.Glance(key=each.key) for each in rows if each.table == number]
        glances += [wire.Glance(key=e.key, short_id=e.id[:8]) for e in rows if e.table == number]
        answers.append(await asker.ask(wire.Look(set=number, glances=tuple(glances))))
        for start in (0, 2**31, 2**32 - 1):
            answers.append(await asker.ask(wire.Some(set=number, start=start, count=64)))
    return answers


async def test_a_stranger_hears_what_it_would_hear_if_there_were_nothing(
    tmp_path: Path, autojump_clock: object
) -> None:
    """Of every table there is: one machine holds a row of each, the other the public ones."""
    hub = MemoryHub(1)
    samples = [sample.row() for sample in SAMPLES.values()]
    samples += [each for each in before(Table.NODE_CONTRACT) if each not in samples] + ROWS
    public = [each for each in samples if audience_of(each, rule_of(each.table)) is EVERYBODY]
    assert len(samples) - len(public) > 45
    async with AsyncExitStack() as stack:
        eve = await stack.enter_async_context(hub.open(EVE))
        heard = []
        for at, held in enumerate((samples, public)):
            name = f"member {at}"
            member = await stack.enter_async_context(open_member(hub, tmp_path / name, name))
            await eve.connect(member.network.addresses[0])
            for _ in range(3):  # what belongs to others comes after them
                await member.store.accept_many([each.raw for each in (SHOP, *held)], source=None)
            total = sum(member.store.counts.values())
            assert total >= len(held), "all are held"
            asker = await Asker.at(eve, member)
            said: list[object] = list(await gleanings(asker, samples))
            said += [(await asker.greet(given(EVE, EVE, member))).states]
            said += await gleanings(asker, samples)
            heard.append(said)
    assert heard[0] == heard[1]


async def test_nodes_to_share_rows_with_are_found(tmp_path: Path, autojump_clock: object) -> None:
    """Mary's publisher is served by a gateway; the grid's owner has a contract with a node."""
    people = row_samples.MARY, row_samples.GRID, EVE
    found = []
    for at, person in enumerate(people):
        hub, name = MemoryHub(12), f"machine {at}"
        async with open_member(hub, tmp_path / name, name, persons=(person,)) as member:
            held = [each.row() for each in SAMPLES.values()] + before(Table.NODE_CONTRACT)
            for _ in range(3):
                await member.store.accept_many([each.raw for each in held], source=None)
            found.append(await member.store.reads.acquaintances(NOW))
    assert row_samples.GATEWAY.public in found[0]
    assert row_samples.OTHER_NODE.public in found[1]
    assert row_samples.GRID.public not in found[1], "that is herself"
    assert found[2] == frozenset()


@pytest.mark.parametrize("whose", [MARY, PUBLISHER])
async def test_who_acts_for_a_key_that_a_row_names_gets_it(
    tmp_path: Path, autojump_clock: object, whose: SigningKey
) -> None:
    async with mary_and_eve(tmp_path, MemoryHub(2)) as (machine, laptop):
        asker = await Asker.at(laptop, machine)
        await asker.greet(given(whose, EVE, machine))
        found = await asker.ask(wire.Want(set=Table.FOLDER, ids=tuple(e.id for e in ROWS[1:])))
        assert isinstance(found, wire.RowsAre)
        assert found.raws == tuple(each.raw for each in ROWS[1:])
        look = wire.Look(set=Table.USER, glances=(wire.Glance(key=MARY.public),))
        seen = await asker.ask(look)
        assert isinstance(seen, wire.Seen)
        assert seen.raws == (ROWS[0].raw,)


async def test_a_mandate_that_is_not_ones_own_is_worth_nothing(
    tmp_path: Path, autojump_clock: object
) -> None:
    """Forged; heard by Eve herself and shown to another; shown by Eve though it was another's."""
    phone = key_of("marys phone")
    forgeries = {
        "forged": lambda m: Mandate(key=MARY.public, signature=given(EVE, EVE, m).signature),
        "another's": lambda m: given(MARY, phone, m),
        "for another peer": lambda m: mandates.give(
            MARY, node=EVE.node_id, peer=phone.node_id, period=NOW
        ),
        "of the period before": lambda m: given(MARY, EVE, m, NOW - 1),
    }
    for at, (about, forge) in enumerate(forgeries.items()):
        hub = MemoryHub(10 + at)
        async with mary_and_eve(tmp_path / str(at), hub) as (machine, eve):
            asker = await Asker.at(eve, machine)
            with pytest.raises(Unavailable):
                await asker.greet(forge(machine))
            await until(lambda m=machine, e=eve: e.node_id not in m.network.peers, 5, about)


async def test_a_mandate_ends_with_its_period(tmp_path: Path, autojump_clock: object) -> None:
    """It was Mary's machine once, and shows what it was given then, by the clock of then."""
    async with mary_and_eve(tmp_path, MemoryHub(3)) as (machine, old):
        mandate = given(MARY, EVE, machine)
        machine.clock.forward(2)
        asker = await Asker.at(old, machine)
        states = {s.set: s for s in (await asker.greet(mandate, now_s=NOW * 600)).states}
        assert states[Table.FOLDER].count == 0
        for said in await gleanings(asker):
            assert isinstance(said, wire.RefusedIs) or not getattr(said, "raws", ())


async def test_pushes_go_to_who_may_see_them_and_to_nobody_else(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(4)
    async with mary_and_eve(tmp_path, hub) as (machine, eve), AsyncExitStack() as stack:
        heard: list[bytes] = []

        async def listen(stream: Stream) -> None:
            while data := await stream.receive():
                heard.append(data)

        eve.serve(ProtocolId(wire.PROTOCOL), listen)
        phone = await stack.enter_async_context(
            open_member(hub, tmp_path / "phone", "marys phone", persons=(MARY,))
        )
        await phone.network.connect(machine.network.addresses[0])
        asker = await Asker.at(phone.network, machine)
        await asker.greet(given(MARY, phone.key, machine))
        await until(lambda: phone.store.counts[Table.FOLDER] == 40, 5, "both machines know")
        later = row(Table.FOLDER, bytes(16), seq=50, name="Diary")
        public = make_row(
            Table.USER,
            b"",
            UserBody(nickname="Eve"),
            signer=EVE,
            **{"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 9},
        )
        await machine.store.accept_many([later.raw, public.raw], source=None)
        await trio.sleep(1)
        assert (await raws_of(phone.store, Table.FOLDER, [later.id], MARY.public))[1] == [later.raw]
        await trio.sleep(60)
        said = b"".join(heard)
        assert public.raw in said
        assert later.id not in said
        assert later.raw not in said
        assert b"Diary" not in said


async def test_who_may_not_see_a_row_does_not_keep_it_either(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with open_member(MemoryHub(5), tmp_path, "somebody") as member:
        outcomes = await member.store.accept_many([each.raw for each in ROWS], source=EVE.node_id)
        assert {outcome.code for outcome in outcomes} == {"not-for-us"}
        assert not any(outcome.is_senders_fault for outcome in outcomes)
        assert not any(member.store.is_settled(each.id) for each in ROWS)
        await member.store.accept(SHOP.raw, source=EVE.node_id)
        member.store.keeping.act_for([MARY.public])
        outcomes = await member.store.accept_many([each.raw for each in ROWS], source=EVE.node_id)
        assert {outcome.fate for outcome in outcomes} == {Fate.ACCEPTED}


async def test_a_contradiction_that_not_everybody_may_see_makes_no_proof(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with mary_and_eve(tmp_path, MemoryHub(6)) as (machine, _):
        other = row(Table.FOLDER, bytes(16), name="Another")
        (outcome,) = await machine.store.accept_many([other.raw], source=None)
        assert outcome.code in (None, "number-reused")
        view = await view_of(machine.store, NOW)
        assert len(view[PROOFS]) == 0


async def test_a_row_changes_sides_with_its_readers(tmp_path: Path, autojump_clock: object) -> None:
    """Somebody was alone and joins a publisher: from then on the row is for the two of them."""
    async with mary_and_eve(tmp_path, MemoryHub(7)) as (machine, _):
        store, zoe = machine.store, key_of("zoe")
        body, numbers = UserBody(nickname="Zoe"), {"period": NOW, "expires": NOW + 9}
        alone, joined = (
            make_row(
                Table.USER, b"", body, signer=zoe, co_signers=publisher, seq=at, slot=at, **numbers
            )
            for at, publisher in enumerate(([], [PUBLISHER]))
        )
        await store.accept(alone.raw, source=None)
        assert len((await view_of(store, NOW))[Table.USER]) == 1
        assert await raws_of(store, Table.USER, [alone.id]) == (1, [alone.raw])
        await store.accept(joined.raw, source=None)
        assert len((await view_of(store, NOW))[Table.USER]) == 0
        assert await raws_of(store, Table.USER, [joined.id, alone.id]) == (2, [])
        assert await raws_of(store, Table.USER, [joined.id], zoe.public) == (1, [joined.raw])
        assert store.counts[Table.USER] == 2


async def test_narrow_rows_stay_narrow_over_a_restart(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with mary_and_eve(tmp_path, MemoryHub(8)):
        pass
    async with open_member(
        MemoryHub(9), tmp_path / "mary", "marys machine", clock=FixedClock(), persons=(MARY,)
    ) as machine:
        assert machine.store.counts[Table.FOLDER] == 40
        assert len((await view_of(machine.store, NOW))[Table.FOLDER]) == 0
        view = await view_of(machine.store, NOW, PUBLISHER.public)
        assert len(view[Table.FOLDER]) == 40
        assert negentropy.fingerprint(view[Table.FOLDER], 0, 40)


async def test_a_person_is_shown_only_to_whom_that_person_has_named(
    tmp_path: Path, autojump_clock: object
) -> None:
    """Not to other users of the same publisher, nor to a publisher that certifies her unasked."""
    rival, zoe = key_of("rival"), key_of("zoe")
    numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 100}
    body = SAMPLES[Table.PUBLISHER].body
    rows = [
        make_row(Table.PUBLISHER, b"", body, signer=rival, **numbers),
        make_row(
            Table.CERTIFICATE,
            certificate_key(CertificateKind.USER, MARY.public, revoked=False),
            CertificateBody(since=NOW, reason=0),
            signer=rival,
            **numbers,
        ),
        make_row(
            Table.USER,
            b"",
            UserBody(nickname="Zoe"),
            signer=zoe,
            co_signers=[PUBLISHER],
            **numbers,
        ),
    ]
    async with mary_and_eve(tmp_path, MemoryHub(11)) as (machine, _):
        outcomes = await machine.store.accept_many([each.raw for each in rows], source=None)
        assert {outcome.fate for outcome in outcomes} == {Fate.ACCEPTED}
        reads, peer = machine.store.reads, EVE.node_id
        for shown, expected in (
            ([], False),
            ([rival], False),
            ([zoe], False),
            ([PUBLISHER], True),
            ([MARY], True),
        ):
            keys = frozenset({peer, *(key.public for key in shown)})
            assert await reads.belongs(MARY.public, keys, NOW) is expected, shown
        assert await reads.belongs(PUBLISHER.public, frozenset({peer}), NOW), "it is public"
