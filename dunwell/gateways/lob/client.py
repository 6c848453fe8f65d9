"""Letters through Lob, which prints and posts them: send one letter, look one up, and what a refusal means.

Lob's own sentences may repeat an address, so an error names only status and code.

A letter whose answer never came is looked up by our message id, which it carries as metadata. Should the first
request come to life after that, the idempotency key, which is the message id too, lets Lob print only one of the two.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pycountry
import requests

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.http import fresh_session, never_left, web_address

NAME = "lob"
HOST = "https://api.lob.com"
HOME = "US"
"""Lob prints in the United States: an address without a country line lies there, if it is ours."""

POST_DAYS = 14
"""Days that a letter may take before a missing delivery report counts."""

_PDF = "application/pdf"
_US_LAST_LINE = re.compile(r"(?P<city>[^,]+?),?\s+(?P<state>[A-Za-z]{2})\.?\s+(?P<zip>\d{5}(-\d{4})?)")
_MOST_NAME, _MOST_LINE = 40, 64
_CODE = re.compile(r"[a-z0-9_]{1,60}")

_OURS = {
    401: "Lob does not accept LOB_API_KEY: check it",
    402: "Lob asks for a payment: check the account",
    403: "Lob forbids this: check the account, its plan and LOB_API_KEY",
    404: "there are no letters at this address: check LOB_API_URL",
    405: "there are no letters at this address: check LOB_API_URL",
}
"""Errors of our own account, which stop every letter; the debtor's address stays open."""

_BAD_ADDRESS = frozenset({"failed_deliverability_strictness", "invalid_address", "undeliverable"})
_LOST = frozenset({"failed", "rejected"})


class LobGateway:
    """Hands letters to Lob. `sender` is our address, line by line, the company's name first.

    `host` replaces Lob's own URL (an emulator). timeout: seconds for the connection and for the answer.
    Raises ValueError on an unusable setting.
    """

    name = NAME
    channel = Channel.LETTER
    can_find = True

    def __init__(
        self, api_key: str, sender: Sequence[str], host: str | None = None, *, timeout: float = 20.0
    ) -> None:
        if not api_key.strip():
            raise ValueError("LOB_API_KEY is empty: set the key, or unset it to use the print folder")
        self._url = f"{web_address(host or HOST, 'LOB_API_URL')}/v1/letters"
        self._key, self._timeout = api_key, timeout
        try:
            self._sender = address(sender[0], "", sender[1:], None)
        except (ValueError, IndexError):
            raise ValueError(
                "SENDER_ADDRESS is no address that Lob can print: street; city, state and ZIP; the country, if it "
                "is not the United States"
            ) from None

    def send(self, envelope: Envelope) -> Receipt:
        """Hand one letter to Lob, once. Accepted means taken; delivery is reported by webhook.

        Raises DeliveryError: permanent when Lob refuses this letter, maybe_sent when its answer never came,
        neither when it surely did not take it.
        """
        pdf = next(one for one in envelope.attachments if one.media_type == _PDF)
        try:
            to = address(envelope.to_name, envelope.company, envelope.to.splitlines(), envelope.country)
        except ValueError as error:
            raise DeliveryError(str(error), code="address", permanent=True) from None
        fields = {
            **_nested("to", to),
            **_nested("from", self._sender),
            "metadata[message_id]": envelope.message_id,
            "color": "false",
            "double_sided": "true",
            "address_placement": "top_first_page",
            "use_type": "operational",
        }
        try:
            answer = self._ask("POST", data=fields, files={"file": (pdf.name, pdf.content, _PDF)}, once=envelope)
        except requests.RequestException as error:
            if never_left(error):
                raise DeliveryError(f"Lob cannot be reached ({type(error).__name__}); try again") from None
            raise _unknown(f"no answer ({type(error).__name__})") from None
        if not answer.ok or answer.is_redirect:
            raise refusal(answer.status_code, _error(answer))
        letter = _json(answer)
        if not isinstance(letter.get("id"), str):
            raise _unknown("an answer that cannot be read")
        return _receipt(letter)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """The letter that carries this message id, whenever it was made.

        Raises DeliveryError (neither permanent nor maybe_sent) when Lob does not answer.
        """
        try:
            answer = self._ask("GET", params={"metadata[message_id]": envelope.message_id, "limit": "10"})
            found = _json(answer).get("data") if answer.ok else None
        except requests.RequestException as error:
            raise _cannot_ask(envelope, type(error).__name__) from None
        if not isinstance(found, list):
            raise _cannot_ask(envelope, f"status {answer.status_code}")
        # A filter that somebody between us ignores must not make another debtor's letter ours.
        ours = [one for one in found if (one.get("metadata") or {}).get("message_id") == envelope.message_id]
        return next((_receipt(letter) for letter in ours if not letter.get("deleted")), None)

    def _ask(self, method: str, *, once: Envelope | None = None, **what: Any) -> requests.Response:
        headers = {"Idempotency-Key": once.message_id} if once else {}
        with fresh_session(self._url) as session:
            return session.request(
                method,
                self._url,
                auth=(self._key, ""),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                **what,
            )


def address(name: str, company: str, lines: Sequence[str], country: str | None) -> dict[str, str]:
    """Lob's fields of an address. `country` None: the one in the last line, else the United States.

    Lines that repeat the name or the company are left out. Raises ValueError when the address is incomplete.
    """
    rest = [line for line in lines if line.casefold() not in {name.casefold(), company.casefold()}]
    named = _country(rest[-1]) if rest else None
    if named is not None and country in {None, named}:
        rest, country = rest[:-1], named
    country = country or HOME
    who = {"name": name[:_MOST_NAME], "company": company[:_MOST_NAME]}
    place = _american(rest) if country == HOME else _foreign(rest)
    return {key: text for key, text in (who | place | {"address_country": country}).items() if text}


def _american(lines: Sequence[str]) -> dict[str, str]:
    last = _US_LAST_LINE.fullmatch(lines[-1].strip()) if len(lines) > 1 else None
    if last is None:
        raise ValueError(
            "the postal address must be a street and, in its last line, city, state and ZIP, such as "
            "Springfield, IL 62701: correct the contact"
        )
    street, more = lines[0], ", ".join(lines[1:-1])
    if max(len(street), len(more)) > _MOST_LINE:
        raise ValueError(f"a line of the postal address has more than {_MOST_LINE} characters: shorten it")
    return {
        "address_line1": street,
        "address_line2": more,
        "address_city": last["city"],
        "address_state": last["state"].upper(),
        "address_zip": last["zip"],
    }


def _foreign(lines: Sequence[str]) -> dict[str, str]:
    """Other countries write code and place in one line, each in its own order: it is handed on as the city."""
    if len(lines) < 2:
        raise ValueError("the postal address must be a street and, in its last line, the place: correct the contact")
    return {"address_line1": lines[0], "address_line2": ", ".join(lines[1:-1]), "address_city": lines[-1]}


def _country(line: str) -> str | None:
    try:
        return str(pycountry.countries.lookup(line.strip()).alpha_2)
    except LookupError:
        return None


def refusal(status: int, code: str) -> DeliveryError:
    """What an answer other than 2xx means."""
    described = f"status {status}, {code}" if code else f"status {status}"
    if status in {408, 429}:
        return DeliveryError(f"Lob asks to wait ({described}); try again later", code=code or str(status))
    if status in _OURS or status < 400:
        words = _OURS.get(status, "Lob's address redirects: check LOB_API_URL")
        return DeliveryError(f"{words} ({described})", code=code or str(status))
    if status == 409 or status >= 500:
        return _unknown(described, code or str(status))
    if code.startswith("from"):
        return DeliveryError(f"Lob refuses our own address ({described}): check SENDER_ADDRESS", code=code)
    return DeliveryError(
        f"Lob refuses this letter ({described}): see Lob's list of errors, or correct the postal address",
        code=code or str(status),
        permanent=True,
        closes_address="bounced" if code in _BAD_ADDRESS else None,
    )


def _error(answer: requests.Response) -> str:
    """The code of an error; "from" when its sentence, which is not repeated, begins with our own address."""
    error = _json(answer).get("error")
    if not isinstance(error, Mapping):
        return ""
    if str(error.get("message") or "").lower().startswith("from"):
        return "from"
    code = str(error.get("code") or "").lower()
    return code if _CODE.fullmatch(code) else ""


def _json(answer: requests.Response) -> dict[str, Any]:
    """The object in an answer; an empty one when there is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _receipt(letter: Mapping[str, Any]) -> Receipt:
    status = letter.get("status")
    if status in _LOST:
        return Receipt(NAME, str(letter.get("id")), MessageState.FAILED, str(status))
    return Receipt(NAME, str(letter.get("id")), MessageState.ACCEPTED)


def _unknown(what: str, code: str | None = None) -> DeliveryError:
    return DeliveryError(
        f"Nobody knows whether Lob took the letter: {what}. Look it up before anything is sent again",
        code=code,
        maybe_sent=True,
    )


def _cannot_ask(envelope: Envelope, why: str) -> DeliveryError:
    return DeliveryError(f"Lob cannot be asked for letter {envelope.message_id} ({why}); ask again later")


def _nested(name: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}[{key}]": text for key, text in fields.items()}
