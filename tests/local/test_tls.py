"""TLS and API key, by Temporal's own environment names, against a real server behind a TLS door."""

import asyncio
import ipaddress
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from dunwell.bootstrap import NotReady, connect
from dunwell.local.temporal_server import DevServer
from dunwell.settings import load_settings

ROOT = Path(__file__).parents[2]
KEY = "key-of-the-namespace"


# Certificates --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own; its files stand in one folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def __post_init__(self) -> None:
        basics = x509.BasicConstraints(ca=True, path_length=0)
        built = self._draft(self.name, self.key).add_extension(basics, critical=True)
        self.file.write_bytes(built.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, *alternatives: x509.GeneralName) -> tuple[Path, Path]:
        """Certificate and key file for a server or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        draft = self._draft(name, key)
        if alternatives:
            draft = draft.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(draft.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def _draft(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, self.name))
        return (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


# The door ------------------------------------------------------------------------------------------------


@dataclass
class TlsDoor:
    """Ends TLS on a free port of this machine and hands the bytes on; remembers what callers sent."""

    target: str
    context: ssl.SSLContext
    port: int = 0
    heard: bytearray = field(default_factory=bytearray)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(self._copy(reader, inner_writer, self.heard), self._copy(inner_reader, writer, None))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if kept is not None:
                    kept += data
                sink.write(data)
                await sink.drain()
        sink.close()


@dataclass(frozen=True)
class Hall:
    """Two doors to one server, the second for callers with a certificate, and the files that open them."""

    plain: TlsDoor
    mutual: TlsDoor
    authority: Authority
    stranger: Authority
    client: tuple[Path, Path]


@pytest.fixture(scope="module")
def hall(server: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    certificate = authority.issue(
        "server", x509.DNSName("temporal.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    )
    plain, mutual = (TlsDoor(server.address, _context(certificate)) for _ in range(2))
    mutual.context.load_verify_locations(authority.file)
    mutual.context.verify_mode = ssl.CERT_REQUIRED
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    ready = (threading.Event(), threading.Event())

    async def serve() -> None:
        await asyncio.gather(*(door.serve(one, end) for door, one in zip((plain, mutual), ready, strict=True)))
        passing = asyncio.all_tasks() - {asyncio.current_task()}
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert all(one.wait(10) for one in ready)
    yield Hall(plain, mutual, authority, stranger, authority.issue("client"))
    loop.call_soon_threadsafe(end.set)
    thread.join(10)


def _context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])
    return context


# Connecting ----------------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, hall: Hall) -> pytest.MonkeyPatch:
    """The right address and authority; each test adds to it or spoils it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", hall.plain.address)
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(hall.authority.file))
    return monkeypatch


async def count() -> int:
    """One real call, over the connection that the worker and every command use."""
    client = await connect(load_settings())
    return (await client.count_workflows()).count


async def test_a_server_with_a_certificate_of_our_own_authority(environment: pytest.MonkeyPatch) -> None:
    assert await count() >= 0


async def test_an_api_key_travels_inside_tls(environment: pytest.MonkeyPatch, hall: Hall) -> None:
    environment.setenv("TEMPORAL_API_KEY", KEY)
    environment.setenv("TEMPORAL_TLS_SERVER_NAME", "temporal.example")
    before = len(hall.plain.heard)
    assert await count() >= 0
    assert len(hall.plain.heard) > before, "the call came through the door"


async def test_mutual_tls(environment: pytest.MonkeyPatch, hall: Hall) -> None:
    environment.setenv("TEMPORAL_ADDRESS", hall.mutual.address)
    environment.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(hall.client[0]))
    environment.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(hall.client[1]))
    assert await count() >= 0


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        pytest.param({"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "{stranger}"}, "SERVER_CA_CERT_PATH", id="other authority"),
        pytest.param(
            {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "", "TEMPORAL_TLS": "true"}, "SERVER_CA_CERT_PATH", id="none named"
        ),
        pytest.param({"TEMPORAL_TLS_SERVER_NAME": "other.example"}, "SERVER_NAME", id="other name"),
        pytest.param({"TEMPORAL_ADDRESS": "{mutual}"}, "CLIENT_CERT_PATH", id="no client certificate"),
        pytest.param({"TEMPORAL_ADDRESS": "{inside}"}, "TEMPORAL_TLS as", id="server without TLS"),
        pytest.param(
            {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "", "TEMPORAL_TLS": "false"},
            "TEMPORAL_TLS as",
            id="client without TLS",
        ),
    ],
)
async def test_no_trust_no_connection(
    environment: pytest.MonkeyPatch, hall: Hall, spoilt: dict[str, str], said: str
) -> None:
    values = {"stranger": hall.stranger.file, "mutual": hall.mutual.address, "inside": hall.plain.target}
    environment.setenv("TEMPORAL_API_KEY", KEY)
    for name, value in spoilt.items():
        environment.setenv(name, value.format(**values))
    with pytest.raises(NotReady, match=said) as caught:
        await connect(load_settings())
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_worker_ends_with_one_sentence(environment: pytest.MonkeyPatch, hall: Hall) -> None:
    environment.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(hall.stranger.file))
    ended = subprocess.run(
        [sys.executable, str(ROOT / "worker.py")], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 1
    assert "TEMPORAL_TLS_SERVER_CA_CERT_PATH" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
