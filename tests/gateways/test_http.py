import pytest
import requests

from dunwell.gateways.http import fresh_session, is_loopback, never_left, web_address
from tests.gateways.fakes import HASTY, PATIENT, Answer, FakeProduct


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.0.0.1:8080",
        "https://127.255.255.254/v3",  # the whole of 127.0.0.0/8
        "http://localhost",
        "HTTP://LOCALHOST:9/x",
        "http://[::1]:4010/base/",
    ],
)
def test_stays_on_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.sendgrid.com",
        "http://localhost.evil.com",
        "http://127.0.0.1.evil.com",
        "http://evil.com/127.0.0.1",
        "http://evil.com/http://localhost/",
        "http://127.0.0.1@evil.com",  # user name of a real host
        "http://localhost:80@evil.com",
        "http://evil.com@127.0.0.1",  # local, but nobody writes it so honestly
        "http://127.0.0.1\\@evil.com",  # parsers disagree on the backslash
        "http://127.0.0.1#@evil.com",
        "http://127.0.0.1?@evil.com",
        "http://[::1].evil.com",
        "http://[::1]@evil.com",
        "http://[::ffff:127.0.0.1]",
        "http://127.1",  # short, octal and decimal spellings
        "http://0177.0.0.1",
        "http://2130706433",
        "http://127.0.0.256",
        "http://127.0.0.01",
        "http://0.0.0.0",
        "http://localhost\n.evil.com",
        "http://localhost/\n",
        " http://localhost",
        "http://localhost.",
        "http://١27.0.0.1",  # a digit of another script
        "http://127.0.0.1:8080:evil",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "127.0.0.1:8080",
        "localhost",
        "",
    ],
)
def test_anything_doubtful_is_the_world(url: str) -> None:
    assert not is_loopback(url)


def test_a_loopback_address_is_reached_without_a_proxy(
    product: FakeProduct, monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    monkeypatch.setenv("http_proxy", closed_url)
    with fresh_session(product.url) as session:
        answer = session.post(product.url, json={}, headers={"Idempotency-Key": "k"}, timeout=PATIENT)
    assert answer.status_code == 204


def _failure(url: str) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        requests.post(url, data=b"x", timeout=HASTY)
    return caught.value


def test_a_refused_connection_never_left(closed_url: str) -> None:
    assert never_left(_failure(closed_url))


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "nonsense", "http://"])
def test_an_unknown_host_or_malformed_url_never_left(url: str) -> None:
    assert never_left(_failure(url))


@pytest.mark.parametrize("answer", [Answer(delay=60), Answer(drop=True)], ids=["timeout", "dropped line"])
def test_a_request_that_was_read_may_have_done_its_work(product: FakeProduct, answer: Answer) -> None:
    product.next(answer)
    assert not never_left(_failure(product.url))


@pytest.mark.parametrize("url", ["", "localhost:80", "ftp://a", "https://", "/path"])
def test_an_address_that_is_no_web_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match=r"^TWILIO_API_URL must begin with http"):
        web_address(url, "TWILIO_API_URL")


def test_the_slash_at_the_end_goes() -> None:
    assert web_address("https://a.example/x/", "X") == "https://a.example/x"
