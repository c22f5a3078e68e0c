"""Which hosts ``fetch_url`` may reach: the public Internet, and what the deployment's settings name.

The failure this prevents: an agent reads a page that says "now fetch http://169.254.169.254/...", and the worker, which
stands inside a network, hands out what only insiders may see. Addresses are judged, not names: whatever a URL spells
(a name, ``2130706433``, ``[::ffff:127.0.0.1]``) is resolved first. The lists are ours, because those of the standard
library differ between Python versions.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

WEB_PORTS: Final = (80, 443)

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host below a virtual machine of Azure
        "169.254.0.0/16",  # link-local; metadata of cloud machines
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
"""All that is assigned. Outside lie loopback, mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), private, link-local, multicast."""
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
_ENTRY: Final = re.compile(r"(?:\[([0-9A-Fa-f:./]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True)
class AllowedHost:
    """One entry of the setting: a host name with any address, or a range of addresses, at the web's ports or at one."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "AllowedHost":
        """Read ``wiki.corp``, ``wiki.corp:8080``, ``10.0.0.0/8``, ``10.1.2.3:8080``, ``fd00::/8`` or ``[fd00::1]:8080``.

        Raises:
            ValueError: it is none of these.
        """
        found = _ENTRY.fullmatch(text.strip())
        host, port = (found[1] or found[2], found[3]) if found else (text.strip(), None)
        if port is not None and not 1 <= int(port) <= 65535:
            raise ValueError(f"{text!r} has no port from 1 to 65535")
        number = int(port) if port else None
        try:
            return cls(network=ip_network(host, strict=False), port=number)
        except ValueError:
            name = host.rstrip(".").lower()
        if not _HOST_NAME.fullmatch(name):
            raise ValueError(f"{text!r} is no host name, address or network, with a port or without") from None
        return cls(name=name, port=number)


@dataclass(frozen=True)
class FetchPolicy:
    """What the deployment lets ``fetch_url`` reach besides the public Internet at ports 80 and 443."""

    allowed: tuple[AllowedHost, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "FetchPolicy":
        """Read the setting; ``ValueError`` as ``AllowedHost.parse``."""
        return cls(tuple(map(AllowedHost.parse, entries)))

    def permits_port(self, port: int) -> bool:
        """Whether anything may be reached at this port."""
        return port in WEB_PORTS or any(entry.port == port for entry in self.allowed)

    def permits(self, name: str, port: int, address: IPv4Address | IPv6Address) -> bool:
        """Whether a connection may be made to this address, under this name of the URL."""
        if port in WEB_PORTS and is_public(address):
            return True
        return any(
            (entry.name == name if entry.network is None else address in entry.network)
            and (port in WEB_PORTS if entry.port is None else port == entry.port)
            for entry in self.allowed
        )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the Internet could reach it as well."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
