"""Providers on this machine: real HTTP on 127.0.0.1, a memory of what came, and a say in what comes next.

    with FakeTwilio() as twilio:
        twilio.next(Answer(503), Answer(201, drop=True))
        gateway = TwilioGateway("AC1", "token", "+15005550006", twilio.url)

Each request takes one planned answer; with none left the provider behaves well. `accepts` says whether the
provider keeps the message in spite of the answer: `Answer(delay=60, accepts=True)` is a send that went
through while the caller gave up waiting, `Answer(drop=True)` one that was read and lost.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.parser import BytesParser
from email.policy import default
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from dunwell.domain.channels import Channel
from dunwell.gateways.base import Envelope


def an_envelope(channel: Channel = Channel.EMAIL, to: str | None = None, **changes: Any) -> Envelope:
    """A message ready to leave, with whatever a test wants different."""
    usual = "ada@debtor.example" if channel is Channel.EMAIL else "+15551230001"
    values: dict[str, Any] = {
        "message_id": "INV-7/first-reminder/c1/email",
        "channel": channel,
        "to": to or usual,
        "to_name": "Ada Debtor",
        "subject": "Invoice 7 is open",
        "text": "Invoice 7 over 120.00 EUR is open.",
    }
    return Envelope(**(values | changes))


PATIENT, HASTY = 10.0, 1.0
"""Seconds a caller waits for a fake: long enough on a busy machine; and for an answer that is not to come in time."""


@dataclass(frozen=True)
class Answer:
    """What a provider does with one request.

    status None is the provider's usual success. code, message, wrong (the field's name): its error.
    delay: seconds before the answer. drop: close the line after reading, without an answer.
    accepts: keep the message although the answer is no success or never comes. body: raw bytes instead.
    """

    status: int | None = None
    code: int | None = None
    message: str = "refused"
    wrong: str | None = None
    delay: float = 0.0
    drop: bool = False
    accepts: bool = False
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Nothing was planned to go wrong."""
        return self.status is None and not self.drop and not self.delay


@dataclass(frozen=True)
class Received:
    """One request as it came. Header names are in lower case; `query` and `form` keep the first value."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return _first(self.body.decode())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeProvider:
    """The HTTP server under every fake. Use it as a context manager; `url` is its address."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._plan: deque[Answer] = deque()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, *answers: Answer) -> None:
        """Plan the answers to the requests that come next, in order."""
        self._plan.extend(answers)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and wake every answer that is being delayed."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def handle(self, request: Received) -> Reply | None:
        """The reply to a request; None closes the line."""
        with self._lock:
            self.requests.append(request)
            plan = self._plan.popleft() if self._plan else Answer()
            success = self.accept(request) if plan.well or plan.accepts else None
        if plan.delay:
            self._stopped.wait(plan.delay)
        if plan.drop:
            return None
        if plan.body is not None:
            return Reply(plan.status or 200, plan.body, plan.headers)
        if plan.status is not None:
            return Reply(plan.status, self.error_body(plan), plan.headers)
        return success or Reply(503, self.error_body(plan))

    def accept(self, request: Received) -> Reply:
        """Keep what the request brings, and answer as the provider does when all is well."""
        return Reply(200)

    def error_body(self, plan: Answer) -> bytes:
        """The provider's way to write an error."""
        return json.dumps({"message": plan.message}).encode()


class FakeSendGrid(FakeProvider):
    """SendGrid's mail/send and its suppression lists. `mails` holds the bodies it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[dict[str, Any]] = []
        self.suppressed: dict[str, list[str]] = {}

    def accept(self, request: Received) -> Reply:
        if request.method == "GET" and request.path.startswith("/v3/suppression/"):
            return self._suppressions(request)
        if (request.method, request.path) != ("POST", "/v3/mail/send"):
            return Reply(404)
        self.mails.append(request.json)
        return Reply(202, headers={"X-Message-Id": f"sg-{len(self.mails)}"})

    def _suppressions(self, request: Received) -> Reply:
        """One page of a list of addresses that SendGrid does not write to."""
        listed = self.suppressed.get(request.path.rpartition("/")[2], [])
        first, size = int(request.query.get("offset", "0")), int(request.query.get("limit", "500"))
        page = [{"created": 1_771_000_000, "email": address} for address in listed[first : first + size]]
        return Reply(200, json.dumps(page).encode())

    def error_body(self, plan: Answer) -> bytes:
        return json.dumps({"errors": [{"message": plan.message, "field": plan.wrong, "help": None}]}).encode()


class FakeTwilio(FakeProvider):
    """Twilio's Messages: create and list. `messages` holds what it accepted, newest last.

    status: of a new message. page_size: most messages on one page. As at Twilio, the DateSent filter
    works by day and does not show a message whose date_sent is null.
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.status = "queued"
        self.error_code: int | None = None
        self.page_size = 50
        self.prefix = ""
        self.contents: dict[str, str] = {}  # approved texts by ContentSid

    def keep(
        self, to: str, body: str, created: datetime, sent: datetime | None = None, status: str | None = None
    ) -> dict[str, Any]:
        """Put a message into Twilio's log, as if it had been sent then."""
        sid = f"SM{len(self.messages) + 1:032x}"
        message = {
            "sid": sid,
            "to": to,
            "body": body,
            "status": status or self.status,
            "error_code": self.error_code,
            "date_created": format_datetime(created.astimezone(UTC)),
            "date_sent": format_datetime(sent.astimezone(UTC)) if sent else None,
        }
        self.messages.append(message)
        return message

    def accept(self, request: Received) -> Reply:
        if not request.path.endswith("/Messages.json"):
            return Reply(404, self.error_body(Answer(404, 20404)))
        if request.method == "GET":
            return self._list(request)
        form = request.form
        body = form["Body"] if "Body" in form else self._filled(form)
        kept = self.keep(form["To"], self.prefix + body, datetime.now(UTC))
        return Reply(201, json.dumps(kept).encode())

    def _filled(self, form: Mapping[str, str]) -> str:
        """An approved text with its variables, as Twilio lists it."""
        values = json.loads(form["ContentVariables"])
        return re.sub(r"\{\{(\d+)\}\}", lambda place: str(values[place[1]]), self.contents[form["ContentSid"]])

    def _list(self, request: Received) -> Reply:
        query = request.query
        found = [m for m in reversed(self.messages) if m["to"] == query.get("To", m["to"])]
        if "DateSent>" in query:
            day = datetime.fromisoformat(query["DateSent>"]).date()
            found = [m for m in found if m["date_sent"] and _day(m["date_sent"]) >= day]
        page = int(query.get("Page", "0"))
        size = min(int(query.get("PageSize", "50")), self.page_size)
        more = len(found) > (page + 1) * size
        after = "".join(f"&{key}={_escape(query[key])}" for key in ("To", "DateSent>") if key in query)
        body = {
            "messages": found[page * size : (page + 1) * size],
            "page": page,
            "page_size": size,
            "uri": request.path,
            "next_page_uri": f"{request.path}?Page={page + 1}&PageSize={size}{after}" if more else None,
        }
        return Reply(200, json.dumps(body).encode())

    def error_body(self, plan: Answer) -> bytes:
        error = {"code": plan.code, "message": plan.message, "status": plan.status}
        return json.dumps({key: value for key, value in error.items() if value is not None}).encode()


class FakeLob(FakeProvider):
    """Lob's letters: create and list by metadata. `letters` holds what it took: one for each idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: dict[str, dict[str, Any]] = {}
        self.status: str | None = None
        self.filters = True  # False: a list that ignores its filter

    def accept(self, request: Received) -> Reply:
        if request.path != "/v1/letters":
            return Reply(404, self.error_body(Answer(404)))
        if request.method == "GET":
            wanted = request.query.get("metadata[message_id]")
            ours = [one for one in self.letters.values() if one["metadata"]["message_id"] == wanted]
            return Reply(200, json.dumps({"data": ours if self.filters else [*self.letters.values()]}).encode())
        fields, pdf = _parts(request)
        kept = {
            "id": f"ltr_{len(self.letters) + 1}",
            "metadata": {"message_id": fields["metadata[message_id]"]},
            "fields": fields,
            "size": len(pdf),
            "status": self.status,
        }
        kept = self.letters.setdefault(request.headers["idempotency-key"], kept)
        return Reply(200, json.dumps(kept).encode())

    def error_body(self, plan: Answer) -> bytes:
        error = {"message": plan.message, "status_code": plan.status, "code": plan.wrong}
        return json.dumps({"error": error}).encode()


def _parts(request: Received) -> tuple[dict[str, str], bytes]:
    """The fields of a multipart form, and its file."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=default).parsebytes(head + request.body)
    fields, file = {}, b""
    for part in form.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename():
            file = content
        else:
            fields[str(part.get_param("name", header="content-disposition"))] = content.decode()
    return fields, file


class FakeProduct(FakeProvider):
    """The product's webhook. `changes` holds the bodies it took, by idempotency key: a repeat adds none."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, dict[str, Any]] = {}

    def accept(self, request: Received) -> Reply:
        self.changes.setdefault(request.headers["idempotency-key"], request.json)
        return Reply(204)


def _handler(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            received = Received(
                self.command,
                parts.path,
                _first(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            reply = provider.handle(received)
            self.close_connection = True
            if reply is None:
                return
            try:
                self._write(reply)
            except ConnectionError:
                return  # the caller gave up waiting, which is what a delay is for

        def _write(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a test reads `requests`, not a log."""

    return Handler


def _first(text: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}


def _day(rfc2822: str) -> date:
    return datetime.strptime(rfc2822, "%a, %d %b %Y %H:%M:%S %z").date()


def _escape(value: str) -> str:
    return value.replace("+", "%2B")
