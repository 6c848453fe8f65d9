"""SMS through Twilio: send one message, look one up, and what Twilio's error codes mean for an address.

Twilio's own sentences repeat phone numbers, so no error carries them: a refusal is told by its code.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from dunwell.domain.terms import Channel, MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.http import fresh_session, never_left, web_address

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


@dataclass(frozen=True)
class Meaning:
    """What a code says. closes: "stopped" or "bounced" when the number is not to be used again.

    passing: the number is innocent (our account, our sender, a limit): the same message may go later.
    """

    words: str
    closes: str | None = None
    passing: bool = False


MEANINGS: Mapping[str, Meaning] = {
    # The person said STOP; only START from the same phone opens the number again.
    "21610": Meaning("the recipient said STOP", closes="stopped"),
    # The number can never take an SMS.
    "21211": Meaning("the number is not valid", closes="bounced"),
    "21614": Meaning("the number cannot receive SMS", closes="bounced"),
    "21635": Meaning("the number is a landline", closes="bounced"),
    "30006": Meaning("the number is a landline or its carrier cannot be reached", closes="bounced"),
    # Not this time, or not from this sender; the number itself may be good tomorrow.
    "21612": Meaning("Twilio has no route from our sender to this number"),
    "21408": Meaning("our account may not send to this country: allow it in Twilio's messaging geo permissions"),
    "21608": Meaning("a trial account reaches verified numbers only: upgrade the Twilio account"),
    "30003": Meaning("the phone was off or out of reach"),
    "30004": Meaning("the message was blocked"),
    "30005": Meaning("the network did not know the number just now"),
    "30007": Meaning("the carrier filtered the message"),
    "30008": Meaning("the carrier gave no reason"),
    "21602": Meaning("the message has no text"),
    "21617": Meaning("the text is longer than 1600 characters: shorten the message"),
    # Our own account and sender: every message fails until someone mends them.
    "20003": Meaning("check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN", passing=True),
    "20005": Meaning("our Twilio account is not active", passing=True),
    "20404": Meaning("there is no such account: check TWILIO_ACCOUNT_SID and TWILIO_API_URL", passing=True),
    "21212": Meaning("the sender is not valid: check TWILIO_FROM", passing=True),
    "21603": Meaning("the sender is missing: set TWILIO_FROM", passing=True),
    "21606": Meaning("the sender is not ours or cannot send SMS: check TWILIO_FROM", passing=True),
    "21659": Meaning("the sender is no Twilio number: check TWILIO_FROM", passing=True),
    "21660": Meaning("the sender belongs to another account: check TWILIO_FROM", passing=True),
    "21703": Meaning("the messaging service has no sender to use: add one in Twilio", passing=True),
    # Limits.
    "20429": Meaning("too many requests at a time", passing=True),
    "21611": Meaning("the sender's queue is full", passing=True),
    "63038": Meaning("our account's messages of the day are used up", passing=True),
}
"""Codes of refusals and of failed deliveries. A code that is not here: permanent, and closes nothing."""


class TwilioGateway:
    """Sends SMS. `sender` is an E.164 number, a short code or the SID of a messaging service (MG...).

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
        timeout: float = 10.0,
    ) -> None:
        settings = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_AUTH_TOKEN": auth_token, "TWILIO_FROM": sender}
        for setting, value in settings.items():
            if not value.strip():
                raise ValueError(f"{setting} is empty: set it, or unset all of Twilio to use the outbox")
        self._sender = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}
        self._callback = {"status_callback": status_callback} if status_callback else {}
        # An empty mapping would make the library read the process's environment behind our back.
        self._client = Client(
            account_sid, auth_token, http_client=_Wire(base_url, timeout), environment={"TWILIO_EDGE": ""}
        )

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one SMS to Twilio, once. Raises DeliveryError as `refusal` says; maybe_sent without an answer.

        Smart encoding is off: a text that Twilio rewrote could not be found again by `find`.
        """
        try:
            message = self._client.messages.create(
                to=envelope.to, body=envelope.text, smart_encoded=False, **self._sender, **self._callback
            )
        except (TwilioRestException, TwilioServiceException) as error:
            raise refusal(str(error.code), error.status) from None
        except requests.RequestException as error:
            if never_left(error):
                raise DeliveryError(f"Twilio cannot be reached ({type(error).__name__}); try again") from None
            raise _unknown(f"no answer ({type(error).__name__})") from None
        except (TwilioException, ValueError) as error:
            raise _unknown(f"an answer that cannot be read ({type(error).__name__})") from None
        return _receipt(message)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """The message to this number with this very text, made at or after `since` (real UTC time).

        Twilio lists a message a moment after it took it: ask a minute after the attempt, not at once, or
        None comes too early. Raises DeliveryError (neither permanent nor maybe_sent) when Twilio does not
        answer, or keeps no texts (message redaction), so that nothing could be told.
        """
        unreadable = False
        try:
            for message in self._candidates(envelope.to, since):
                if _same_text(message.body, envelope.text):
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


def refusal(code: str, status: int = 400) -> DeliveryError:
    """What Twilio's error `code`, answered with HTTP `status`, means for the message and the number."""
    meaning = MEANINGS.get(code)
    if status >= 500:
        return _server_error(code, status)
    if meaning is not None:
        return DeliveryError(
            f"Twilio refused the SMS ({code}): {meaning.words}",
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
        f"Twilio refused the SMS (status {status}, code {code}): see Twilio's list of errors",
        code=code,
        permanent=True,
    )


def closing(code: str | None) -> str | None:
    """Why the number that failed with `code` is not to be used again: "stopped", "bounced" or None."""
    meaning = MEANINGS.get(code or "")
    return meaning.closes if meaning else None


def _server_error(code: str, status: int) -> DeliveryError:
    if status in {500, 503}:
        return DeliveryError(f"Twilio is not available (status {status}); try again later", code=code)
    return _unknown(f"status {status} from a server in between", code)


def _unknown(what: str, code: str | None = None) -> DeliveryError:
    return DeliveryError(
        f"Nobody knows whether Twilio took the SMS: {what}. Look it up before anything is sent again",
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
