"""SendGrid's settings."""

from typing import Annotated, ClassVar

from pydantic import Field

from dunwell.gateways.setting_fields import Partners, Secret, Secrets, SharedSettings, WebAddress


class SendGridSettings(SharedSettings):
    partners: ClassVar[Partners] = (
        (
            "SENDGRID_API_KEY",
            ("MAIL_FROM",),
            "set MAIL_FROM to your verified sender, like Ana Lopez <billing@example.com>,",
        ),
    )

    sendgrid_api_key: Secret | None = None
    sendgrid_api_url: WebAddress | None = None
    sendgrid_per_second: Annotated[float, Field(ge=1)] | None = None
    sendgrid_webhook_public_key: str | None = None
    inbound_mail_secret: Secrets | None = None
