"""Twilio's settings."""

import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from dunwell.gateways.setting_fields import Partners, Secret, SharedSettings, WebAddress

APPROVED = Path(__file__).parents[3] / "messages" / "templates" / "whatsapp.toml"
"""The texts that WhatsApp has approved, with their ContentSids."""


def _whatsapp_sender(value: str) -> str:
    if re.fullmatch(r"(whatsapp:)?\+[0-9]{5,15}|MG[0-9a-fA-F]{32}", value) is None:
        raise ValueError(
            f"{value!r} is no WhatsApp sender; write its number with the country code, like +14155238886."
        )
    return value


class TwilioSettings(SharedSettings):
    partners: ClassVar[Partners] = (
        (
            "TWILIO_ACCOUNT_SID",
            ("TWILIO_AUTH_TOKEN", "TWILIO_FROM"),
            "set the account's auth token and the number that messages leave from,",
        ),
        ("TWILIO_WHATSAPP_FROM", ("TWILIO_ACCOUNT_SID",), "set the account that the WhatsApp sender belongs to,"),
        ("TWILIO_AUTH_TOKEN", ("TWILIO_ACCOUNT_SID",), "set the account the token belongs to,"),
    )

    twilio_account_sid: str | None = None
    twilio_auth_token: Secret | None = None
    twilio_api_url: WebAddress | None = None
    twilio_from: str | None = None
    twilio_whatsapp_from: Annotated[str, AfterValidator(_whatsapp_sender)] | None = None
    twilio_whatsapp_texts: Annotated[Path, AfterValidator(Path.expanduser)] = APPROVED
    twilio_per_second: Annotated[float, Field(ge=1)] | None = None
