"""SMS and WhatsApp through Twilio: send one message, look one up, and what a refusal means for the number.

Twilio's own sentences repeat phone numbers, so an error names only the code.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.http import fresh_session, never_left, web_address
from dunwell.gateways.twilio.codes import MEANINGS

NAME = "twilio"
PAGE_SIZE = 1000
CLOCK_SKEW = timedelta(minutes=5)
"""Twilio's times are whole seconds of its own clock: a message may seem older than its claim."""

STATES: Mapping[str, MessageState] = {
    "accepted": MessageState.ACCEPTED,
    "scheduled": MessageState.ACCEPTED,
    "queued": MessageState.ACCEPTED,
    "sending": MessageState.ACCEPTED,
    "sent": MessageState.ACCEPTED,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.DELIVERED,
    "undelivered": MessageState.FAILED,
    "failed": MessageState.FAILED,
    "canceled": MessageState.FAILED,
}
"""Twilio's status words in ours. A word that is not here was taken by Twilio all the same: accepted."""


class TwilioGateway:
    """Sends SMS. `sender` is an E.164 number, a short code or the SID of a messaging service (MG...), of `setting`.

    `base_url` replaces Twilio's own address for every request (another region, an emulator).
    `status_callback` is the address at which Twilio reports what becomes of each message.
    timeout: seconds for the connection and for the answer. Raises ValueError on an unusable setting.
    """

    name = NAME
    channel = Channel.SMS
    can_find = True

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        sender: str,
        base_url: str | None = None,
        *,
        status_callback: str | None = None,
        setting: str = "TWILIO_FROM",
        timeout: float = 10.0,
    ) -> None:
        settings = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_AUTH_TOKEN": auth_token, setting: sender}
        for name, value in settings.items():
            if not value.strip():
                raise ValueError(f"{name} is empty: set it, or unset all of Twilio to use the outbox")
        self._sender = self._from(sender)
        self._callback = {"status_callback": status_callback} if status_callback else {}
        # An empty mapping would make the library read the process's environment behind our back.
        self._client = Client(
            account_sid, auth_token, http_client=_Wire(base_url, timeout), environment={"TWILIO_EDGE": ""}
        )

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one message to Twilio, once. Raises DeliveryError as `refusal` says; maybe_sent without an answer.

        Smart encoding is off: a text that Twilio rewrote could not be found again by `find`.
        """
        try:
            message = self._client.messages.create(
                to=self._address(envelope.to), **self._content(envelope), **self._sender, **self._callback
            )
        except (TwilioRestException, TwilioServiceException) as error:
            raise refusal(str(error.code), error.status, self.channel) from None
        except requests.RequestException as error:
            if never_left(error):
                raise DeliveryError(f"Twilio cannot be reached ({type(error).__name__}); try again") from None
            raise _unknown(f"no answer ({type(error).__name__})", channel=self.channel) from None
        except (TwilioException, ValueError) as error:
            raise _unknown(f"an answer that cannot be read ({type(error).__name__})", channel=self.channel) from None
        return _receipt(message)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """The message to this number with this very text, made at or after `since` (real UTC time).

        Twilio lists a message a moment after it took it: ask a minute after the attempt, not at once, or
        None comes too early. Raises DeliveryError (neither permanent nor maybe_sent) when Twilio does not
        answer, or keeps no texts (message redaction), so that messages cannot be compared.
        """
        unreadable = False
        try:
            for message in self._candidates(self._address(envelope.to), since):
                if self._is_same(message.body, envelope):
                    return _receipt(message)
                unreadable = unreadable or not message.body
        except (TwilioException, requests.RequestException, ValueError, LookupError) as error:
            raise DeliveryError(
                f"Twilio cannot be asked for message {envelope.message_id} ({type(error).__name__}"
                f"{_status_of(error)}); ask again later"
            ) from None
        if unreadable:
            raise DeliveryError(
                f"Twilio lists messages without text, so {envelope.message_id} cannot be told from others: "
                "turn off message redaction, or look at Twilio's log and decide by hand"
            )
        return None

    def _from(self, sender: str) -> dict[str, str]:
        return {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}

    def _address(self, number: str) -> str:
        """The number as Twilio writes it on this channel."""
        return number

    def _content(self, envelope: Envelope) -> dict[str, Any]:
        return {"body": envelope.text, "smart_encoded": False}

    def _is_same(self, body: str | None, envelope: Envelope) -> bool:
        """Whether a message that Twilio lists is the envelope's."""
        return _same_text(body, envelope.text)

    def _candidates(self, to: str, since: datetime) -> Iterator[Any]:
        """Twilio's messages to `to` made since then.

        Twilio filters by date_sent, in whole days, and date_sent is null while a message is queued. So the
        filter, a day too wide, only finds the usual case fast; before "not there" may be said, all messages
        to the number are read and judged by date_created, which is never null.
        """
        day_before = (since - timedelta(days=1)).date()
        for filters in ({"date_sent_after": day_before}, {}):
            for message in self._listed(to=to, **filters):
                if message.date_created is None or message.date_created >= since - CLOCK_SKEW:
                    yield message

    def _listed(self, **filters: Any) -> Iterator[Any]:
        """Every message of a list, page by page. An emulator whose next page is always the same one ends."""
        visited: set[str | None] = {None}
        page = self._client.messages.page(page_size=PAGE_SIZE, **filters)
        yield from page
        while page.next_page_url not in visited:
            visited.add(page.next_page_url)
            page = page.next_page()
            yield from page


def refusal(code: str, status: int = 400, channel: Channel = Channel.SMS) -> DeliveryError:
    """What Twilio's error `code`, answered with HTTP `status`, means for the message and the number."""
    meaning, what = MEANINGS.get(code), _what(channel)
    if status >= 500:
        return _server_error(code, status, channel)
    if meaning is not None:
        return DeliveryError(
            f"Twilio refused the {what} ({code}): {meaning.words}",
            code=code,
            permanent=not meaning.passing,
            closes_address=meaning.closes,
        )
    if status in {408, 429}:
        return DeliveryError(f"Twilio asks to wait (status {status}); try again later", code=code)
    if status < 400 or status in {401, 403, 404, 405}:
        return DeliveryError(
            f"Twilio does not let us in (status {status}, code {code}): check TWILIO_ACCOUNT_SID, "
            "TWILIO_AUTH_TOKEN and TWILIO_API_URL",
            code=code,
        )
    return DeliveryError(
        f"Twilio refused the {what} (status {status}, code {code}): see Twilio's list of errors",
        code=code,
        permanent=True,
    )


def closing(code: str | None) -> str | None:
    """Why the number that failed with `code` is not to be used again: "stopped", "bounced" or None."""
    meaning = MEANINGS.get(code or "")
    return meaning.closes if meaning else None


def _what(channel: Channel) -> str:
    return channel.facts.label if channel is Channel.SMS else f"{channel.facts.label} message"


def _server_error(code: str, status: int, channel: Channel) -> DeliveryError:
    if status in {500, 503}:
        return DeliveryError(f"Twilio is not available (status {status}); try again later", code=code)
    return _unknown(f"status {status} from a server in between", code, channel=channel)


def _unknown(what: str, code: str | None = None, *, channel: Channel) -> DeliveryError:
    return DeliveryError(
        f"Nobody knows whether Twilio took the {_what(channel)}: {what}. Look it up before anything is sent again",
        code=code,
        maybe_sent=True,
    )


def _receipt(message: Any) -> Receipt:
    state = STATES.get(message.status or "", MessageState.ACCEPTED)
    code = str(message.error_code) if message.error_code else None
    return Receipt(NAME, message.sid, state, code, closing(code) if state is MessageState.FAILED else None)


def _same_text(found: str | None, sent: str) -> bool:
    """Whether Twilio's text is ours. Trial accounts put words before it; line ends may differ on the way."""
    text = "\n".join(sent.split("\r\n")).strip()
    return "\n".join((found or "").split("\r\n")).strip().endswith(text)


def _status_of(error: BaseException) -> str:
    """The HTTP status of a failed list: Twilio's page error holds the response as its second argument."""
    status = getattr(error, "status", None) or getattr(error.args[-1] if error.args else None, "status_code", None)
    return f", status {status}" if status else ""


class _Wire(HttpClient):  # type: ignore[misc]
    """One connection a request, no redirects, nothing logged: the library's own client logs numbers."""

    def __init__(self, base_url: str | None, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), False, timeout)
        self._base_url = web_address(base_url, "TWILIO_API_URL") if base_url else None

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Any:
        url = self._place(uri)
        with fresh_session(url) as session:
            answer = session.request(
                method,
                url,
                params=params,  # type: ignore[arg-type]
                data=data,
                headers=headers,
                auth=auth,
                timeout=timeout or self.timeout,
                allow_redirects=allow_redirects,
            )
        return Response(answer.status_code, answer.text, answer.headers)

    def _place(self, uri: str) -> str:
        if self._base_url is None:
            return uri
        parts = urlsplit(uri)
        return f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
