"""The door to the Temporal UI, and what a web page elsewhere finds at every port that the server opens."""

import socket
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from dunwell.local.temporal_server import DevServer, free_port
from dunwell.local.ui_proxy import hidden_address

FOREIGN = [
    pytest.param({"Host": "evil.example:{port}"}, id="a name of its own that leads here"),
    pytest.param({"Origin": "http://evil.example"}, id="a form or fetch from elsewhere"),
    pytest.param({"Origin": "null"}, id="a page without an origin"),
    pytest.param({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, id="an image from elsewhere"),
    pytest.param({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, id="another port of this machine"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[DevServer]:
    running = DevServer.start(None, port=free_port(), ui_port=free_port())
    yield running
    running.kill()


def listening(process: int) -> list[tuple[str, int]]:
    """Every address at which the process, or this one for it, accepts connections."""
    found = psutil.Process(process).net_connections("tcp")
    return [(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN]


def ask(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.request(method, url, headers=headers, content=b"{}" if method == "POST" else None)


def until(true: Callable[[], bool]) -> None:
    """The UI dials the server before that listens, and tries again after a while."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def test_f1_the_ui_and_its_api_are_served_to_their_own_pages(server: DevServer) -> None:
    assert server.ui_url is not None
    assert "<!doctype html>" in ask(server.ui_url).text
    own = {"Origin": server.ui_url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    until(lambda: "namespaces" in ask(f"{server.ui_url}/api/v1/namespaces", **own).json())
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(f"{server.ui_url}/namespaces", **followed).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/api/v1/namespaces/default/workflows/invoice-1/signal/payment_received"])
def test_f1_nobody_else_reaches_the_ui(server: DevServer, headers: dict[str, str], method: str, path: str) -> None:
    port = str(server.ui_url).rpartition(":")[2]
    answer = ask(f"{server.ui_url}{path}", method, **{name: text.format(port=port) for name, text in headers.items()})
    assert answer.status_code in {400, 403}


def test_f1_no_port_that_a_page_can_find_answers_a_foreign_host(server: DevServer) -> None:
    """Those that speak HTTP/1.1 at all refuse; the counts of the metrics page are the one thing anybody may read."""
    open_to_all = []
    for ip, port in listening(server.process.pid):
        if ip != "127.0.0.1":
            continue  # the UI itself, which no page can find
        for path in ("/", "/api/v1/namespaces", "/metrics"):
            try:
                answer = ask(f"http://127.0.0.1:{port}{path}", Host="evil.example", Origin="http://evil.example")
            except httpx.HTTPError:
                continue  # gRPC
            if answer.status_code < 400:
                open_to_all.append(path)
    assert set(open_to_all) <= {"/metrics"}


def test_f1_the_ui_itself_listens_where_no_page_can_guess(server: DevServer) -> None:
    others = [ip for ip, _ in listening(server.process.pid) if ip != "127.0.0.1"]
    assert len(others) == 1
    assert others[0].startswith("127.")


def test_hidden_addresses_differ_and_can_be_used() -> None:
    drawn = {hidden_address() for _ in range(5)}
    assert len(drawn) == 5
    with socket.create_server((drawn.pop(), 0)):
        pass


def test_the_door_says_so_when_the_server_is_gone() -> None:
    running = DevServer.start(None, port=free_port(), ui_port=free_port())
    running.process.kill()
    running.process.wait()
    assert ask(str(running.ui_url)).status_code == 502
    running.stop()
    with pytest.raises(httpx.ConnectError):
        ask(str(running.ui_url))
