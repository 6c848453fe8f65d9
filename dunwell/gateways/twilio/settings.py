"""Twilio's settings."""

from typing import Annotated, ClassVar

from pydantic import Field

from dunwell.gateways.setting_fields import Partners, Secret, SharedSettings, WebAddress


class TwilioSettings(SharedSettings):
    partners: ClassVar[Partners] = (
        (
            "TWILIO_ACCOUNT_SID",
            ("TWILIO_AUTH_TOKEN", "TWILIO_FROM"),
            "set the account's auth token and the number that messages leave from,",
        ),
        ("TWILIO_AUTH_TOKEN", ("TWILIO_ACCOUNT_SID",), "set the account the token belongs to,"),
    )

    twilio_account_sid: str | None = None
    twilio_auth_token: Secret | None = None
    twilio_api_url: WebAddress | None = None
    twilio_from: str | None = None
    twilio_per_second: Annotated[float, Field(ge=1)] | None = None
