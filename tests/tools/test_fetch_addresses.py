"""Which addresses are public, what the setting may say, and what a page's text is."""

import time
from ipaddress import ip_address

import pytest

from activities.errors import ConfigurationInvalid
from activities.tools.addresses import FetchPolicy, is_public
from activities.tools.page_text import decode, html_text
from workers.settings import load_settings

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
)
PUBLIC_6 = ("2606:4700::1111", "2001:4860:4860::8888", "2a00::1")
INNER = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("text", PUBLIC + PUBLIC_6)
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", INNER)
def test_inner_and_special_addresses_are_not(text: str) -> None:
    assert not is_public(ip_address(text))


def test_an_entry_allows_what_it_names_and_no_more() -> None:
    policy = FetchPolicy.parse(
        ["Wiki.Corp.", "api.corp:8443", "10.0.0.0/8", "192.168.1.5:8080", "fd00::/8", "[fd01::1]:99"]
    )
    inner = ip_address("10.1.1.1")
    other = ip_address("192.168.1.5")
    assert policy.permits("wiki.corp", 80, other)
    assert not policy.permits("wiki.corp", 8080, ip_address("192.168.1.6"))
    assert not policy.permits("my.wiki.corp", 80, other)
    assert policy.permits("api.corp", 8443, other)
    assert not policy.permits("api.corp", 443, other)
    assert policy.permits("anything.test", 443, inner)
    assert not policy.permits("anything.test", 8443, inner)
    assert policy.permits("anything.test", 8080, other)
    assert policy.permits("x", 80, ip_address("fd22::1"))
    assert policy.permits("x", 99, ip_address("fd01::1"))
    assert not policy.permits("x", 99, ip_address("fd01::2"))
    assert not policy.permits("x", 80, ip_address("::ffff:10.1.1.1"))
    assert not policy.permits("x", 8443, ip_address("8.8.8.8"))
    assert [port for port in (22, 80, 99, 443, 8080, 8443) if policy.permits_port(port)] == [80, 99, 443, 8080, 8443]


@pytest.mark.parametrize(
    "entry", ["a b", "http://wiki.corp", "*.corp", "wiki:0", "wiki:70000", "10.0.0.0/33", "[wiki]:80", "a..b", "-"]
)
def test_a_setting_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="fetch_allowed_hosts") as caught:
        load_settings(fetch_allowed_hosts=f"good.corp, {entry}")
    assert caught.value.fix
    assert load_settings(fetch_allowed_hosts="a.corp, 10.0.0.0/8").fetch_allowed_hosts == ("a.corp", "10.0.0.0/8")


def test_a_page_is_its_text() -> None:
    page = """<!doctype html><head><meta charset=utf-8><title>A &amp; B</title><style>p{}</style>
    <body onload="x>y"><h1>One</h1><p>Two <b>th</b>ree &lt;4<br>five<!-- six --><script>7<8</script><ul><li>nine<li>ten</ul>1 < 2"""
    assert html_text(page) == 'A & B\ny">\nOne\nTwo three <4\nfive\nnine\nten\n1 < 2'


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<script>", "<script", "<script ", "</script x", "<title ", "<p", "<p ", "<", "&", "&#", "\n ", "<svg><"],
)
def test_a_page_made_to_take_long_takes_no_long(piece: str) -> None:
    begun = time.process_time()
    html_text("<script>" * (piece == "</script x") + piece * (1_000_000 // len(piece)))
    assert time.process_time() - begun < 5  # a quadratic one takes hours


def test_bytes_are_read_as_declared() -> None:
    assert decode("für".encode("latin-1"), "ISO-8859-1", is_html=False) == "für"
    assert decode("für".encode("utf-16"), "utf-16", is_html=False) == "für"
    assert decode(b'<meta charset="windows-1252">' + b"\x80", None, is_html=True).endswith("€")
    assert decode(b"\xef\xbb\xbfa\xff", None, is_html=False) == "a�"
    for strange in ("punycode", "hex", "unicode_escape", "idna", "iso-8859-99", "", "x" * 100):
        assert decode(b"a-b", strange, is_html=False) == "a-b"
