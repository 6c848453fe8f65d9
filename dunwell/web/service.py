"""The clients of the web service, made once, and the settings it keeps."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from temporalio.client import Client

from dunwell.client.cases import Cases
from dunwell.client.customers import Customers
from dunwell.client.registration import Registrar
from dunwell.domain.policy import Policy
from dunwell.gateways import registry
from dunwell.services.dependencies import Dependencies
from dunwell.services.inbox import Inbox
from dunwell.settings import Settings, SettingsError
from dunwell.store.database import Database
from dunwell.web.allowed_hosts import host_of
from dunwell.web.customer.opt_outs import OptOuts
from dunwell.web.temporal_connection import TemporalConnection
from dunwell.web.webhooks.dispatcher import ReportDispatcher


@dataclass(frozen=True)
class Keys:
    """Secrets and keys of the doors; None leaves a door shut with an answer that says what to set.

    webhooks: by the webhook's path, what its signatures are checked with.
    hosts: the names by which callers may call the service, besides those of this machine.
    """

    api_token: str | None = None
    webhooks: Mapping[str, Any] = field(default_factory=dict)
    public_url: str = ""
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Service:
    """Everything a request may use."""

    connection: TemporalConnection
    database: Database
    cases: Cases
    registrar: Registrar
    customers: Customers
    inbox: Inbox
    dispatcher: ReportDispatcher
    opt_outs: OptOuts
    keys: Keys

    @property
    def public_url(self) -> str:
        return self.keys.public_url

    async def health(self) -> dict[str, str | None]:
        """What is wrong with each of the two things this service needs; None when it can be used."""
        database, well = await asyncio.gather(self.database_problem(), self.connection.is_well())
        return {"database": database, "server": None if well else "does not answer"}

    async def database_problem(self) -> str | None:
        """Why nothing can be read from or written to the database; None when all is well."""
        return await asyncio.to_thread(self.database.problem)


def make_service(client: Client, deps: Dependencies, ladders: dict[str, Policy], cases: Cases, keys: Keys) -> Service:
    """Put a service together. Connects to nothing."""
    inbox, connection = Inbox(deps.database), TemporalConnection(client)
    return Service(
        connection=connection,
        database=deps.database,
        cases=cases,
        registrar=Registrar(deps, ladders),
        customers=Customers(deps),
        inbox=inbox,
        dispatcher=ReportDispatcher(inbox, cases, connection),
        opt_outs=OptOuts(deps, inbox),
        keys=keys,
    )


def read_keys(settings: Settings) -> Keys:
    """Raises SettingsError for a key that is none."""
    try:
        webhooks = {webhook.path: webhook.key(settings) for webhook in registry.webhooks()}
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return Keys(
        api_token=settings.api_token.get_secret_value() if settings.api_token else None,
        webhooks={path: key for path, key in webhooks.items() if key is not None},
        public_url=(settings.public_url or f"http://{settings.web_address}").rstrip("/"),
        hosts=frozenset(
            {host_of(settings.web_address), host_of(settings.public_url or ""), *settings.web_hosts} - {""}
        ),
    )


def service_of(request: Request) -> Service:
    """The service that the application was made with."""
    service: Service = request.app.state.service
    return service
