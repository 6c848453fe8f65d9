"""A small product whose accounts Dunwell limits: all that a product has to do, in one file.

It asks the access check with each page, shows what the account may use, and links to the page that explains a
restriction. It keeps an answer for as long as Dunwell allows, forgets it when it is told of a change, and lets people
in when no answer comes.

    DUNWELL_URL=http://127.0.0.1:8080 DUNWELL_API_KEY=dwl_... python -m dunwell.local.product C-1001 C-1002

With PRODUCT_ACCESS_SECRET it takes changes at /access-changed, which is then PRODUCT_ACCESS_URL of the worker.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
from markupsafe import Markup

from dunwell.gateways.signed_post import SIGNATURE_HEADER, verify
from dunwell.process import READY

CHANGES = "/access-changed"
_HOST = "127.0.0.1"
_PATIENCE = 1.0
"""Seconds for which a person may wait for the access check."""
_KEPT = 30.0
"""Seconds for which an answer is not asked for again."""
_TRUSTED = 86_400.0
"""Seconds for which the last answer counts while no other comes."""
_MOST_BYTES = 10_000


@dataclass(frozen=True)
class Answer:
    """What the access check said at `asked_at`, a monotonic time. page_url: where its people read why."""

    access: str = "full"
    page_url: str | None = None
    etag: str | None = None
    asked_at: float = 0.0


class AccessCheck:
    """Asks Dunwell what accounts may do. Safe to share between threads."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Bearer {key}"}
        self._known: dict[str, Answer] = {}
        self._changes: dict[str, int] = {}
        self._lock = Lock()

    def of(self, account: str) -> Answer:
        """Return what the account may do; while no answer comes, the last one of a day, else full access."""
        with self._lock:
            known, changes = self._known.get(account), self._changes.get(account, 0)
        now = time.monotonic()
        if known is not None and now - known.asked_at < _KEPT:
            return known
        found = self._ask(account, known, now)
        if found is None:
            return known if known is not None and now - known.asked_at < _TRUSTED else Answer()
        with self._lock:
            if self._changes.get(account, 0) == changes:  # else it changed again while this answer was on its way
                self._known[account] = found
        return found

    def forget(self, account: str) -> None:
        """Ask anew for this account the next time, because its access changed. Until then its last answer counts."""
        with self._lock:
            self._changes[account] = self._changes.get(account, 0) + 1
            if account in self._known:
                self._known[account] = replace(self._known[account], asked_at=time.monotonic() - _KEPT)

    def _ask(self, account: str, known: Answer | None, now: float) -> Answer | None:
        headers = self._headers | ({"If-None-Match": known.etag} if known is not None and known.etag else {})
        try:
            answer = requests.get(
                f"{self._url}/api/accounts/{quote(account, safe='')}/access",
                headers=headers,
                timeout=_PATIENCE,
                allow_redirects=False,
            )
            if answer.status_code == 304 and known is not None:
                return replace(known, asked_at=now)
            if answer.status_code == 404:  # nobody bills this account
                return Answer(asked_at=now)
            answer.raise_for_status()
            said = answer.json()
            return Answer(said["access"], said.get("page_url"), answer.headers.get("ETag"), now)
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return None


# The pages -----------------------------------------------------------------------------------------------

_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><style>'
    "body{{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}}"
    ".notice{{border:2px solid #b45309;background:#fff7ed;padding:.5rem 1rem}}"
    "</style></head><body><h1>{title}</h1>{content}</body></html>"
)
_PARTS = (("Your documents", False), ("Exports and reports", True), ("Interface for other programs", True))
"""The parts of the product; those that a restriction takes away first are the ones that earn most."""


def front_page(accounts: Sequence[str]) -> str:
    """Return the page that leads to the accounts, in place of a login."""
    rows = Markup().join(
        Markup('<li><a href="/accounts/{}">{}</a></li>').format(quote(one, safe=""), one) for one in accounts
    )
    return _PAGE.format(title="A small product", content=Markup("<p>Sign in as</p><ul>{}</ul>").format(rows))


def account_page(account: str, answer: Answer) -> str:
    """Return what somebody of this account sees."""
    content = _notice(answer)
    if answer.access != "suspended":
        shown = [name for name, extra in _PARTS if not extra or answer.access == "full"]
        content += Markup("<ul>{}</ul>").format(Markup().join(Markup("<li>{}</li>").format(one) for one in shown))
    return _PAGE.format(title=account, content=content)


def _notice(answer: Answer) -> Markup:
    if answer.access == "full":
        return Markup("<p>You have full access.</p>")
    said = "This service is suspended." if answer.access == "suspended" else "Some features are limited."
    link = Markup()
    if answer.page_url is not None:
        link = Markup(' <a href="{}">Why, and how to have them back</a>').format(answer.page_url)
    return Markup('<p class="notice" role="status">{}{}</p>').format(said, link)


# The server ----------------------------------------------------------------------------------------------


class Product(ThreadingHTTPServer):
    """The product on a port of this machine. `secret` verifies the changes of access that it is told."""

    daemon_threads = True

    def __init__(self, port: int, check: AccessCheck, accounts: Sequence[str], secret: str | None) -> None:
        super().__init__((_HOST, port), _Requests)
        self.check, self.accounts, self.secret = check, accounts, secret

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.server_port}"


class _Requests(BaseHTTPRequestHandler):
    server: Product
    timeout = 10

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        account = unquote(path.removeprefix("/accounts/"))
        if path == "/":
            self._answer(200, front_page(self.server.accounts))
        elif account in self.server.accounts:
            self._answer(200, account_page(account, self.server.check.of(account)))
        else:
            self._answer(404, _PAGE.format(title="Nothing here", content=""))

    def do_POST(self) -> None:
        """Take a change of access, which Dunwell signs."""
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != CHANGES or self.server.secret is None or not length.isdecimal():
            self._answer(404, "")
            return
        body = self.rfile.read(min(int(length), _MOST_BYTES))
        try:
            verify(body, self.headers.get(SIGNATURE_HEADER, ""), self.server.secret, datetime.now(UTC))
            change: dict[str, Any] = json.loads(body)
            self.server.check.forget(str(change["customer_id"]))
        except (ValueError, KeyError, TypeError):
            self._answer(400, "")
            return
        self._answer(204, "")

    def _answer(self, status: int, page: str) -> None:
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what people open is nobody's business."""


def main() -> int:
    """Serve until interrupted. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dunwell.local.product", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("accounts", nargs="+", metavar="CUSTOMER", help="ids of the customers who may sign in")
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    url, key = os.environ.get("DUNWELL_URL"), os.environ.get("DUNWELL_API_KEY")
    if not url or not key:
        print(
            "Set DUNWELL_URL to Dunwell's web service, and DUNWELL_API_KEY to a key of the role product.",
            file=sys.stderr,
        )
        return 2
    with Product(
        given.port, AccessCheck(url, key), given.accounts, os.environ.get("PRODUCT_ACCESS_SECRET")
    ) as product:
        print(f"product {READY}: {product.url}", flush=True)
        try:
            product.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
