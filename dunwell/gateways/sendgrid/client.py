"""E-mail through SendGrid's mail/send: one mail a request, its refusals in our words.

SendGrid has no idempotency key and no way to ask for one mail, so a send whose answer never came stays
unknown. Nothing a debtor could be known by goes into an error: a refusal is described by its status and the
names of the fields, never by SendGrid's own sentence, which may repeat an address.
"""

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from python_http_client.client import Client
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways import retry
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.http import is_loopback, web_address

NAME = "sendgrid"
HOST = "https://api.sendgrid.com"
ACCEPTED = 202

_LATER = {
    408: "SendGrid did not get the whole request in time",
    429: "SendGrid's rate limit is reached",
    500: "SendGrid has an internal error",
    503: "SendGrid is not available",
}
# Errors of our own account or of the API's address, which stop every mail; the debtor's address stays open.
_OURS = {
    401: "SendGrid does not accept SENDGRID_API_KEY, or the plan's mails are used up: check both",
    403: "SendGrid forbids this sender: verify MAIL_FROM there and give the key Mail Send access",
    404: "There is no mail/send at this address: check SENDGRID_API_URL",
    405: "There is no mail/send at this address: check SENDGRID_API_URL",
    406: "What answers at this address is not SendGrid: check SENDGRID_API_URL and any proxy between",
    415: "What answers at this address is not SendGrid: check SENDGRID_API_URL and any proxy between",
    451: "SendGrid's data residency forbids this region: check SENDGRID_API_URL",
}
_SUPPRESSIONS = {
    "bounces": "bounced",
    "invalid_emails": "bounced",
    "spam_reports": "complained",
    "unsubscribes": "stopped",
}
"""SendGrid's lists of addresses it does not write to, and what each means for us."""
_UNREADABLE = {
    401: "SendGrid does not accept SENDGRID_API_KEY: check it",
    403: "give SENDGRID_API_KEY read access to suppressions",
    404: "there is none at this address: check SENDGRID_API_URL",
}
"""What to do about a refusal that will not pass by itself."""
_LIST_LATER = "it was asked for several times, with pauses; repeat the command later"
_REPLY_TO = "Reply-To"
_PAGE = 500
_MOST_SUPPRESSED = 1_000_000
_RECIPIENT_FIELD = re.compile(r"personalizations\.\d+\.to\.\d+\.email")


class SendGridGateway:
    """Sends e-mail. `sender` is (address, name); `host` replaces SendGrid's own URL (EU region, emulator).

    timeout: seconds for the connection and for the answer. Raises ValueError on an unusable setting.
    """

    name = NAME
    channel = Channel.EMAIL
    can_find = False

    def __init__(
        self, api_key: str, sender: tuple[str, str], host: str | None = None, *, timeout: float = 10.0
    ) -> None:
        if not api_key.strip():
            raise ValueError("SENDGRID_API_KEY is empty: set the key, or unset it to use the outbox")
        if "@" not in sender[0]:
            raise ValueError(f"MAIL_FROM is no e-mail address: {sender[0]!r}; give the verified sender")
        # The library writes the whole request, key and mail included, to its log at level DEBUG.
        logging.getLogger("python_http_client.client").setLevel(logging.WARNING)
        self._sender = sender
        self._api = SendGridAPIClient(api_key=api_key, host=web_address(host or HOST, "SENDGRID_API_URL"))
        self._api.client = _Wire(
            host=self._api.host,
            request_headers=self._api.client.request_headers,
            version=3,
            timeout=timeout,
        )

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one mail to SendGrid, once. Accepted means queued there; delivery is reported by webhook.

        Raises DeliveryError: permanent when SendGrid refuses this mail, maybe_sent when its answer never
        came, neither when it surely did not take the mail.
        """
        try:
            answer = self._api.send(mail(envelope, self._sender))
        except HTTPError as error:
            raise refusal(error.status_code, error.body) from None
        except URLError as error:
            # Raised while connecting or writing: the request was never complete, so it was never taken.
            raise DeliveryError(f"SendGrid cannot be reached ({_kind(error.reason)}); try again") from None
        except (OSError, HTTPException) as error:
            raise _unknown(f"no answer ({_kind(error)})") from None
        if answer.status_code != ACCEPTED:
            raise _unknown(f"status {answer.status_code} where 202 was expected", str(answer.status_code))
        return Receipt(NAME, answer.headers.get("X-Message-Id"), MessageState.ACCEPTED)

    def suppressed(self) -> Iterator[tuple[str, str]]:
        """The addresses on SendGrid's suppression lists; a page that fails for now is asked for again.

        Raises DeliveryError when one cannot be read whole.
        """
        for name, reason in _SUPPRESSIONS.items():
            for first in range(0, _MOST_SUPPRESSED, _PAGE):
                page = retry.ask(partial(self._suppression_page, name, first))
                yield from ((address, reason) for address in page)
                if len(page) < _PAGE:
                    break

    def _suppression_page(self, name: str, first: int) -> list[str]:
        asked = self._api.client.suppression._(name)
        try:
            answer = asked.get(query_params={"limit": _PAGE, "offset": first})
            return [str(one["email"]) for one in json.loads(answer.body)]
        except HTTPError as error:
            status, passes = error.status_code, error.status_code in _LATER or error.status_code >= 500
            todo = _LIST_LATER if passes else _UNREADABLE.get(status, "check SENDGRID_API_URL")
            reason = f"SendGrid's list of {name} cannot be read (status {status}): {todo}"
            raise DeliveryError(reason, code=str(status), permanent=not passes) from None
        except (OSError, HTTPException) as error:
            kind = _kind(error.reason if isinstance(error, URLError) else error)
            raise DeliveryError(f"SendGrid's list of {name} cannot be read ({kind}): {_LIST_LATER}") from None
        except (ValueError, LookupError, TypeError):
            reason = f"SendGrid's list of {name} cannot be read (what came is no list): check SENDGRID_API_URL"
            raise DeliveryError(reason, permanent=True) from None

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """Always raises DeliveryError: saying None would claim that the mail surely never left."""
        raise DeliveryError(
            f"SendGrid cannot be asked for mail {envelope.message_id} of {since:%Y-%m-%d %H:%M} UTC: "
            "wait for its event webhook, or look into SendGrid's activity feed"
        )


def mail(envelope: Envelope, sender: tuple[str, str]) -> dict[str, Any]:
    """The mail/send body of `envelope`. Custom arguments are kept in clear: the message id alone."""
    address, name = sender
    parts = [{"type": "text/plain", "value": envelope.text}]
    if envelope.html is not None:
        parts.append({"type": "text/html", "value": envelope.html})
    body: dict[str, Any] = {
        "personalizations": [
            {
                "to": [_person(envelope.to, envelope.to_name)],
                "custom_args": {"message_id": envelope.message_id},
            }
        ],
        "from": _person(address, name),
        "subject": envelope.subject,
        "content": parts,
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},  # it would put a List-Unsubscribe in place of ours
        },
    }
    headers = dict(envelope.headers)
    reply_to = headers.pop(_REPLY_TO, None)  # SendGrid refuses it among the headers
    if reply_to:
        body["reply_to"] = {"email": reply_to}
    if headers:
        body["headers"] = headers
    if envelope.attachments:
        body["attachments"] = [
            {
                "filename": one.name,
                "type": one.media_type,
                "content": b64encode(one.content).decode(),
                "disposition": "attachment",
            }
            for one in envelope.attachments
        ]
    return body


def refusal(status: int, body: bytes = b"") -> DeliveryError:
    """What an answer other than 2xx means."""
    code = str(status)
    if status in _LATER:
        return DeliveryError(f"{_LATER[status]} (status {code}); try again later", code=code)
    if status in _OURS:
        return DeliveryError(f"{_OURS[status]} (status {code})", code=code)
    if status < 400:
        return DeliveryError(f"SendGrid's address redirects (status {code}): check SENDGRID_API_URL", code=code)
    if status >= 500:
        return _unknown(f"status {code} from a server in between", code)
    return _bad_request(code, _fields(body))


def _bad_request(code: str, fields: list[str]) -> DeliveryError:
    if any(_RECIPIENT_FIELD.fullmatch(name) for name in fields):
        return DeliveryError(
            f"SendGrid says that the recipient's address is not valid (status {code}): correct the contact",
            code=code,
            permanent=True,
            closes_address="bounced",
        )
    if any(name.split(".")[0] == "from" for name in fields):
        return DeliveryError(f"SendGrid refuses the sender (status {code}): check MAIL_FROM", code=code)
    where = ", ".join(fields) or "unnamed fields"
    return DeliveryError(f"SendGrid refuses this mail (status {code}) for {where}", code=code, permanent=True)


def _fields(body: bytes) -> list[str]:
    """The names of the refused fields; an answer of another shape names none."""
    try:
        errors = json.loads(body)["errors"]
        return [str(error["field"]) for error in errors if error.get("field")]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _unknown(what: str, code: str | None = None) -> DeliveryError:
    return DeliveryError(
        f"Nobody knows whether SendGrid took the mail: {what}. Its event webhook tells; do not send again",
        code=code,
        maybe_sent=True,
    )


def _person(address: str, name: str) -> dict[str, str]:
    return {"email": address, "name": name} if name else {"email": address}


def _kind(error: object) -> str:
    return type(error).__name__ if isinstance(error, BaseException) else str(error)


class _StayHere(HTTPRedirectHandler):
    """Follows no redirect: urllib would turn the mail into a GET and hand the key to the other host."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Wire(Client):  # type: ignore[misc]
    """The library's client, with an opener that follows no redirect and leaves loopback hosts unproxied."""

    def _build_client(self, name: str | None = None) -> "_Wire":
        return _Wire(
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
            timeout=self.timeout,
        )

    def _make_request(self, opener: OpenerDirector, request: Request, timeout: float | None = None) -> Any:
        handlers = [ProxyHandler({})] if is_loopback(self.host) else []
        return super()._make_request(build_opener(_StayHere, *handlers), request, timeout)
