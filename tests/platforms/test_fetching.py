"""The guarded GET, over real HTTP and HTTPS on loopback."""

import gzip
import ipaddress
import ssl
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.contract import AccountRefused, ProviderError, Unreachable
from lockbridge.fetching import Fetched, GuardedFetch, is_public
from tests.platforms.listening import BODY, LOOPBACK, SECRET, answer, redirect, serving


def fetch(**changes) -> GuardedFetch:
    return replace(GuardedFetch(allow=LOOPBACK, most_seconds=10), **changes)


async def get(url: str, guard: GuardedFetch | None = None, **headers: str) -> Fetched:
    return await (guard or fetch())(url, headers)


async def refused(url: str, guard: GuardedFetch | None = None, kind: type[ProviderError] = Unreachable) -> str:
    """The words with which a fetch fails; the address is in none of what an error shows."""
    with pytest.raises(kind) as caught:
        await get(url, guard)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in shown
    assert type(caught.value) is kind
    return str(caught.value)


def at(*addresses: str) -> Callable:
    """A lookup that gives every name these addresses, and counts."""

    async def look_up(_host: str, _port: int) -> Sequence[str]:
        look_up.asked += 1
        return addresses

    look_up.asked = 0
    return look_up


async def test_a_calendar_is_fetched_with_its_headers() -> None:
    async with serving(answer(BODY, 'ETag: "v1"', "Content-Type: text/calendar")) as server:
        got = await get(server.url(), **{"if-none-match": '"v0"'})
    assert (got.status, got.body, got.headers["etag"]) == (200, BODY, '"v1"')
    assert f"GET /calendar.ics?s={SECRET} HTTP/1.1" in server.requests[0]
    assert server.headers()["if-none-match"] == '"v0"'
    assert server.headers()["user-agent"] == "lockbridge"
    assert not {"cookie", "authorization", "referer"} & server.headers().keys()


async def test_an_answer_shows_neither_its_body_nor_its_headers() -> None:
    async with serving(answer(b"private", "etag: private")) as server:
        assert "private" not in repr(await get(server.url()))


async def test_that_nothing_changed_and_that_nothing_is_there_are_answers() -> None:
    for status in ("304 Not Modified", "404 Not Found", "410 Gone", "429 Too Many Requests", "500 Oops"):
        async with serving(answer(b"", "retry-after: 60", status=status)) as server:
            got = await get(server.url())
        assert (got.status, got.body, got.headers["retry-after"]) == (int(status[:3]), b"", "60")


async def test_what_is_no_good_answer_is_not_read() -> None:
    async with serving(answer(b"x" * 1000, status="500 Oops")) as server:
        assert (await get(server.url(), fetch(most_bytes=10))).body == b""


# -- what may be asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://calendars.example/a.ics",
        "ftp://calendars.example/a.ics",
        "file:///etc/passwd",
        "https:///a.ics",
        "https://",
        "calendars.example/a.ics",
        "//calendars.example/a.ics",
        "",
        "https://user@calendars.example/a.ics",
        "https://user:password@calendars.example/a.ics",
        "https://:password@calendars.example/a.ics",
        "https://calendars.example:22/a.ics",
        "https://calendars.example:99999/a.ics",
        "https://calendars.example:x/a.ics",
        "https://[::1/a.ics",
        "javascript:alert(1)",
        "gopher://127.0.0.1:70/_x",
    ],
)
async def test_only_https_without_a_password_and_at_a_port_of_the_web_can_be_asked(url: str) -> None:
    asked = at("93.184.216.34")
    assert "https://" in await refused(url, GuardedFetch(look_up=asked), AccountRefused)
    assert asked.asked == 0


PRIVATE = [str(ipaddress.ip_address(number)) for number in (0x0A000001, 0xC0A80101)]
"""The two that are in every house."""
NOT_PUBLIC = [
    *PRIVATE,
    "0.0.0.0",  # noqa: S104 - an address, not a binding
    "0.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    f"::ffff:{PRIVATE[0]}",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5db8:d822",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:93.184.216.34",
    "64:ff9b::5db8:d822",
    "2002:5db8:d822::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_everybodys_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_on_the_internet_is_public_also_when_it_is_wrapped(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_as_public_as_the_one_inside(inside: ipaddress.IPv4Address) -> None:
    number = int(inside)
    for wrapped in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert is_public(ipaddress.IPv6Address(wrapped)) == is_public(inside)


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_a_name_that_leads_into_a_private_network_is_not_asked(address: str) -> None:
    guard = GuardedFetch(look_up=at(address))
    assert "public" in await refused(f"https://calendars.example/{SECRET}", guard)


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    for addresses in (("93.184.216.34", "127.0.0.1"), (PRIVATE[0], "93.184.216.34"), ("2606:4700::1111", "::1")):
        assert "public" in await refused(f"https://calendars.example/{SECRET}", GuardedFetch(look_up=at(*addresses)))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "2130706433", "127.1", "0"],
)
async def test_an_address_written_as_numbers_is_checked_too(host: str) -> None:
    await refused(f"https://{host}/{SECRET}", GuardedFetch())


async def test_this_machine_is_not_asked_by_its_name() -> None:
    async with serving(answer()) as server:
        await refused(server.url(host="localhost").replace("http:", "https:"), GuardedFetch())
    assert server.requests == []


async def test_a_name_that_changes_its_mind_reaches_only_what_was_checked() -> None:
    async with serving(answer()) as server:
        first_good = iter([["127.0.0.1"], ["127.0.0.9"]])

        async def rebinding(_host: str, _port: int) -> Sequence[str]:
            return next(first_good)

        got = await get(server.url(host="calendars.example"), fetch(look_up=rebinding))
    assert got.body == BODY
    assert server.headers()["host"] == f"calendars.example:{server.port}"
    assert next(first_good) == ["127.0.0.9"]


async def test_allowed_networks_do_not_let_http_out_to_the_internet() -> None:
    assert "public" in await refused(f"http://calendars.example/{SECRET}", fetch(look_up=at("93.184.216.34")))


async def test_a_name_nobody_knows_is_unreachable() -> None:
    async def nobody(_host: str, _port: int) -> Sequence[str]:
        raise OSError(f"no such host {SECRET}")  # noqa: EM102, TRY003 - what the system says

    assert "OSError" in await refused(f"https://calendars.example/{SECRET}", GuardedFetch(look_up=nobody))
    assert "not known" in await refused(f"https://calendars.example/{SECRET}", GuardedFetch(look_up=at()))
    await refused(f"https://{'a' * 70}.example/{SECRET}", GuardedFetch())


# -- redirects --------------------------------------------------------------------------------------------------------


async def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    async with serving(redirect("/b"), redirect("/c"), redirect("/d"), answer()) as server:
        assert (await get(server.url())).body == BODY
        assert [each.split(" ")[1] for each in server.requests][1:] == ["/b", "/c", "/d"]
    async with serving(redirect("/again")) as server:
        assert "redirects" in await refused(server.url())
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "http://user:password@127.0.0.1/x", "http://127.0.0.1:25/", "", "http://[::1/"]
)
async def test_a_redirect_is_checked_like_a_first_address(target: str) -> None:
    async with serving(redirect(target), answer()) as server:
        await refused(server.url())
        assert len(server.requests) == 1


async def test_a_redirect_into_a_private_network_is_not_followed() -> None:
    for target in (f"http://{PRIVATE[0]}/x", "https://169.254.169.254/x", "https://[::1]/x"):
        async with serving(redirect(target)) as server:
            assert "public" in await refused(server.url())


async def test_a_redirect_never_leads_from_https_to_http(tls: "Certificate") -> None:
    async with serving(answer()) as plain, serving(redirect(plain.url()), tls=tls.server) as server:
        assert "redirect" in await refused(server.url(host="127.0.0.1"), fetch(tls=lambda: tls.client))
    assert plain.requests == []


# -- https ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 and calendars.example, and a client that believes it."""
    file = _certificate(tmp_path_factory.mktemp("tls") / "server.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return Certificate(server, ssl.create_default_context(cafile=file))


def _certificate(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "calendars.example")])
    now = datetime.now(UTC)
    names = [x509.DNSName("calendars.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    how = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(*how) + certificate.public_bytes(serialization.Encoding.PEM))
    return file


async def test_over_https_the_name_is_checked_though_the_address_is_pinned(tls: Certificate) -> None:
    async with serving(answer(), tls=tls.server) as server:
        guard = fetch(look_up=at("127.0.0.1"), tls=lambda: tls.client)
        assert (await get(server.url(host="calendars.example"), guard)).body == BODY
        assert "Certificate" in await refused(server.url(host="other.example"), guard)


async def test_a_certificate_nobody_knows_is_refused(tls: Certificate) -> None:
    async with serving(answer(), tls=tls.server) as server:
        await refused(server.url())
        assert server.requests == []


# -- size and time ----------------------------------------------------------------------------------------------------


async def test_what_is_too_large_is_refused_whether_it_says_so_or_not() -> None:
    guard = fetch(most_bytes=1000)
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + (b"100\r\n" + b"x" * 256 + b"\r\n") * 5
    for said in (
        answer(b"x" * 1001),
        chunked + b"0\r\n\r\n",
        answer(gzip.compress(b"x" * 1001), "content-encoding: gzip"),
    ):
        async with serving(said) as server:
            assert "larger than 1,000 bytes" in await refused(server.url(), guard)
    async with serving(answer(b"x" * 1000)) as server:
        assert len((await get(server.url(), guard)).body) == 1000


async def test_a_packed_answer_is_unpacked_and_a_bomb_is_not() -> None:
    async with serving(answer(gzip.compress(BODY), "Content-Encoding: GZIP")) as server:
        assert (await get(server.url())).body == BODY
        assert server.headers()["accept-encoding"] == "gzip"
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    async with serving(answer(bomb, "content-encoding: gzip")) as server:
        assert "larger" in await refused(server.url())


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", BODY), ("deflate", BODY), ("gzip", BODY), ("gzip", gzip.compress(BODY)[:-9]), ("gzip, gzip", BODY)],
    ids=["unknown", "not deflated", "not packed", "cut short", "packed twice"],
)
async def test_what_cannot_be_unpacked_is_no_answer(encoding: str, body: bytes) -> None:
    async with serving(answer(body, f"content-encoding: {encoding}")) as server:
        await refused(server.url())


async def test_an_answer_that_is_cut_short_is_no_answer() -> None:
    async with serving(answer(BODY, length=1000)) as server:
        assert "ClientPayloadError" in await refused(server.url())


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 200 OK\r\nx\r\n\r\n", b"\r\n\r\n"])
async def test_what_speaks_no_http_is_unreachable(said: bytes) -> None:
    async with serving(said) as server:
        await refused(server.url())


async def test_whoever_does_not_answer_in_time_is_unreachable() -> None:
    async with serving(b"") as server:
        assert "within 0.05 seconds" in await refused(server.url(), fetch(most_seconds=0.05))


async def test_nobody_listening_is_unreachable() -> None:
    async with serving(answer()) as server:
        pass
    await refused(server.url())


async def test_an_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    async with serving(answer()) as server:
        assert (await get(server.url())).body == BODY
