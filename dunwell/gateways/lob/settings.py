"""Lob's settings."""

from typing import ClassVar

from dunwell.gateways.setting_fields import Partners, Secret, SharedSettings, WebAddress


class LobSettings(SharedSettings):
    partners: ClassVar[Partners] = (
        (
            "LOB_API_KEY",
            ("SENDER_COMPANY", "SENDER_ADDRESS"),
            "set the sender that Lob prints on the envelope,",
        ),
    )

    lob_api_key: Secret | None = None
    lob_api_url: WebAddress | None = None
    lob_webhook_secret: Secret | None = None
