"""Forbidden hosts are never contacted: a listener counts. Each gate is also tried open, to show that it is the gate."""

from __future__ import annotations

import pytest

from ingest.remote.client import Client, RemoteLimits
from ingest.remote.guard import Guard, parse_hosts, redacted
from layers.errors import ConfigurationError, RemoteRefused, RemoteUnavailable
from tests.ingest.remote.servers import Reply, serving


def hello(_: str) -> Reply:
    return 200, {"Content-Type": "text/plain"}, b"hello"


def guard(*hosts: str, **names: str) -> Guard:
    """A guard with names that resolve as given."""
    return Guard(parse_hosts(hosts), lambda host, _: [names[host.replace(".", "_")]])


def get(gate: Guard, url: str) -> bytes:
    with Client(gate, RemoteLimits(attempts=1)) as client:
        return client.get(url, "*/*").body


DISGUISES = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://100.64.0.1:{port}/",
    "http://169.254.169.254/",
    "HTTP://LOCALHOST.:{port}/",
    "http://ok.example:{port}@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@ok.example/",
    "http://ok.example#@127.0.0.1:{port}/",
    "http://ok.example\t:{port}/",
    "http://ok.example:{port}/\ud800",
    "file:///etc/hostname",
    "gopher://127.0.0.1:{port}/",
    "s3://bucket/key",
    "/vsicurl/http://127.0.0.1:{port}/",
    "ftp://127.0.0.1/",
    "http://",
    "http://ok.example:99999/",
]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_reaches_the_listener(disguise: str) -> None:
    with serving(hello) as listener:
        # The names that are allowed resolve to the listener's address, which is not public.
        gate = guard(f"ok.example:{listener.port}", "ok.example", ok_example="127.0.0.1")
        with pytest.raises(RemoteRefused):
            get(gate, disguise.format(port=listener.port))
        assert listener.asked == []


def test_the_same_address_is_reached_once_it_is_allowed() -> None:
    with serving(hello) as listener:
        assert get(guard(f"127.0.0.1:{listener.port}"), listener.url()) == b"hello"
        named = guard(f"geo.example:{listener.port}=127.0.0.0/8", geo_example="127.0.0.1")
        assert get(named, listener.url(host="geo.example")) == b"hello"
        assert len(listener.asked) == 2
        assert listener.headers[1]["Host"] == f"geo.example:{listener.port}"


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("geo.example", "10.0.0.1"),
        ("geo.example", "192.168.1.1"),
        ("geo.example", "::1"),
        ("geo.example", "::ffff:10.0.0.1"),
        ("geo.example", "fe80::1"),
        ("geo.example", "fec0::1"),
        ("geo.example", "64:ff9b::127.0.0.1"),
        ("geo.example", "64:ff9b::10.0.0.1"),
        ("geo.example", "64:ff9b:1::10.0.0.1"),
        ("geo.example", "2002:a00:1::1"),
        ("geo.example", "2002:7f00:1::1"),
        ("geo.example", "::10.0.0.1"),
        ("geo.example", "169.254.169.254"),
        ("geo.example=10.0.0.0/8", "192.168.1.1"),
        ("geo.example=0.0.0.0/0", "169.254.169.254"),
        ("geo.example=0.0.0.0/0", ".".join("0000")),
        ("geo.example=0.0.0.0/0", "224.0.0.1"),
    ],
)
def test_addresses_that_a_name_must_not_have(entry: str, address: str) -> None:
    with pytest.raises(RemoteRefused, match="has the address"):
        guard(entry, geo_example=address).admit("http://geo.example/x")


@pytest.mark.parametrize(
    ("entry", "address", "pinned"),
    [
        ("geo.example", "93.184.216.34", "http://93.184.216.34:80/x?a=1"),
        ("geo.example", "2606:2800:220:1::1", "http://[2606:2800:220:1::1]:80/x?a=1"),
        ("geo.example", "64:ff9b::93.184.216.34", "http://[64:ff9b::5db8:d822]:80/x?a=1"),
        ("geo.example=10.0.0.0/8", "10.2.3.4", "http://10.2.3.4:80/x?a=1"),
        ("geo.example=10.0.0.0/8", "::ffff:10.2.3.4", "http://10.2.3.4:80/x?a=1"),
    ],
)
def test_the_connection_goes_to_the_address_that_was_checked(entry: str, address: str, pinned: str) -> None:
    target = guard(entry, geo_example=address).admit("http://Geo.Example/x?a=1#part")
    assert (target.url, target.host, target.name) == (pinned, "geo.example", "geo.example")


def test_one_bad_address_among_good_ones_is_enough() -> None:
    gate = Guard(parse_hosts(["geo.example"]), lambda *_: ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(RemoteRefused, match=r"127\.0\.0\.1"):
        gate.admit("https://geo.example/")


def test_a_name_that_changes_its_answer_is_asked_once_only() -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])
    gate = Guard(parse_hosts(["geo.example"]), lambda *_: [next(answers)])
    assert gate.admit("https://geo.example/").url == "https://93.184.216.34:443/"
    assert next(answers) == "127.0.0.1"


def test_a_redirect_passes_the_same_gate() -> None:
    with serving(hello) as forbidden, serving(lambda _: (302, {"Location": forbidden.url()}, b"")) as allowed:
        with pytest.raises(RemoteRefused, match="not among the remote hosts"):
            get(guard(f"127.0.0.1:{allowed.port}"), allowed.url())
        assert forbidden.asked == []
        both = guard(f"127.0.0.1:{allowed.port}", f"127.0.0.1:{forbidden.port}")
        assert get(both, allowed.url()) == b"hello"


def test_redirects_end() -> None:
    with serving(lambda path: (307, {"Location": f"{path}x"}, b"")) as server:
        with pytest.raises(RemoteUnavailable, match="redirects more than 5 times"):
            get(guard(f"127.0.0.1:{server.port}"), server.url())
        assert len(server.asked) == 6


def test_nothing_is_allowed_by_default() -> None:
    with pytest.raises(RemoteRefused, match=r"allows \(none\)"):
        Guard(()).admit("https://example.com/")


@pytest.mark.parametrize("port", ["80", "8080", "444"])
def test_a_port_is_allowed_only_when_it_is_named(port: str) -> None:
    with pytest.raises(RemoteRefused):
        guard("geo.example", geo_example="93.184.216.34").admit(f"https://geo.example:{port}/")


@pytest.mark.parametrize("entry", ["", "http://geo.example", "geo.example/path", "geo example", "a=b", "u@h", "h:x"])
def test_entries_of_the_list_are_plain(entry: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_hosts([entry])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/c?token=abc&limit=5", "https://h/c?token=***&limit=5"),
        ("https://h/c?tk=abc&API_KEY=1&x=2#f", "https://h/c?tk=***&API_KEY=***&x=2"),
        ("https://u:p@h/c", "https://h/c"),
        ("wfs:https://u:p@h/c?token=abc", "wfs:https://h/c?token=***"),
        ("postgresql://u:p@h/c", "postgresql://h/c"),
        ("https://u:p@[h/c?token=abc", "a malformed address"),
    ],
)
def test_credentials_are_not_repeated(url: str, shown: str) -> None:
    assert redacted(url) == shown
