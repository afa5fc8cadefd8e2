"""The gateway on real loopback ports, in both forms of address."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import h11
import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.net.tcp_listener import MAX_CONNECTIONS_PER_CLIENT
from bitcloud_net.services.files.gateway import MAX_SITE_PORTS, Content, Gateway
from bitcloud_net.testing.http_client import HttpClient, HttpReply, MemorySource
from bitcloud_net.wire.http_headers import SITE_CSP

LANDING = b"<!doctype html><title>Bitcloud</title>"
CANARY = "bitcloud:1:fr:canary234567canary234567canary:c4n4"
CLIP = bytes(range(256)) * 2048  # 512 KiB
CLIP_PATH = "Public/Mary/Films/Dawn & dusk.webm"


def new_source() -> MemorySource:
    return MemorySource(
        files={
            CLIP_PATH: CLIP,
            "Public/Mary/Films/old/a.mp4": b"old",
            "Public/Mary/page.html": b"<script>alert(1)</script>",
            "Public/Mary/empty.txt": b"",
            "Public/Mary/site/index.html": b"<script>go()</script>",
        },
        sites=frozenset({"Public/Mary/site/index.html"}),
    )


class CapSource(MemorySource):
    """Targets are caps, which tell no name."""

    async def describe(self, target: str) -> Content:
        return replace(await super().describe(target), name="film.mp4")


@dataclass
class Running:
    """A gateway under test and what it serves."""

    gateway: Gateway
    source: MemorySource
    landing: str

    @property
    def port(self) -> int:
        return urlsplit(self.landing).port or 80

    async def get(self, address: str, *, method: str = "GET", **fields: str) -> HttpReply:
        """Open an address as a browser does: Host is what stands in it."""
        parts = urlsplit(address)
        host = fields.pop("host", parts.netloc)
        async with await trio.open_tcp_stream("127.0.0.1", parts.port or 80) as stream:
            return await HttpClient(stream).get(parts.path, host=host, method=method, **fields)


@asynccontextmanager
async def running(
    *, by_name: bool, port: int = 0, source: MemorySource | None = None
) -> AsyncIterator[Running]:
    async def answer() -> bool:
        await trio.lowlevel.checkpoint()
        return by_name

    source = source or new_source()
    gateway = Gateway(
        source,
        landing_page=LANDING,
        port=port,
        random_bytes=random.Random(7).randbytes,
        now_s=lambda: 0,
        by_name=answer,
    )
    async with trio.open_nursery() as nursery:
        landing = await nursery.start(gateway.run)
        yield Running(gateway, source, landing)
        nursery.cancel_scope.cancel()


BOTH = pytest.mark.parametrize("by_name", [True, False], ids=["names", "ports"])


# ------------------------------------------------------------------ addresses


@BOTH
async def test_an_address_opens_the_whole_file(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        reply = await grid.get(await grid.gateway.address_of(CLIP_PATH))
    assert (reply.status, reply.body) == (200, CLIP)
    assert reply.header("content-type") == "video/webm"
    assert reply.header("accept-ranges") == "bytes"
    disposition = "inline; filename*=UTF-8''Dawn%20&%20dusk.webm"
    assert reply.header("content-disposition") == disposition


async def test_both_forms_of_address() -> None:
    async with running(by_name=True) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        label = r"http://[a-z2-7]{52}\.localhost:%d/Dawn%%20%%26%%20dusk\.webm"
        assert re.fullmatch(label % grid.port, address)
    async with running(by_name=False) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        token = r"http://127\.0\.0\.1:(\d+)/[a-z2-7]{52}/Dawn%20%26%20dusk\.webm"
        found = re.fullmatch(token, address)
        assert found
        assert int(found[1]) != grid.port


@BOTH
async def test_a_target_keeps_its_address_and_others_get_their_own(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        first = await grid.gateway.address_of(CLIP_PATH)
        assert await grid.gateway.address_of(CLIP_PATH) == first
        other = await grid.gateway.address_of("Public/Mary/page.html")
        assert urlsplit(other).netloc != urlsplit(first).netloc


@BOTH
async def test_targets_that_do_not_exist_have_no_address(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        with pytest.raises(BadInput):
            await grid.gateway.address_of("Public/Nobody")


async def test_there_are_no_addresses_while_it_does_not_run() -> None:
    async with running(by_name=True) as grid:
        assert grid.gateway.address == grid.landing
    with pytest.raises(Unavailable) as error:
        await grid.gateway.address_of(CLIP_PATH)
    assert error.value.code == "gateway-stopped"


async def test_a_stopped_gateway_has_no_landing_page() -> None:
    async with running(by_name=True) as grid:
        pass
    assert grid.gateway.address is None


async def test_taken_port_is_a_clear_fault() -> None:
    async with running(by_name=True) as grid:
        second = Gateway(
            grid.source,
            landing_page=LANDING,
            port=grid.port,
            random_bytes=random.Random(8).randbytes,
            now_s=lambda: 0,
        )
        with pytest.raises(LocalFault) as fault:
            await second.run()
    assert fault.value.code == "port-taken"
    assert "another program" in fault.value.message


async def test_ports_of_the_longest_unused_targets_close() -> None:
    async with running(by_name=False) as grid:
        for number in range(MAX_SITE_PORTS + 2):
            grid.source.files[f"f{number}"] = b"x"
        first = await grid.gateway.address_of("f0")
        second = await grid.gateway.address_of("f1")
        for number in range(2, MAX_SITE_PORTS):
            await grid.gateway.address_of(f"f{number}")
        assert (await grid.get(first)).status == 200  # used: now f1 is the oldest
        await grid.gateway.address_of(f"f{MAX_SITE_PORTS}")
        await trio.testing.wait_all_tasks_blocked()
        assert (await grid.get(first)).status == 200
        with pytest.raises(OSError, match="connect"):
            await grid.get(second)


# ------------------------------------------------------------------ reading


@BOTH
async def test_players_seek_without_reading_from_the_start(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        tail = await grid.get(address, range="bytes=-80")
        assert (tail.status, tail.body) == (206, CLIP[-80:])
        size = len(CLIP)
        assert tail.header("content-range") == f"bytes {size - 80}-{size - 1}/{size}"
        middle = await grid.get(address, range="bytes=300000-300009")
        assert middle.body == CLIP[300_000:300_010]
        assert grid.source.reads == [(CLIP_PATH, size - 80, 80), (CLIP_PATH, 300_000, 10)]


async def test_several_ranges_are_parts_of_one_answer() -> None:
    async with running(by_name=True) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        reply = await grid.get(address, range="bytes=0-1, 500-502, -3")
    kind, _, boundary = (reply.header("content-type") or "").partition("; boundary=")
    assert (reply.status, kind) == (206, "multipart/byteranges")
    parts = reply.body.split(f"--{boundary}".encode())
    contents = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]]
    assert contents == [CLIP[:2], CLIP[500:503], CLIP[-3:]]
    assert parts[-1] == b"--\r\n"


@BOTH
async def test_range_behind_the_end_tells_the_size(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        reply = await grid.get(address, range=f"bytes={len(CLIP)}-")
    assert reply.status == 416
    assert reply.header("content-range") == f"bytes */{len(CLIP)}"


@BOTH
async def test_head_describes_and_touches_no_bytes(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        head = await grid.get(address, method="HEAD", range="bytes=0-9")
        assert (head.status, head.body) == (200, b"")
        assert head.header("content-length") == str(len(CLIP))
        assert grid.source.reads == []


async def test_resumed_download_continues_only_the_same_bytes() -> None:
    async with running(by_name=True) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        tag = (await grid.get(address, method="HEAD")).header("etag") or ""
        rest = await grid.get(address, range="bytes=500-", if_range=tag)
        assert (rest.status, rest.body) == (206, CLIP[500:])
        other = await grid.get(address, range="bytes=500-", if_range='"other"')
        assert (other.status, other.body) == (200, CLIP)
        assert (await grid.get(address, if_none_match=tag)).status == 304


async def test_empty_file() -> None:
    async with running(by_name=True) as grid:
        reply = await grid.get(await grid.gateway.address_of("Public/Mary/empty.txt"))
    assert (reply.status, reply.body) == (200, b"")


async def test_content_that_cannot_be_fetched_is_explained() -> None:
    async with running(by_name=True) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        grid.source.error = Unavailable("Too few nodes answer.", code="too-few-shares")
        reply = await grid.get(address)
        assert (reply.status, reply.body) == (503, b"Too few nodes answer.\n(too-few-shares)\n")
        grid.source.fail_after = 256 * 1024
        with pytest.raises(h11.RemoteProtocolError):
            await grid.get(address)


async def test_closing_the_player_stops_the_fetch() -> None:
    async with running(by_name=True) as grid:
        grid.source.stall_after = 128 * 1024
        parts = urlsplit(await grid.gateway.address_of(CLIP_PATH))
        stream = await trio.open_tcp_stream("127.0.0.1", grid.port)
        await stream.send_all(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        while grid.source.sent_bytes < 128 * 1024:
            await stream.receive_some()
        assert grid.source.open_reads == 1
        await stream.aclose()
        with trio.fail_after(5):
            while grid.source.open_reads:
                await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n"])
async def test_flood_of_unfinished_requests_keeps_nobody_out(start: bytes) -> None:
    async with running(by_name=True) as grid, AsyncExitStack() as streams:
        address = await grid.gateway.address_of(CLIP_PATH)
        for _ in range(3 * MAX_CONNECTIONS_PER_CLIENT):
            stream = await trio.open_tcp_stream("127.0.0.1", grid.port)
            await streams.enter_async_context(stream)
            await stream.send_all(start)
        assert (await grid.get(address)).body == CLIP


# ------------------------------------------------------------------ who may ask (T-host, T-origin)


def hosts(port: int, label: str) -> list[str]:
    names = [
        *["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", f"{label}.evil.example"],
        *["localhost.", "LOCALHOST", "localhost.localdomain", "a.localhost", f"x.{label}.example"],
        *["127.0.0.2", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "[::]", "192.168.1.1"],
        *["[::ffff:127.0.0.1]", f"{label}", f"{label[:-1]}.localhost", f"{label}a.localhost"],
        *[f"{label.upper()}.localhost", f"{'a' * 52}.localhost", "user@localhost", "", "*"],
    ]
    ports = [f":{port}", "", f":{port + 1}"]
    return [f"{name}{end}" for name in names for end in ports]


@BOTH
@pytest.mark.parametrize("path", ["/", "/Dawn%20%26%20dusk.webm", "/nothing"])
async def test_only_our_own_hosts_are_answered(by_name: bool, path: str) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        label = re.findall(r"[a-z2-7]{52}", address)[0]
        foreign = hosts(grid.port, label)
        assert len(foreign) >= 60
        async with await trio.open_tcp_stream("127.0.0.1", grid.port) as stream:
            client = HttpClient(stream)
            for host in foreign:
                reply = await client.get(path, host=host)
                assert reply.status == 421, host
                assert CLIP[:64] not in reply.body
                assert LANDING not in reply.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
@BOTH
async def test_the_main_port_shows_only_what_this_is(by_name: bool, host: str) -> None:
    async with running(by_name=by_name) as grid:
        await grid.gateway.address_of(CLIP_PATH)
        reply = await grid.get(grid.landing, host=f"{host}:{grid.port}")
        assert (reply.status, reply.body) == (200, LANDING)
        for path in ("favicon.ico", "Public", "Dawn%20%26%20dusk.webm"):
            missing = await grid.get(grid.landing + path, host=f"{host}:{grid.port}")
            assert missing.status == 404


class ChangingSource(MemorySource):
    """A path whose file is published anew after each description."""

    async def describe(self, target: str) -> Content:
        found = await super().describe(target)
        pinned = f"version {len(self.files)}"
        self.files[pinned] = self.files[target]
        self.files[target] += b" and more"
        return replace(found, pinned=pinned)


async def test_bytes_are_those_that_were_described() -> None:
    source = ChangingSource({"a.txt": b"first"})
    async with running(by_name=True, source=source) as grid:
        address = await grid.gateway.address_of("a.txt")
        assert (await grid.get(address)).body == b"first and more"
        assert (await grid.get(address)).body == b"first and more and more"


async def test_both_loopback_addresses_lead_to_the_same_gateway() -> None:
    async with running(by_name=True) as grid:
        host = urlsplit(await grid.gateway.address_of(CLIP_PATH)).netloc
        try:
            stream = await trio.open_tcp_stream("::1", grid.port)
        except OSError:
            pytest.skip("no IPv6 here")
        async with stream:
            reply = await HttpClient(stream).get("/Dawn%20%26%20dusk.webm", host=host)
    assert reply.body == CLIP


async def test_a_targets_port_answers_one_host_and_one_token() -> None:
    async with running(by_name=False) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        parts = urlsplit(address)
        port = parts.port or 0
        for host in [*hosts(port, "a" * 52), f"localhost:{port}", f"[::1]:{port}", "localhost"]:
            assert (await grid.get(address, host=host)).status == 421, host
        base = f"http://{parts.netloc}/"
        token = parts.path.split("/")[1]
        for path in ["", "Dawn%20%26%20dusk.webm", token[:-1], f"{token}a/x", token.upper(), "a"]:
            assert (await grid.get(base + path)).status == 404
        assert (await grid.get(f"{base}{token}/other.webm")).status == 404
        assert (await grid.get(f"{base}{token}/")).status == 404  # a file is no folder
        other = urlsplit(await grid.gateway.address_of("Public/Mary/page.html")).path
        assert (await grid.get(base + other[1:])).status == 404


@BOTH
async def test_missing_or_double_host_is_a_bad_request(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        address = urlsplit(await grid.gateway.address_of(CLIP_PATH))
        for port in {grid.port, address.port or 0}:
            for raw in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.0\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + 2 * (b"Host: localhost:%d\r\n" % port) + b"\r\n",
            ):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    assert (await HttpClient(stream).ask(raw)).status == 400


@BOTH
@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE"]
)
async def test_nothing_can_be_changed(by_name: bool, method: str) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        for asked in (address, grid.landing):
            reply = await grid.get(asked, method=method, content_length="0")
            assert reply.status == 405
            assert reply.header("allow") == "GET, HEAD"
        reply = await grid.get(address, method="POST", content_length="5")
        assert reply.status == 413
        assert grid.source.reads == []


@BOTH
async def test_pages_of_one_target_cannot_read_another(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        mine = await grid.gateway.address_of(CLIP_PATH)
        for site in ("cross-site", "same-site"):
            for mode, kind in [("no-cors", "video"), ("cors", "empty"), ("navigate", "iframe")]:
                reply = await grid.get(
                    mine, sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=kind
                )
                assert reply.status == 403
            link = await grid.get(
                mine, sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document"
            )
            assert link.status == 200
        own = await grid.get(
            mine, sec_fetch_site="same-origin", sec_fetch_mode="no-cors", sec_fetch_dest="video"
        )
        assert own.status == 200
        assert (await grid.get(mine, origin="http://evil.example")).status == 403


@BOTH
async def test_every_answer_keeps_other_origins_out(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        file = await grid.gateway.address_of(CLIP_PATH)
        folder = await grid.gateway.address_of("Public/Mary")
        replies = [
            await grid.get(file),
            await grid.get(file, range="bytes=0-1"),
            await grid.get(file, range="bytes=0-1,9-9"),
            await grid.get(file, range="bytes=x"),
            await grid.get(file, method="POST"),
            await grid.get(file, host="evil.example"),
            await grid.get(file + "x"),
            await grid.get(folder),
            await grid.get(folder + "page.html"),
            await grid.get(grid.landing),
        ]
    for reply in replies:
        assert reply.header("x-content-type-options") == "nosniff"
        assert reply.header("cross-origin-resource-policy") == "same-origin"
        assert reply.header("cross-origin-opener-policy") == "same-origin"
        assert reply.header("referrer-policy") == "no-referrer"
        assert "frame-ancestors 'self'" in (reply.header("content-security-policy") or "")
        names = {name for name, _ in reply.headers}
        assert "set-cookie" not in names
        assert not [name for name in names if name.startswith("access-control")]


# ------------------------------------------------------------------ content that could run


async def test_shared_pages_never_run() -> None:
    for by_name, media_type in [
        (True, "text/html; charset=utf-8"),
        (False, "application/octet-stream"),
    ]:
        async with running(by_name=by_name) as grid:
            reply = await grid.get(await grid.gateway.address_of("Public/Mary/page.html"))
        assert reply.header("content-type") == media_type
        assert (reply.header("content-disposition") or "").startswith("attachment")
        assert (reply.header("content-security-policy") or "").startswith("sandbox")


async def test_only_a_site_with_a_name_of_its_own_runs() -> None:
    target = "Public/Mary/site/index.html"
    async with running(by_name=True) as grid:
        reply = await grid.get(await grid.gateway.address_of(target))
        assert reply.header("content-security-policy") == SITE_CSP
        assert reply.header("content-type") == "text/html; charset=utf-8"
    async with running(by_name=False) as grid:
        reply = await grid.get(await grid.gateway.address_of(target))
        assert reply.header("content-type") == "application/octet-stream"
        assert (reply.header("content-security-policy") or "").startswith("sandbox")


# ------------------------------------------------------------------ folders and paths


@BOTH
async def test_a_folder_leads_to_what_is_in_it(by_name: bool) -> None:
    async with running(by_name=by_name) as grid:
        address = await grid.gateway.address_of("Public/Mary")
        origin = f"http://{urlsplit(address).netloc}"

        async def links(page: str) -> list[str]:
            reply = await grid.get(page)
            assert reply.status == 200
            assert reply.header("content-type") == "text/html; charset=utf-8"
            return [origin + found for found in re.findall('href="([^"]+)"', reply.body.decode())]

        films = next(link for link in await links(address) if link.endswith("/Films/"))
        old, clip = await links(films)
        assert (await grid.get(clip)).body == CLIP
        assert (await grid.get((await links(old))[0])).body == b"old"
        assert (await grid.get(films.removesuffix("/"))).status == 200


@BOTH
@pytest.mark.parametrize(
    "trick",
    [
        *["../John", "%2e%2e/John", "..%2fJohn", "%2E%2E%5CJohn", "./Films", "Films//old", "a%00b"],
        *["%C0%AE%C0%AE/John", "%0d%0aX:y", "Films\\old"],
    ],
)
async def test_tricks_in_paths_are_refused(by_name: bool, trick: str) -> None:
    async with running(by_name=by_name) as grid:
        grid.source.files["Public/John/secret.txt"] = b"secret"
        address = await grid.gateway.address_of("Public/Mary")
        reply = await grid.get(address + trick)
        assert reply.status == 400
        assert (await grid.get(address + "John/secret.txt")).status == 404


# ------------------------------------------------------------------ secrets


@BOTH
async def test_a_cap_appears_nowhere(by_name: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(by_name=by_name, source=CapSource({CANARY: b"canary"})) as grid:
        address = await grid.gateway.address_of(CANARY)
        seen = [address]
        ask = partial(grid.get, address, referer=CANARY)
        replies = [await ask(), await ask(range="bytes=0-3"), await ask(range="bytes=99-")]
        grid.source.error = Unavailable(f"no shares of {CANARY}")
        replies += [await ask(), await ask(method="HEAD"), await ask(if_match='"x"')]
        for reply in replies:
            seen.append(str(reply.headers))
            if reply.status >= 400:
                seen.append(reply.body.decode())
    assert [reply.status for reply in replies] == [200, 206, 416, 503, 200, 412]
    for text in (*seen, caplog.text):
        assert "canary" not in text
        assert "bitcloud:1" not in text


async def test_labels_and_names_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(by_name=True) as grid:
        address = await grid.gateway.address_of(CLIP_PATH)
        await grid.get(address)
        await grid.get(address + "x")
        grid.source.error = Unavailable("gone")
        await grid.get(address)
    assert "Dawn" not in caplog.text
    assert re.findall("[a-z2-7]{52}", address)[0] not in caplog.text


def test_the_real_landing_page_needs_nothing_from_anywhere() -> None:
    page = (Path(__file__).parents[2] / "resources/web/index.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"https?://|//[a-z]|url\(|@import", page)
    assert "Bitcloud" in page
