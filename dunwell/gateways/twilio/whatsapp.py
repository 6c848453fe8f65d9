"""WhatsApp through Twilio's Messages API: any text for a day after the person's last message, else approved ones.

What Twilio lists of an approved text is that text filled in, so it is found again like any other.
"""

import json
import re
from typing import Any

from dunwell.domain.channels import Channel
from dunwell.gateways.base import Envelope
from dunwell.gateways.twilio.client import TwilioGateway
from dunwell.texts.approved import ApprovedTexts

SCHEME = "whatsapp:"
_OLDER_PLANS = (
    (re.compile(r"\+521([0-9]{10})"), r"+52\1"),
    (re.compile(r"\+55([1-9][1-9])([6-9][0-9]{7})"), r"+55\g<1>9\2"),
)


class WhatsAppGateway(TwilioGateway):
    """Sends WhatsApp messages. `sender` is an E.164 number, with or without "whatsapp:" before it."""

    channel = Channel.WHATSAPP

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        sender: str,
        base_url: str | None = None,
        *,
        approved: ApprovedTexts,
        status_callback: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        super().__init__(
            account_sid,
            auth_token,
            sender,
            base_url,
            status_callback=status_callback,
            setting="TWILIO_WHATSAPP_FROM",
            timeout=timeout,
        )
        self._approved = approved

    def approved_id(self, message: str, language: str, words: str) -> str | None:
        """The ContentSid under which these words are approved; None when they are not."""
        return self._approved.id_of(message, language, words)

    def _from(self, sender: str) -> dict[str, str]:
        return super()._from(sender) if sender.startswith("MG") else {"from_": self._address(sender)}

    def _address(self, number: str) -> str:
        return number if number.startswith(SCHEME) else f"{SCHEME}{number}"

    def _content(self, envelope: Envelope) -> dict[str, Any]:
        if envelope.approved_id is None:
            return {"body": envelope.text}
        numbered = {str(place): value for place, value in enumerate(envelope.values, start=1)}
        return {
            "content_sid": envelope.approved_id,
            "content_variables": json.dumps(numbered, ensure_ascii=False),
        }

    def _is_same(self, body: str | None, envelope: Envelope) -> bool:
        return super()._is_same(body, envelope) or _same_words(body or "", envelope.text)


def number_of(address: str) -> str:
    """The E.164 number of a WhatsApp address, by today's numbering plan.

    WhatsApp knows many people by an older one: in Mexico with a 1 behind the country code, in Brazil without the 9
    that begins mobile numbers. Without this, their answers would belong to nobody.
    """
    number = address.removeprefix(SCHEME)
    for old, new in _OLDER_PLANS:
        if old.fullmatch(number):
            return old.sub(new, number)
    return number


def _same_words(found: str, sent: str) -> bool:
    """Whether they differ in nothing but kinds of spaces, which WhatsApp does not keep."""
    return bool(found.strip()) and found.split() == sent.split()
