"""The settings: one frozen model, read once by each entry point and passed on as plain values.

The first source with a value counts: the environment, `.env` in the working folder, `<state>/up.env` (written by a
running `make up`, so that other terminals find its server and database), the defaults. Blank counts as unset.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import phonenumbers
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from dunwell.domain.governing_law import known_law, unknown_law
from dunwell.domain.iban import is_iban
from dunwell.gateways.lob.settings import LobSettings
from dunwell.gateways.payment_webhook.settings import PaymentWebhookSettings
from dunwell.gateways.sendgrid.settings import SendGridSettings
from dunwell.gateways.setting_fields import Partners, Secret, Secrets, SharedSettings, WebAddress
from dunwell.gateways.stripe.settings import StripeSettings
from dunwell.gateways.twilio.settings import TwilioSettings
from dunwell.intake.currencies import current_codes
from dunwell.intake.jurisdiction_files import known_codes

ENV_FILE = Path(".env")
UP_ENV = "up.env"
DATABASE_FILE = "dunwell.sqlite"

_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]@]+):([0-9]{1,5})")
_DATABASE = re.compile(r"sqlite(\+[a-z0-9_]+)?:///(?!:memory:|\?).+|postgresql(\+[a-z0-9_]+)?://.+")


class SettingsError(Exception):
    """The configuration cannot be used. The text has a line for each problem, with the variable and what to set."""


def _host_port(value: str) -> str:
    found = _HOST_PORT.fullmatch(value)
    if found is None or not 0 < int(found.group(2)) < 65536:
        raise ValueError(f"{value!r} is no address; write host:port, for example 127.0.0.1:7233.")
    return value


def _issuer(value: str) -> str:
    if not value.startswith("https://") and urlsplit(value).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("not protected; write the provider's address that begins with https://.")
    return value.rstrip("/")


def _language(value: str) -> str:
    if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", value) is None:
        raise ValueError(f"{value!r} is no language; write its short name, for example en, es or pt-BR.")
    return value


def _origin(value: str) -> str:
    if re.fullmatch(r"https?://[^/\s?#@]+", value) is None:
        raise ValueError("not an origin; write scheme, host and port only, for example https://temporal.example.com.")
    return value.lower()


def _database(value: str) -> str:
    # The message does not hold the value, because a database URL often holds a password.
    # A database in memory is refused, because the command line and the worker would each have one of their own.
    if _DATABASE.fullmatch(value) is None:
        raise ValueError(
            "neither an SQLite file nor PostgreSQL; write sqlite:///path/to/file.sqlite or postgresql+psycopg://user@host/name."
        )
    return value


def _names(value: object) -> object:
    """Return host names given with commas between them."""
    if not isinstance(value, str):
        return value
    names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
    for name in names:
        if re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:]+", name) is None:
            raise ValueError(f"{name!r} is no name of a host; write names without scheme and port, with commas.")
    return names


def _domain(value: str) -> str:
    domain = value.removeprefix("@").lower()
    if re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", domain) is None:
        raise ValueError(
            f"{value!r} is no domain; write the one whose mail SendGrid takes in, like reply.example.com."
        )
    return domain


def _iban(value: str) -> str:
    iban = re.sub(r"\s", "", value).upper()
    if not is_iban(iban):
        raise ValueError("not an IBAN: its check digits do not fit; copy it from your bank's statement.")
    return iban


def _bic(value: str) -> str:
    bic = re.sub(r"\s", "", value).upper()
    if re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", bic) is None:
        raise ValueError(f"{value!r} is no BIC; it has 8 or 11 signs, like COBADEFFXXX.")
    return bic


def _phone(value: str) -> str:
    """Return a phone number with its country code, grouped as is usual in its country."""
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValueError(f"{value!r} is no phone number; write it with its country code, like +49 30 901820.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _law(value: str) -> str:
    if known_law(value, known_codes()) is None:
        raise ValueError(f"{value!r} {unknown_law(value, known_codes())}.")
    return value


def _currency(value: str) -> str:
    if value not in current_codes():
        raise ValueError(f"{value} is no currency in use; end the name with an ISO 4217 code, like SENDER_IBAN_EUR.")
    return value


def _default_database(values: dict[str, Any]) -> str:
    state: Path = values.get("dunwell_state", Path(".dunwell"))
    return f"sqlite:///{(state / DATABASE_FILE).as_posix()}"


HostPort = Annotated[str, AfterValidator(_host_port)]
Currency = Annotated[str, AfterValidator(_currency)]
Origin = Annotated[str, AfterValidator(_origin)]


class Settings(SendGridSettings, TwilioSettings, LobSettings, StripeSettings, PaymentWebhookSettings, SharedSettings):
    """The checked settings. Each field is the environment variable of its name in capitals.

    Use `temporal_connect` to connect to Temporal, never the two fields alone, because a profile file may override
    them. Never print `database_url`, because it may hold a password.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[str, AfterValidator(_database)] = Field(default_factory=_default_database, repr=False)

    temporal_address: HostPort = "127.0.0.1:7233"
    temporal_namespace: str = "default"

    agent_language: Annotated[str, AfterValidator(_language)] = "en"
    sender_iban: Annotated[str, AfterValidator(_iban)] | None = None
    sender_bic: Annotated[str, AfterValidator(_bic)] | None = None
    sender_iban_by_currency: dict[Currency, Annotated[str, AfterValidator(_iban)]] = {}
    sender_bic_by_currency: dict[Currency, Annotated[str, AfterValidator(_bic)]] = {}
    sender_country: Annotated[str, AfterValidator(_law)] | None = None
    sender_phone: Annotated[str, AfterValidator(_phone)] | None = None
    privacy_url: WebAddress | None = None
    envelope_window: Literal["left", "right"] | None = None

    product_access_url: WebAddress | None = Field(default=None, repr=False)
    product_access_secret: Secret | None = None

    webhook_private_addresses: bool = False

    reply_domain: Annotated[str, AfterValidator(_domain)] | None = None

    unmatched_days: Annotated[int, Field(ge=0, le=60)] = 3

    metrics_address: HostPort | None = None
    worker_cached_cases: Annotated[int, Field(ge=10)] = 1000

    payload_keys: SecretStr | None = None
    codec_token: Secret | None = None
    codec_origin: Origin | None = None

    web_address: HostPort = "127.0.0.1:8080"
    web_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    oidc_issuer: Annotated[WebAddress, AfterValidator(_issuer)] | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: Secret | None = None
    unsubscribe_secret: Secrets | None = None
    link_secret: Secrets | None = None

    @property
    def web_url(self) -> str:
        """The address under which people and providers reach the web service, without a slash at its end."""
        return (self.public_url or f"http://{self.web_address}").rstrip("/")

    @property
    def console_url(self) -> str:
        """The address of the console."""
        return f"{self.web_url}/console"

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        stripped = {name: v.strip() if isinstance(v, str) else v for name, v in values.items()}
        return {name: value for name, value in stripped.items() if value not in ("", None)}

    @model_validator(mode="after")
    def _keys_have_partners(self) -> "Settings":
        problems = [
            f"{key} is set but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not: "
            f"{cure} or remove {key}."
            for key, partners, cure in _partners()
            if getattr(self, key.lower()) and (missing := [p for p in partners if not getattr(self, p.lower())])
        ]
        problems += [
            f"SENDER_BIC_{code} is set but SENDER_IBAN_{code} is not: set the account that the bank code belongs to, "
            f"or remove SENDER_BIC_{code}."
            for code in sorted(self.sender_bic_by_currency.keys() - self.sender_iban_by_currency.keys())
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        accounts = InitSettingsSource(settings_cls, _by_currency(dotenv_settings, env_settings))
        return init_settings, accounts, env_settings, dotenv_settings


_BY_CURRENCY = re.compile(r"(sender_iban|sender_bic)_([a-z]{3})")


def _by_currency(*sources: PydanticBaseSettingsSource) -> dict[str, Any]:
    """Return the accounts by currency, such as SENDER_IBAN_EUR, in these sources; the last one counts most."""
    found: dict[str, Any] = {}
    for source in sources:
        for name, text in getattr(source, "env_vars", {}).items():
            if (parts := _BY_CURRENCY.fullmatch(name)) and text and text.strip():
                found.setdefault(f"{parts[1]}_by_currency", {})[parts[2].upper()] = text
    return found


_PARTNERS: Partners = (
    ("SENDER_BIC", ("SENDER_IBAN",), "set the account that the bank code belongs to,"),
    (
        "PRODUCT_ACCESS_URL",
        ("PRODUCT_ACCESS_SECRET",),
        "set the secret that signs what the product is told,",
    ),
    ("PRODUCT_ACCESS_SECRET", ("PRODUCT_ACCESS_URL",), "set the address that is told about access,"),
    ("REPLY_DOMAIN", ("INBOUND_MAIL_SECRET",), "set the password by which the mail of that domain is handed over,"),
    ("UNSUBSCRIBE_SECRET", ("PUBLIC_URL",), "set the address under which readers reach the web service,"),
    ("LINK_SECRET", ("PUBLIC_URL",), "set the address under which customers reach the web service,"),
    (
        "OIDC_ISSUER",
        ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"),
        "set what the identity provider shows for this program,",
    ),
    ("OIDC_CLIENT_ID", ("OIDC_ISSUER",), "set the address of the identity provider,"),
    ("OIDC_CLIENT_SECRET", ("OIDC_ISSUER",), "set the address of the identity provider,"),
    ("CODEC_TOKEN", ("PAYLOAD_KEYS",), "set the keys that open what is shown,"),
    ("CODEC_ORIGIN", ("CODEC_TOKEN",), "set the token that its callers send,"),
)
"""(variable, the variables it needs, what to do when they are missing)."""


def _partners() -> Partners:
    """Return all rows of partners, those of the providers included."""
    tables = (
        kind.partners for kind in Settings.__mro__ if issubclass(kind, SharedSettings) and "partners" in vars(kind)
    )
    return (*(row for rows in tables for row in rows), *_PARTNERS)


class _SettingsBesideUp(Settings):
    """Settings with the up.env of a running `make up`, which ranks between `.env` and the defaults."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        accounts, *_ = super().settings_customise_sources(
            settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
        )[1:]
        stated = (source().get("dunwell_state") for source in (init_settings, env_settings, dotenv_settings))
        state = Path(next((s for s in stated if s), ".dunwell")).expanduser()
        # Not interpolated: a program wrote the file, so a ${ in a password is literal.
        left = dotenv_values(state / UP_ENV, encoding="utf-8", interpolate=False)
        up_env = InitSettingsSource(settings_cls, {name.lower(): value for name, value in left.items()})
        return init_settings, accounts, env_settings, dotenv_settings, up_env


def load_settings(*, up_env: bool = True) -> Settings:
    """Read the settings. `up_env=False` ignores the up.env of a running or crashed `make up`.

    Raises SettingsError with a line for each problem, which never shows a secret.
    """
    read: Callable[[], Settings] = _SettingsBesideUp if up_env else Settings
    try:
        return read()
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        # A default that could not be made for want of another setting is no mistake of its own.
        lines = [_line(details) for details in told if details["type"] != "default_factory_not_called"]
    except (OSError, UnicodeDecodeError) as error:
        lines = [f"A settings file cannot be read ({_reason(error)}): it must be UTF-8 text you may read."]
    # Raised outside the handlers, because a chained ValidationError could show the refused values in a traceback.
    raise SettingsError("\n".join(lines))


def _line(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    name = str(details["loc"][0]).upper() if details["loc"] else ""
    if name.endswith("_BY_CURRENCY"):
        name = name.replace("BY_CURRENCY", str(details["loc"][1]))
    return f"{name}: {message}" if name else message


def _reason(error: OSError | UnicodeDecodeError) -> str:
    # The text of a UnicodeDecodeError holds bytes of the file, which may be part of a key.
    return str(error) if isinstance(error, OSError) else "it holds bytes that are not UTF-8"


def temporal_connect(settings: Settings) -> ClientConnectConfig:
    """Return the keyword arguments for `temporalio.client.Client.connect`.

    Address, namespace, TLS, API key and profile come from Temporal's own environment names, also in `.env`, and its
    profile file. Only when these name no address, that of `settings` is used (up.env, else the default). Raises
    SettingsError for an unreadable profile, and for a key or TLS without an address, because a key must not be sent
    to an address that was not configured for it.
    """
    config = configured_server()
    if "target_host" in config:
        return config
    if config.get("api_key") or config.get("tls"):
        raise SettingsError(
            "A Temporal API key or TLS is configured but no address: set TEMPORAL_ADDRESS to that server's "
            "host:port, or unset TEMPORAL_API_KEY and TEMPORAL_TLS to use the local server."
        )
    config["target_host"] = settings.temporal_address
    config.setdefault("namespace", settings.temporal_namespace)
    return config


def configured_server() -> ClientConnectConfig:
    """Return the server settings of the environment, `.env` and Temporal's profile file.

    `target_host` is absent when none of them names an address. Raises SettingsError when the profile, or a
    certificate that it names, cannot be read.
    """
    try:
        return ClientConfig.load_client_connect_config(override_env_vars=_temporal_environment())
    except RuntimeError as error:
        # Only the first line: the next lines of a TOML error quote the file, which may hold the API key.
        reason = (str(error).splitlines() or ["unreadable"])[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = _reason(error)
    raise SettingsError(
        f"Temporal's connection settings cannot be read: {reason}. Check TEMPORAL_CONFIG_FILE, "
        "TEMPORAL_PROFILE and the TEMPORAL_TLS_ paths."
    )


def _temporal_environment() -> dict[str, str]:
    """Return the environment merged over the TEMPORAL_ names of `.env`, without blank values.

    Temporal does not treat a blank value as unset.
    """
    from_file = dotenv_values(ENV_FILE, encoding="utf-8") if ENV_FILE.is_file() else {}
    merged = {name: text for name, text in from_file.items() if name.startswith("TEMPORAL_") and text}
    merged |= {name: text for name, text in os.environ.items() if text.strip()}
    return {name: text.strip() if name.startswith("TEMPORAL_") else text for name, text in merged.items()}
