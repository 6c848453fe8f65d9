"""The fake providers, started for a test and closed after it."""

from collections.abc import Iterator
from socket import AF_INET, SOCK_STREAM, socket

import pytest

from tests.gateways.fakes import FakeLob, FakeProduct, FakeSendGrid, FakeTwilio


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as server:
        yield server


@pytest.fixture
def lob() -> Iterator[FakeLob]:
    with FakeLob() as server:
        yield server


@pytest.fixture
def product() -> Iterator[FakeProduct]:
    with FakeProduct() as server:
        yield server


@pytest.fixture
def closed_url() -> Iterator[str]:
    """An address on this machine that refuses every connection: the port is ours, and nobody listens."""
    with socket(AF_INET, SOCK_STREAM) as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
