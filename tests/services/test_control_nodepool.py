"""The nodepool's calls over the control socket arrive as they were made."""

from __future__ import annotations

from pathlib import Path

import trio

from bitcloud_net.protocols.control_client import ControlClient
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.services.control_server import ControlServer
from bitcloud_net.testing.fake_client import FakeClient, ban


async def test_every_call_of_the_nodepool(tmp_path: Path) -> None:
    fake, path = FakeClient(), control_path(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(ControlServer(fake, path).run)
        client = ControlClient(path)
        answer = await client.select("SELECT nickname FROM user")
        assert (answer.columns, answer.rows) == (("nickname",), (("Mary",),))
        row = await client.put_row("user", "", '{"nickname": "Mary"}')
        assert (row.table, row.seq) == ("user", 1)
        app = await client.install_app("{}")
        assert await client.apps() == (app,)
        await client.uninstall_app(app.id)
        assert await client.apps() == ()
        fake.banned = [ban(own=True), ban(proof="number")]
        assert await client.bans() == tuple(fake.banned)
        assert [call[0] for call in fake.calls] == [
            "select",
            "put_row",
            "install_app",
            "apps",
            "uninstall_app",
            "apps",
            "bans",
        ]
        nursery.cancel_scope.cancel()
