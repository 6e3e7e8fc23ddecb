"""Which hosts may be asked, and that the one that answers is the one that was checked.

An operator lists hosts; nothing else is ever contacted. A name is resolved once, every address it has is checked, and
the connection goes to one of those very addresses: a name that changes its answer between check and connection gains
nothing. Redirects and links to further pages pass the same gate.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from layers.errors import ConfigurationError, RemoteRefused

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], list[str]]
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$")
_OWN = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10")))
"""Networks of a site's own that Python counts as public: translation within it (RFC 8215), site-local (3879)."""
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""Networks whose addresses end with the IPv4 address that is meant, by translation or by the old compatible form."""
_LOW = 0xFFFFFFFF
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
"""What stands in no address: control characters, spaces, backslashes, and half characters, which JSON can spell."""
_ENTRY = re.compile(r"^(?P<host>\[[0-9A-Fa-f:.]+\]|[^:=\[\]/@\s]+)(?::(?P<port>\d{1,5}))?(?:=(?P<networks>[^\s]+))?$")
_SECRET = re.compile(r"key|token|pass|secret|sig|auth|^tk$|^ak$|^sk$", re.IGNORECASE)


@dataclass(frozen=True)
class AllowedHost:
    """One entry of the operator's list.

    Attributes:
        host: Name in lower case, or an address.
        port: The port, or None for the usual one of the scheme.
        networks: Networks in which its addresses may lie; empty = public addresses only.
    """

    host: str
    port: int | None = None
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Target:
    """An address that passed: what to connect to, and the name that the server must prove.

    Attributes:
        url: The address with the checked IP address in place of the name.
        host: Value of the Host header.
        name: Name that the certificate must bear.
        original: The address as it was asked for.
    """

    url: str
    host: str
    name: str
    original: str


def parse_hosts(entries: Iterable[str]) -> tuple[AllowedHost, ...]:
    """Read entries such as `geo.example.cn`, `geo.example.cn:8443` or `geo.intern=10.0.0.0/8`.

    Raises:
        ConfigurationError: When an entry is none of these.
    """
    return tuple(_parse_host(entry) for entry in entries)


def _parse_host(entry: str) -> AllowedHost:
    match = _ENTRY.match(entry.strip())
    if match is None:
        raise ConfigurationError(
            f"Remote host {entry[:80]!r}: expected a host name, with `:port` and `=network` where they are needed."
        )
    host = match["host"].strip("[]").lower().rstrip(".")
    port = int(match["port"]) if match["port"] else None
    literal = _literal(host)
    try:
        networks = tuple(ipaddress.ip_network(n) for n in (match["networks"] or "").split(",") if n)
    except ValueError as error:
        raise ConfigurationError(f"Remote host {entry[:80]!r}: {error}.") from None
    if literal is not None and not networks:
        # Whoever lists an address means this address.
        networks = (ipaddress.ip_network(literal),)
    if literal is None and not _NAME.match(host):
        raise ConfigurationError(f"Remote host {entry[:80]!r}: {host[:80]!r} is no host name.")
    return AllowedHost(host, port, networks)


def resolve(host: str, port: int) -> list[str]:
    """All IP addresses of a host, as texts."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """The gate that every address passes before anything is connected."""

    def __init__(self, hosts: Iterable[AllowedHost], resolver: Resolver = resolve) -> None:
        """Let through these hosts and no others."""
        self._hosts = tuple(hosts)
        self._resolve = resolver

    def admit(self, url: str) -> Target:
        """Check an address and pin the IP address to connect to.

        Raises:
            RemoteRefused: When the scheme, the host, the port or an address of the host is not allowed.
        """
        parts, host, port = _parts(url)
        allowed = self._entry(parts.scheme, host, port)
        address = self._pinned(allowed, host, port)
        where = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IP version 6
        query = f"?{parts.query}" if parts.query else ""
        pinned = f"{parts.scheme}://{where}:{port}{parts.path or '/'}{query}"
        header = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
        return Target(pinned, header, host, url)

    def require_host(self, url: str) -> None:
        """Check an address as far as that goes without asking anybody for the host's addresses.

        Raises:
            RemoteRefused: When the scheme, the host or the port is not allowed.
        """
        parts, host, port = _parts(url)
        self._entry(parts.scheme, host, port)

    def _entry(self, scheme: str, host: str, port: int) -> AllowedHost:
        allowed = next((a for a in self._hosts if a.host == host and (a.port or _PORTS[scheme]) == port), None)
        if allowed is None:
            known = ", ".join(sorted({a.host for a in self._hosts})) or "none"
            raise RemoteRefused(
                f"The host {host}:{port} is not among the remote hosts that the operator allows ({known})."
            )
        return allowed

    def _pinned(self, allowed: AllowedHost, host: str, port: int) -> IpAddress:
        literal = _literal(host)
        try:
            texts = [str(literal)] if literal is not None else self._resolve(host, port)
        except OSError:
            raise RemoteRefused(f"The host {host} has no address.") from None
        addresses = [_unmapped(ipaddress.ip_address(text.partition("%")[0])) for text in texts]
        stranger = next((a for a in addresses if not _permitted(a, allowed)), None)
        if stranger is not None or not addresses:
            raise RemoteRefused(
                f"The host {host} has the address {stranger}, which is not public and not in a network that the "
                "operator allows for it."
            )
        return addresses[0]


def redacted(url: str) -> str:
    """An address without credentials: values of parameters that look like keys or tokens become `***`."""
    kind, colon, inner = url.partition(":")
    if kind.lower() == "wfs" and "://" in inner:
        return f"{kind}{colon}{redacted(inner)}"
    try:
        parts = urlsplit(url)
    except ValueError:
        # Where its parts begin cannot be told, so neither can where a password stands.
        return "a malformed address"
    pairs = [(k, "***" if _SECRET.search(k) else v) for k, v in parse_qsl(parts.query, keep_blank_values=True)]
    netloc = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=netloc, query=urlencode(pairs, safe="*:/,"), fragment="").geturl()


def _parts(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RemoteRefused("The remote address is malformed.") from None
    if parts.scheme not in _PORTS:
        raise RemoteRefused(
            f"The scheme {parts.scheme[:20]!r} is not fetched; remote sources are http, https, wfs and postgresql."
        )
    if _UNSAFE.search(url) or "@" in parts.netloc or not parts.hostname:
        raise RemoteRefused("A remote address has a host, no user name or password in it, and no spaces.")
    host = parts.hostname.lower().rstrip(".")
    if _literal(host) is None:
        host = _ascii(host)
    return parts, host, port or _PORTS[parts.scheme]


def _ascii(host: str) -> str:
    try:
        plain = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        plain = ""
    if not _NAME.match(plain):
        raise RemoteRefused(f"{host[:80]!r} is no host name.")
    return plain


def _literal(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unmapped(address: IpAddress) -> IpAddress:
    """An IPv4 address in IPv6 clothes as what it is."""
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _reached(address: IpAddress) -> IpAddress:
    """The IPv4 address that answers behind an IPv6 one: by 6to4 (RFC 3056), NAT64 (6052), the old compatible form."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback or address.is_unspecified:
        return address
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & _LOW)
    return address.sixtofour or address


def _permitted(address: IpAddress, allowed: AllowedHost) -> bool:
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if allowed.networks:
        return _lies_in(address, allowed.networks)
    reached = _reached(address)
    return address.is_global and reached.is_global and not reached.is_multicast and not _lies_in(address, _OWN)


def _lies_in(address: IpAddress, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
