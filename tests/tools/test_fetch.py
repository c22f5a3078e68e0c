"""``fetch_url``: where it goes, where it never goes, and what a hostile server gets out of it."""

import asyncio
import gzip
import time
import tracemalloc
import zlib

import pytest
from pytest_httpserver import HTTPServer

from activities.tools.addresses import FetchPolicy
from activities.tools.base import ToolContext
from activities.tools.fetch import MAX_BODY_BYTES, Fetcher, fetch_url
from tests.tools.fetching import Raw, authority, redirecting, resolving, saying, serving

SPELLINGS = (
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.1",
    "127.1",
    "127。0。0。1",
    "localhost",
    "LOCALHOST.",
)


def only_the_port(raw: Raw) -> Fetcher:
    """Lets the port pass, so that nothing but the address can be what is refused."""
    return Fetcher(FetchPolicy.parse([f"elsewhere.test:{raw.port}"]))


@pytest.mark.parametrize("host", SPELLINGS)
async def test_loopback_is_refused_however_it_is_spelled(host: str) -> None:
    async with serving(saying(b"inside")) as raw:
        with pytest.raises(ValueError, match="not on the public Internet"):
            await only_the_port(raw).fetch(raw.url(host=host))
        assert raw.heads == []
        # Each of them does reach this server where loopback is allowed: it is the guard that kept it away.
        page = await raw.allowing(f"127.0.0.0/8:{raw.port}").fetch(raw.url(host=host))
        assert page.text == "inside"


@pytest.mark.parametrize(
    "host", ["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"]
)
async def test_ipv6_that_holds_or_means_an_inner_address_is_refused(host: str) -> None:
    async with serving(saying(b"inside")) as raw:
        with pytest.raises(ValueError, match="not on the public Internet"):
            await raw.allowing().fetch(raw.url(host=host))
        assert raw.heads == []


async def test_an_allowed_address_of_ipv6_is_reached() -> None:
    async with serving(saying(b"six"), host="::1") as raw:
        page = await Fetcher(FetchPolicy.parse([f"[::1]:{raw.port}"])).fetch(raw.url(host="[::1]"))
    assert page.text == "six"
    assert f"Host: [::1]:{raw.port}" in raw.heads[0]


async def test_a_redirect_inwards_is_refused() -> None:
    async with serving(saying(b"inside")) as inside:
        for target in (inside.url(), f"//localhost:{inside.port}/", f"http://[::ffff:127.0.0.1]:{inside.port}/"):
            async with serving(redirecting(target)) as outside:
                fetcher = outside.allowing(f"elsewhere.test:{inside.port}")
                with pytest.raises(ValueError, match="not on the public Internet"):
                    await fetcher.fetch(outside.url())
                assert len(outside.heads) == 1
        assert inside.heads == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "no web address"),
        ("gopher://127.0.0.1/", "no web address"),
        ("http://user:secret@127.0.0.1/", "user name or password"),
        ("http://127.0.0.1:1/", "port 1"),
        ("http://127.0.0.1:0/", "port 0"),
        ("http://[::1", "is no address"),
    ],
)
async def test_a_redirect_passes_the_same_gate_as_the_first_address(target: str, reason: str) -> None:
    async with serving(redirecting(target)) as raw:
        with pytest.raises(ValueError, match=reason):
            await raw.allowing().fetch(raw.url())
        with pytest.raises(ValueError, match=reason) as caught:
            await raw.allowing().fetch(target)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no web address"),
        ("page.html", "no web address"),
        ("http:///", "no web address"),
        ("http://0177.0.0.1/", "is no address"),
        ("http://a\\@127.0.0.1/", "no usable address"),
        ("http://a\n.test/", "no usable address"),
        ("http://" + "a" * 3000, "no usable address"),
    ],
)
async def test_what_is_no_address_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        await Fetcher(FetchPolicy()).fetch(url)


async def test_an_unknown_name_is_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"there is no host nowhere\.test"):
        await Fetcher(FetchPolicy(), resolver=resolving()).fetch("https://nowhere.test/")
    with pytest.raises(ValueError, match="there is no host"):
        await Fetcher(FetchPolicy()).fetch("http://" + "a" * 70 + ".test/")


async def test_redirects_are_followed_a_few_times() -> None:
    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        left = int(head.split()[1].strip("/"))
        await (redirecting(f"/{left - 1}") if left else saying(b"there"))(head, writer)

    async with serving(answer) as raw:
        page = await raw.allowing().fetch(raw.url("/5"))
        assert (page.url, page.text) == (raw.url("/0"), "there")
        with pytest.raises(ValueError, match="redirects more than 5 times"):
            await raw.allowing().fetch(raw.url("/6"))
    async with serving(redirecting("/")) as raw:
        with pytest.raises(ValueError, match="redirects more than 5 times"):
            await raw.allowing().fetch(raw.url())
        assert len(raw.heads) == 6


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that means a harmless address when it is checked and an inner one a moment later."""
    async with serving(saying(b"harmless")) as raw:
        inner = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.2", raw.port)
        async with inner:
            fetcher = raw.allowing(resolver=resolving(**{"rebind.test": ["127.0.0.1", "127.0.0.2"]}))
            page = await fetcher.fetch(raw.url(host="rebind.test"))
            assert (page.text, page.url) == ("harmless", raw.url(host="rebind.test"))
            assert f"Host: rebind.test:{raw.port}" in raw.heads[0]
            with pytest.raises(ValueError, match="not on the public Internet"):
                await fetcher.fetch(raw.url(host="rebind.test"))


async def test_each_redirect_is_resolved_and_checked_anew() -> None:
    async with serving(redirecting("/again")) as raw:
        fetcher = raw.allowing(resolver=resolving(**{"rebind.test": ["127.0.0.1", "10.0.0.1"]}))
        with pytest.raises(ValueError, match="not on the public Internet"):
            await fetcher.fetch(raw.url(host="rebind.test"))
        assert len(raw.heads) == 1


async def test_of_several_addresses_only_those_that_pass_are_used() -> None:
    async with serving(saying(b"here")) as raw:
        names = resolving(**{"both.test": ["10.0.0.1 ::1 127.0.0.3 127.0.0.1"]})
        fetcher = raw.allowing(f"127.0.0.3:{raw.port}", resolver=names)  # nobody listens there: the next one is taken
        assert (await fetcher.fetch(raw.url(host="both.test"))).text == "here"


async def test_tls_checks_the_name_and_not_the_address() -> None:
    server, client = authority("page.test")
    async with serving(saying(b"safe"), tls=server) as raw:
        names = resolving(**{"page.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
        fetcher = raw.allowing(resolver=names, tls=client)
        page = await fetcher.fetch(f"https://page.test:{raw.port}/")
        assert page.text == "safe"
        with pytest.raises(ValueError, match=r"(?i)certificate"):
            await fetcher.fetch(f"https://other.test:{raw.port}/")
        with pytest.raises(ValueError, match=r"(?i)certificate"):  # nobody whom we know has signed it
            await raw.allowing(resolver=names).fetch(f"https://page.test:{raw.port}/")
        assert len(raw.heads) == 1


async def test_proxies_and_cookies_are_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving(saying(b"proxied")) as proxy,
        serving(saying(b"", "Location: /b", "Set-Cookie: a=b", status="302 x")) as raw,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        with pytest.raises(ValueError, match="redirects"):
            await raw.allowing().fetch(raw.url())
        assert proxy.heads == []
    assert not any("cookie" in head.lower() or "python" in head.lower() for head in raw.heads)


async def drip(head: str, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever."""
    del head
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silence(head: str, writer: asyncio.StreamWriter) -> None:
    """An answer that does not even begin."""
    del head
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("answer", [drip, silence])
async def test_a_server_that_takes_its_time_is_left(answer: object) -> None:
    begun = time.monotonic()
    async with serving(answer) as raw:  # type: ignore[arg-type]  # test doubles
        with pytest.raises(ValueError, match=r"within 0\.5 s"):
            await raw.allowing(seconds=0.5).fetch(raw.url())
    assert time.monotonic() - begun < 5


async def test_a_resolver_that_hangs_is_left() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return [host, str(port)]

    with pytest.raises(ValueError, match=r"within 0\.2 s"):
        await Fetcher(FetchPolicy(), resolver=hang, seconds=0.2).fetch("http://slow.test/")


async def test_a_body_without_end_is_cut() -> None:
    async def pour(head: str, writer: asyncio.StreamWriter) -> None:
        del head
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"y" * 65536)
            await writer.drain()

    async with serving(pour) as raw:
        page = await raw.allowing().fetch(raw.url())
    assert (len(page.text), page.cut) == (MAX_BODY_BYTES, True)


async def test_a_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(200)), packer.flush()])  # 200 MiB in 200 kB
    async with serving(saying(bomb, "Content-Encoding: gzip")) as raw:
        tracemalloc.start()
        page = await raw.allowing().fetch(raw.url())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (len(page.text), page.cut) == (MAX_BODY_BYTES, True)
    assert peak < 32 * 1024 * 1024
    async with serving(saying(gzip.compress(bomb), "Content-Encoding: gzip, gzip")) as raw:
        with pytest.raises(ValueError, match="packed as 'gzip, gzip'"):
            await raw.allowing().fetch(raw.url())
    async with serving(saying(b"not packed", "Content-Encoding: gzip")) as raw:
        with pytest.raises(ValueError, match="and is not"):
            await raw.allowing().fetch(raw.url())


async def test_packing_without_content_ends_too() -> None:
    async def pour(head: str, writer: asyncio.StreamWriter) -> None:
        del head
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n")
        writer.write(gzip.compress(b"")[:10])
        while not writer.is_closing():
            writer.write(b"\x00\x00\x00\xff\xff" * 10_000)  # blocks that hold no byte
            await writer.drain()

    async with serving(pour) as raw:
        page = await raw.allowing(seconds=5).fetch(raw.url())
    assert (page.text, page.cut) == ("", True)


async def test_packed_text_is_read_and_a_torn_one_said() -> None:
    whole = gzip.compress(b"hello " * 1000)
    async with serving(saying(whole, "Content-Encoding: gzip")) as raw:
        page = await raw.allowing().fetch(raw.url())
        assert (page.text, page.cut) == ("hello " * 1000, False)
    async with serving(saying(whole[:-20], "Content-Encoding: gzip")) as raw:
        assert (await raw.allowing().fetch(raw.url())).cut


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "application/pdf", "", "textile/x"])
async def test_what_is_no_text_is_refused(media_type: str) -> None:
    async with serving(saying(b"\x89PNG", media_type=media_type)) as raw:
        with pytest.raises(ValueError, match="not text"):
            await raw.allowing().fetch(raw.url())


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000])
async def test_what_is_no_http_is_a_sentence(answer: bytes) -> None:
    async def say(head: str, writer: asyncio.StreamWriter) -> None:
        del head
        writer.write(answer)

    async with serving(say) as raw:
        with pytest.raises(ValueError, match="cannot be read"):
            await raw.allowing().fetch(raw.url())
    with pytest.raises(ValueError, match="cannot be read"):
        await raw.allowing(seconds=5).fetch(raw.url())  # and nobody there any more


async def test_the_tool_reads_a_page_in_parts(httpserver: HTTPServer) -> None:
    page = (
        "<html><head><title>The page</title><script>no()</script></head><body><p>Grüße "
        + "und mehr " * 50
        + "</p></body>"
    )
    httpserver.expect_request("/page").respond_with_data(
        page.encode("latin-1"), content_type="text/html; charset=iso-8859-1"
    )
    httpserver.expect_request("/missing").respond_with_json({"no": "such page"}, status=404)
    context = ToolContext("r", policies=(FetchPolicy.parse([f"localhost:{httpserver.port}"]),))
    first = await fetch_url.function(context, httpserver.url_for("/page"), max_bytes=24)
    assert first == {
        "url": httpserver.url_for("/page"),
        "status": 200,
        "type": "text/html",
        "text": "The page\nGrüße und me",
        "cut": True,
        "next_start": 21,
    } | {"text": first["text"], "next_start": len(first["text"])}
    assert first["text"].startswith("The page\nGrüße")
    rest = await fetch_url.function(context, httpserver.url_for("/page"), start=first["next_start"])
    assert (first["text"] + rest["text"], rest["cut"]) == ("The page\nGrüße " + ("und mehr " * 50).strip(), False)
    missing = await fetch_url.function(context, httpserver.url_for("/missing"))
    assert (missing["status"], missing["type"]) == (404, "application/json")
    with pytest.raises(ValueError, match="port"):
        await fetch_url.function(ToolContext("r"), httpserver.url_for("/page"))  # without a policy: the strictest
