"""Kinds of settings, and the settings that more than one provider needs."""

import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, NameEmail, SecretStr, validate_email
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode

_SHORTEST_SECRET = 16


def long_enough(secret: str) -> bool:
    return len(secret) >= _SHORTEST_SECRET


def _web_address(value: str) -> str:
    # The message does not hold the value, because a URL may hold a key.
    if re.match(r"https?://[^/\s]", value) is None or re.search(r"\s", value):
        raise ValueError("not a web address; write it in full, beginning with https:// or http://.")
    return value


def _secret(value: SecretStr) -> SecretStr:
    # Also checked for providers' keys: a shorter one was not copied whole.
    if not long_enough(value.get_secret_value()):
        raise ValueError(
            f"shorter than {_SHORTEST_SECRET} characters; copy the provider's key whole, or, for a secret of your"
            " own, write what `openssl rand -hex 32` prints."
        )
    return value


def _secrets(value: SecretStr) -> SecretStr:
    if any(not long_enough(secret) for secret in secrets_in(value)):
        raise ValueError(
            "shorter than 16 characters; write what `openssl rand -hex 32` prints"
            " (a comma and the former secret may follow)."
        )
    return value


def secrets_in(value: SecretStr) -> list[str]:
    """Return the secrets of a setting that holds several with commas between. The first signs; all of them verify."""
    return [secret.strip() for secret in value.get_secret_value().split(",")]


def _mailbox(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        name, email = validate_email(value)
    except PydanticCustomError:
        raise ValueError(
            f"{value!r} is no sender; write it like: Ana Lopez <billing@example.com>"
            ' (quote a name that holds a comma: "Lopez, Ana" <billing@example.com>).'
        ) from None
    return NameEmail(name, email)


def _lines(value: object) -> object:
    """Return the lines of an address, given with semicolons or line breaks between them."""
    if not isinstance(value, str):
        return value
    lines = tuple(line.strip() for line in re.split(r"[;\n]|\\n", value) if line.strip())
    if not 2 <= len(lines) <= 6:
        raise ValueError(
            f"{value!r} is no postal address; write 2 to 6 lines with semicolons between, like: "
            "Mill Lane 4; 10115 Berlin; Germany."
        )
    return lines


WebAddress = Annotated[str, AfterValidator(_web_address)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Secrets = Annotated[SecretStr, AfterValidator(_secrets)]
"""Several secrets with commas between, so that a secret can be changed while the former one is still in use."""
Partners = tuple[tuple[str, tuple[str, ...], str], ...]
"""(variable, the variables it needs, what to do when they are missing)."""


class SharedSettings(BaseSettings):
    """What more than one provider needs. A provider's own settings extend it, and name their partners."""

    partners: ClassVar[Partners] = ()

    dunwell_state: Annotated[Path, AfterValidator(Path.expanduser)] = Path(".dunwell")
    mail_from: Annotated[NameEmail, BeforeValidator(_mailbox)] | None = None
    sender_company: str | None = None
    sender_address: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_lines)] = None
    public_url: WebAddress | None = None
