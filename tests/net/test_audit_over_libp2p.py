"""An audit on real sockets: found, asked, answered, and the stream gone afterwards."""

from __future__ import annotations

from trio.testing import MockClock

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.network import ProtocolId
from bitcloud_net.protocols.audit_client import AuditClient
from bitcloud_net.protocols.audit_server import AuditServer
from bitcloud_net.wire.audit_session import PROTOCOL
from tests.protocols.test_audit import CHALLENGE, CID, CLOCK_S, FILE, PERIOD, QUESTION, Shelf

NODE, AUDITOR = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)


async def test_an_audit(loopback_clock: MockClock) -> None:
    listen = ["/ip4/127.0.0.1/tcp/0"]
    async with (
        open_libp2p_network(NODE, listen=listen) as node,
        open_libp2p_network(AUDITOR, listen=listen) as auditor,
    ):
        shelf = Shelf()
        server = AuditServer(NODE, lambda: shelf, lambda: CLOCK_S)
        node.serve(ProtocolId(PROTOCOL), server.handle)
        await auditor.connect(node.addresses[0])
        stream = await auditor.open_stream(node.node_id, ProtocolId(PROTOCOL))
        client = AuditClient(stream, auditor.node_id)
        assert await client.ping() < 5
        assert (await client.challenge(CHALLENGE, PERIOD)).clock_s == CLOCK_S
        assert await client.which([CID]) == ((QUESTION.share_no,),)
        answered = await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
        assert answered.lack == ""
        stream.reset()
