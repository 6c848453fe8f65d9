"""Makes clients and services from the settings, once for each entry point, and sets up database and server."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from dunwell.codec import data_converter
from dunwell.domain.channels import POSTED, Channel
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.jurisdiction_file import LawError
from dunwell.gateways import registry
from dunwell.gateways.base import BillingGateway, MessageGateway, ProductGateway, RateLimit
from dunwell.gateways.holidays import HolidayLibrary
from dunwell.gateways.http import is_loopback
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.pay_link import PAY_PATH
from dunwell.gateways.product_access import HttpProductGateway, NoProduct
from dunwell.gateways.provider import Printing, Provider
from dunwell.gateways.rate_limit import RateLimiter
from dunwell.gateways.setting_fields import secrets_in
from dunwell.gateways.signed_post import SignedPost
from dunwell.services import laws
from dunwell.services.dependencies import Dependencies
from dunwell.services.links import Links
from dunwell.services.mail_reading import ReplyAddresses
from dunwell.services.our_company import BankAccount, Letterhead, Sender, usual_window
from dunwell.settings import Settings, SettingsError, temporal_connect
from dunwell.store import schema
from dunwell.store.database import Database, explanation
from dunwell.store.schema import SchemaError, migrate
from dunwell.texts.catalogue import Catalogue
from workflows.options import SEARCH_ATTRIBUTES

MESSAGES = Path(__file__).parents[1] / "messages"


class NotReady(Exception):
    """Something that an entry point needs is missing. The text is one sentence with what to do."""


def make_dependencies(settings: Settings) -> Dependencies:
    """Make every client. Opens no connection, except to an SQLite file.

    Raises SettingsError for settings, or a file of jurisdictions/, that cannot be used: both would fail a case later.
    """
    product = _product(settings)
    found = {channel: _chosen(channel, settings) for channel in registry.sent_channels()}
    return Dependencies(
        database=Database(settings.database_url),
        business_days=HolidayLibrary(),
        catalogue=Catalogue.load(MESSAGES),
        sender=make_sender(settings),
        agent_language=settings.agent_language,
        unmatched_days=settings.unmatched_days,
        gateways={channel: gateway for channel, (_, gateway) in found.items()},
        rehearsal_gateways={
            channel: _for_rehearsal(gateway, provider.url(settings)) for channel, (provider, gateway) in found.items()
        },
        product=product,
        rehearsal_product=product if is_loopback(settings.product_access_url or "") else NoProduct(),
        opt_out=_opt_out(settings),
        links=make_links(settings),
        reply_addresses=ReplyAddresses(
            settings.mail_from.email if settings.mail_from else None, settings.reply_domain
        ),
        pay_links=f"{settings.public_url.rstrip('/')}{PAY_PATH}/" if settings.public_url else None,
        webhook_post=SignedPost(public=not settings.webhook_private_addresses),
        letterhead=_letterhead(settings, [found[channel][0].printing for channel in POSTED]),
        laws=_laws(),
        billing=_billing(settings),
        rate_limits=_rate_limits(settings),
    )


def _laws() -> Mapping[str, Jurisdiction]:
    try:
        return laws.files()
    except LawError as error:
        raise SettingsError(f"The law cannot be read from the folder jurisdictions:\n{error}") from None


def _billing(settings: Settings) -> Mapping[str, BillingGateway]:
    try:
        return registry.billing(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _rate_limits(settings: Settings) -> Mapping[str, RateLimit]:
    paces = {provider.name: provider.pace(settings) for provider in registry.providers()}
    return {name: RateLimiter(pace) for name, pace in paces.items() if pace is not None}


def _chosen(channel: Channel, settings: Settings) -> tuple[Provider, MessageGateway]:
    try:
        return registry.chosen(channel, settings)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def make_sender(settings: Settings) -> Sender:
    """Return the sender of messages and our accounts."""
    mailbox, banks = settings.mail_from, settings.sender_bic_by_currency
    return Sender(
        name=mailbox.name if mailbox else "Accounts receivable",
        company=settings.sender_company or "Dunwell Example Ltd",
        reply_to=mailbox.email if mailbox else None,
        phone=settings.sender_phone,
        country=settings.sender_country,
        privacy_url=settings.privacy_url,
        account=BankAccount(settings.sender_iban, settings.sender_bic) if settings.sender_iban else None,
        accounts={
            code: BankAccount(iban, banks.get(code)) for code, iban in settings.sender_iban_by_currency.items()
        },
    )


def _letterhead(settings: Settings, printers: Sequence[Printing]) -> Letterhead:
    """Return our address and the requirements of the service that prints letters."""
    printing = next(iter(printers), Printing())
    return Letterhead(
        address=settings.sender_address or (),
        paper=printing.paper,
        window=settings.envelope_window or usual_window(settings.sender_country),
        addressed=printing.addressed,
        post_days=printing.post_days,
    )


def _product(settings: Settings) -> ProductGateway:
    if settings.product_access_url is None or settings.product_access_secret is None:
        return NoProduct()
    return HttpProductGateway(settings.product_access_url, settings.product_access_secret.get_secret_value())


def _opt_out(settings: Settings) -> OptOutLinks | None:
    if settings.public_url is None or settings.unsubscribe_secret is None:
        return None
    return OptOutLinks(settings.public_url.rstrip("/"), secrets_in(settings.unsubscribe_secret))


def make_links(settings: Settings) -> Links | None:
    """Return what makes the links of customers; None where messages have none."""
    if settings.public_url is None or settings.link_secret is None:
        return None
    return Links(settings.public_url.rstrip("/"), secrets_in(settings.link_secret))


def _for_rehearsal(gateway: MessageGateway, url: str | None) -> MessageGateway:
    """Return the gateway for rehearsals: an emulator on this machine, or else the outbox."""
    return gateway if url is not None and is_loopback(url) else OutboxGateway(gateway.channel)


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Connect to Temporal. Raises NotReady when no server answers, SettingsError for unusable settings."""
    config, converter = temporal_connect(settings), data_converter(settings)
    try:
        return await Client.connect(**config, data_converter=converter, runtime=runtime)
    except RuntimeError as error:
        raise NotReady(_unconnected(str(error), str(config.get("target_host")))) from error


def _unconnected(error: str, address: str) -> str:
    """Return one sentence about a failed connection."""
    distrust = re.search(r"InvalidCertificate\((\w+)", error)
    if distrust:
        return (
            f"The Temporal server at {address} shows a certificate that is not trusted ({distrust.group(1)}): set "
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH to the authority that signed it, or TEMPORAL_TLS_SERVER_NAME to the "
            "name it bears."
        )
    if re.search(r"InvalidMessage|after connection: Status \{ code: (Unknown|Cancelled|Internal|Unavailable)", error):
        return (
            f"What answers at {address} breaks the connection off: set TEMPORAL_TLS as the server has it, "
            "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH if it asks for a certificate, and check "
            "TEMPORAL_ADDRESS."
        )
    return (
        f"No Temporal server answers at {address} ({_plain(error)}). Start one with `make up`, "
        "or set TEMPORAL_ADDRESS to the one you have."
    )


def _plain(error: str) -> str:
    """Return the innermost message of the transport's nested error text."""
    messages = re.findall(r'message: "([^"]+)"', error) or [error.splitlines()[0].partition(": tonic")[0]]
    return str(messages[-1])


async def set_up(settings: Settings, client: Client) -> None:
    """Migrate the database and register the search attributes. Safe to repeat."""
    database = Database(settings.database_url)
    with _explained():
        migrate(database)
    database.close()
    await register_search_attributes(client)


async def register_search_attributes(client: Client) -> None:
    """Register the search attributes. Raises NotReady, with what an administrator has to do, when that is refused."""
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in known.custom_attributes}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace,
                    search_attributes={
                        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
                        for name, kind in missing.items()
                    },
                )
            )
    except RPCError as error:
        wanted = ", ".join(f"{name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items())
        raise NotReady(
            f"The search attributes could not be registered ({error.message}): ask the namespace's "
            f"administrator to add {wanted}."
        ) from error


def check_schema(database: Database) -> None:
    """Raise NotReady unless the database answers and has the schema of this release."""
    with _explained():
        schema.check_schema(database)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn database errors into NotReady with one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        raise NotReady(explanation(error)) from error
    except SchemaError as error:
        raise NotReady(str(error)) from error
