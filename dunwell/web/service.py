"""What the web service uses in its requests: clients, made once, and keys."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from temporalio.client import Client

from dunwell.client.cases import Cases
from dunwell.client.customers import Customers
from dunwell.client.matching import Matching
from dunwell.client.registration import Registrar
from dunwell.client.replies import Replies
from dunwell.domain.policy import Policy
from dunwell.gateways import registry
from dunwell.gateways.open_id import OpenIdProvider, OpenIdSettings
from dunwell.gateways.setting_fields import SharedSettings
from dunwell.services.api_keys import ApiKeys
from dunwell.services.approvals import Approvals
from dunwell.services.billing_inbox import BillingInbox
from dunwell.services.dependencies import Dependencies
from dunwell.services.event_inbox import Inbox
from dunwell.services.users import Users
from dunwell.settings import Settings, SettingsError
from dunwell.store.database import Database
from dunwell.web.allowed_hosts import host_of
from dunwell.web.customer.opt_outs import OptOuts
from dunwell.web.temporal_connection import TemporalConnection
from dunwell.web.webhooks.dispatcher import ReportDispatcher


@dataclass(frozen=True)
class Keys:
    """The secrets and keys of the routes. A route without its key answers 503 and says which setting to set.

    webhooks  what each webhook's signatures are verified with, by its path
    hosts     the host names that callers may use, besides those of this machine
    open_id   the identity provider by which users sign in
    """

    webhooks: Mapping[str, Any] = field(default_factory=dict)
    public_url: str = ""
    hosts: frozenset[str] = frozenset()
    open_id: OpenIdSettings | None = None


@dataclass(frozen=True)
class Service:
    """What a request may use."""

    connection: TemporalConnection
    database: Database
    cases: Cases
    registrar: Registrar
    customers: Customers
    inbox: Inbox
    billing_inbox: BillingInbox
    dispatcher: ReportDispatcher
    opt_outs: OptOuts
    api_keys: ApiKeys
    users: Users
    approvals: Approvals
    matching: Matching
    replies: Replies
    open_id: OpenIdProvider | None
    keys: Keys
    deps: Dependencies
    ladders: Mapping[str, Policy]
    settings: SharedSettings
    seller: str | None = None
    """The setting SENDER_COUNTRY."""

    @property
    def public_url(self) -> str:
        return self.keys.public_url

    async def health(self) -> dict[str, str | None]:
        """Return the problem of the database and of the Temporal server, each None when it can be used."""
        database, well = await asyncio.gather(self.database_problem(), self.connection.is_well())
        return {"database": database, "server": None if well else "does not answer"}

    async def database_problem(self) -> str | None:
        """Return why the database cannot be used; None when it can."""
        return await asyncio.to_thread(self.database.problem)


def make_service(
    client: Client,
    deps: Dependencies,
    ladders: dict[str, Policy],
    cases: Cases,
    keys: Keys,
    settings: SharedSettings | None = None,
) -> Service:
    """Make the service. Opens no connection. settings: by default those of the environment."""
    inbox, connection = Inbox(deps.database), TemporalConnection(client)
    return Service(
        connection=connection,
        database=deps.database,
        cases=cases,
        registrar=Registrar(deps, ladders),
        customers=Customers(deps),
        inbox=inbox,
        billing_inbox=BillingInbox(deps.database),
        dispatcher=ReportDispatcher(inbox, cases, connection),
        opt_outs=OptOuts(deps, inbox),
        api_keys=ApiKeys(deps.database),
        users=Users(deps.database),
        approvals=Approvals(deps.database),
        matching=Matching(deps.database, cases, deps.unmatched_days),
        replies=Replies(deps, cases, connection.ensure),
        open_id=OpenIdProvider(keys.open_id) if keys.open_id is not None else None,
        keys=keys,
        deps=deps,
        ladders=ladders,
        settings=settings or SharedSettings(),
        seller=deps.sender.country,
    )


def read_keys(settings: Settings) -> Keys:
    """Read the keys from the settings. Raises SettingsError for a malformed key."""
    try:
        webhooks = {webhook.path: webhook.key(settings) for webhook in registry.webhooks()}
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return Keys(
        webhooks={path: key for path, key in webhooks.items() if key is not None},
        public_url=settings.web_url,
        open_id=_open_id(settings),
        hosts=frozenset(
            {host_of(settings.web_address), host_of(settings.public_url or ""), *settings.web_hosts} - {""}
        ),
    )


def _open_id(settings: Settings) -> OpenIdSettings | None:
    if settings.oidc_issuer is None or settings.oidc_client_id is None or settings.oidc_client_secret is None:
        return None
    return OpenIdSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        callback=f"{settings.console_url}/sign-in/callback",
    )


def service_of(request: Request) -> Service:
    """Return the service of the application."""
    service: Service = request.app.state.service
    return service
