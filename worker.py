"""The composition root: settings -> clients -> activities -> worker. Also sets up the database and the server."""

import signal
import sys

if __name__ == "__main__":  # before the slow imports: a process with id 1 has no way to end that nobody gave it
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, lambda *_: sys.exit(0))

import argparse
import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from activities.access import AccessActivities
from activities.cancellation import CancellationActivities
from activities.error_redaction import ErrorRedaction, shorten_expected_errors
from activities.opening import OpeningActivities
from activities.policy_move import PolicyMoveActivities
from activities.reconciliation import ReconciliationActivities
from activities.record import RecordActivities
from activities.step import StepActivities
from activities.sweep import SweepActivities
from activities.unsealing import Unsealing
from dunwell.client import reconciler
from dunwell.codec import data_converter
from dunwell.domain.terms import Channel
from dunwell.gateways.base import MessageGateway, ProductGateway, RateLimit
from dunwell.gateways.business_days import HolidayLibrary
from dunwell.gateways.http import is_loopback
from dunwell.gateways.lob.client import POST_DAYS, LobGateway
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.pay_link import PAY_PATH
from dunwell.gateways.print_folder.client import PrintFolderGateway
from dunwell.gateways.product import HttpProductGateway, NoProduct
from dunwell.gateways.rate_limit import RateLimiter
from dunwell.gateways.sendgrid.client import NAME as SENDGRID
from dunwell.gateways.sendgrid.client import SendGridGateway
from dunwell.gateways.twilio.client import NAME as TWILIO
from dunwell.gateways.twilio.client import TwilioGateway
from dunwell.services.dependencies import Account, Dependencies, Letterhead, Sender
from dunwell.services.letters import US_LETTER
from dunwell.settings import Settings, SettingsError, link_secrets, load_settings, temporal_connect
from dunwell.store import schema
from dunwell.store.database import Database, no_answer
from dunwell.store.private_files import TooOpen, keep_to_owner
from dunwell.store.schema import SchemaError, migrate
from dunwell.texts.catalogue import Catalogue, CatalogueError
from workflows.delivery_watch import WATCH_ID, DeliveryWatch
from workflows.invoice_dunning import InvoiceDunning
from workflows.options import SEARCH_ATTRIBUTES, TASK_QUEUE, step_queue
from workflows.reconciler import RECONCILER_ID, ReconcileOnce, Reconciler, ReconcilerStart

MISCONFIGURED = 78
"""Exit code: what is wrong stays wrong until somebody changes the settings, so starting again is of no use."""

READY = "ready"
"""What worker and web service write into their log as soon as they do their work."""

MESSAGES = Path(__file__).parent / "messages"
_STEPS_AT_ONCE, _WRITES_AT_ONCE = 20, 10
THREADS = _STEPS_AT_ONCE + _WRITES_AT_ONCE
CACHED_CASES = 1000
_GRACE = timedelta(seconds=20)

_log = logging.getLogger("dunwell.worker")


class NotReady(Exception):
    """Something the worker needs is missing. The text is one sentence with what to do."""


def make_dependencies(settings: Settings) -> Dependencies:
    """Every client, made once. Connects to nothing but the database file, when it is one."""
    email, sms, letter = _email(settings), _sms(settings), _letter(settings)
    product = _product(settings)
    return Dependencies(
        database=Database(settings.database_url),
        business_days=HolidayLibrary(),
        catalogue=Catalogue.load(MESSAGES),
        sender=_sender(settings),
        agent_language=settings.agent_language,
        gateways={Channel.EMAIL: email, Channel.SMS: sms, Channel.LETTER: letter},
        rehearsal_gateways={
            Channel.EMAIL: _for_rehearsal(email, settings.sendgrid_api_url),
            Channel.SMS: _for_rehearsal(sms, settings.twilio_api_url),
            Channel.LETTER: _for_rehearsal(letter, settings.lob_api_url if settings.lob_api_key else None),
        },
        product=product,
        rehearsal_product=product if is_loopback(settings.product_access_url or "") else NoProduct(),
        opt_out=_opt_out(settings),
        pay_links=f"{settings.public_url.rstrip('/')}{PAY_PATH}/" if settings.public_url else None,
        letterhead=_letterhead(settings),
        rate_limits=_rate_limits(settings),
    )


def _rate_limits(settings: Settings) -> Mapping[str, RateLimit]:
    paces = {SENDGRID: settings.sendgrid_per_second, TWILIO: settings.twilio_per_second}
    return {name: RateLimiter(pace) for name, pace in paces.items() if pace is not None}


def _email(settings: Settings) -> MessageGateway:
    if settings.sendgrid_api_key is None or settings.mail_from is None:
        return OutboxGateway(Channel.EMAIL)
    return SendGridGateway(
        settings.sendgrid_api_key.get_secret_value(),
        (settings.mail_from.email, settings.mail_from.name),
        settings.sendgrid_api_url,
    )


def _sms(settings: Settings) -> MessageGateway:
    sid, token, sender = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if sid is None or token is None or sender is None:
        return OutboxGateway(Channel.SMS)
    callback = f"{settings.public_url.rstrip('/')}/webhooks/twilio/status" if settings.public_url else None
    return TwilioGateway(sid, token.get_secret_value(), sender, settings.twilio_api_url, status_callback=callback)


def _letter(settings: Settings) -> MessageGateway:
    if settings.lob_api_key is None:
        return PrintFolderGateway(print_folder(settings))
    sender = (settings.sender_company or "", *(settings.sender_address or ()))
    try:
        return LobGateway(settings.lob_api_key.get_secret_value(), sender, settings.lob_api_url)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _sender(settings: Settings) -> Sender:
    mailbox, banks = settings.mail_from, settings.sender_bic_by_currency
    return Sender(
        name=mailbox.name if mailbox else "Accounts receivable",
        company=settings.sender_company or "Dunwell Example Ltd",
        reply_to=mailbox.email if mailbox else None,
        phone=settings.sender_phone,
        account=Account(settings.sender_iban, settings.sender_bic) if settings.sender_iban else None,
        accounts={code: Account(iban, banks.get(code)) for code, iban in settings.sender_iban_by_currency.items()},
    )


def _letterhead(settings: Settings) -> Letterhead:
    """Lob takes the American size only and prints both addresses itself; its letters take their time."""
    by_lob = settings.lob_api_key is not None
    return Letterhead(
        address=settings.sender_address or (),
        paper=US_LETTER if by_lob else None,
        addressed=not by_lob,
        post_days=POST_DAYS if by_lob else 0,
    )


def print_folder(settings: Settings) -> Path:
    """Where letters wait for somebody who prints and posts them."""
    return settings.dunwell_state / "letters"


def _product(settings: Settings) -> ProductGateway:
    if settings.product_access_url is None or settings.product_access_secret is None:
        return NoProduct()
    return HttpProductGateway(settings.product_access_url, settings.product_access_secret.get_secret_value())


def _opt_out(settings: Settings) -> OptOutLinks | None:
    if settings.public_url is None or settings.unsubscribe_secret is None:
        return None
    return OptOutLinks(settings.public_url.rstrip("/"), link_secrets(settings.unsubscribe_secret))


def _for_rehearsal(gateway: MessageGateway, url: str | None) -> MessageGateway:
    """A rehearsal may talk to an emulator on this machine, and to nothing else."""
    return gateway if url is not None and is_loopback(url) else OutboxGateway(gateway.channel)


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Raises NotReady when no server answers, SettingsError for keys or a connection that cannot be meant."""
    config, converter = temporal_connect(settings), data_converter(settings)
    try:
        return await Client.connect(**config, data_converter=converter, runtime=runtime)
    except RuntimeError as error:
        raise NotReady(_unconnected(str(error), str(config.get("target_host")))) from error


def _unconnected(error: str, address: str) -> str:
    """One sentence about a connection that was not made."""
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
    """The kernel of the transport's nested error text."""
    told = re.findall(r'message: "([^"]+)"', error) or [error.splitlines()[0].partition(": tonic")[0]]
    return str(told[-1])


async def set_up(settings: Settings, client: Client) -> None:
    """Migrate the database and register the search attributes. Safe to repeat."""
    database = Database(settings.database_url)
    with _explained():
        migrate(database)
    database.close()
    await register_search_attributes(client)


async def register_search_attributes(client: Client) -> None:
    """Raises NotReady when the server refuses, with what an administrator has to do."""
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
    """Raises NotReady when the database does not answer, or has not the schema of this release."""
    with _explained():
        schema.check_schema(database)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn a database that cannot be used into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        raise NotReady(no_answer(error)) from error
    except SchemaError as error:
        raise NotReady(str(error)) from error


@asynccontextmanager
async def make_worker(
    client: Client,
    deps: Dependencies,
    executor: ThreadPoolExecutor,
    *,
    task_queue: str = TASK_QUEUE,
    cached_cases: int = CACHED_CASES,
    runner: WorkflowRunner | None = None,
) -> AsyncIterator[None]:
    """Works every workflow and activity while the block runs.

    Steps have a queue and slots of their own: however many of them wait for a provider, what is written about
    money and access finds a free slot. `executor` should have THREADS threads, `cached_cases` are kept in memory,
    `runner` is another way to run workflow code (tests run it in the sandbox).
    """
    notices, ledger = StepActivities(deps), RecordActivities(deps)
    at_once = Worker(
        client,
        task_queue=task_queue,
        workflows=[InvoiceDunning, DeliveryWatch, Reconciler, ReconcileOnce],
        activities=[
            OpeningActivities(deps).open_case,
            ledger.record,
            ledger.take_credit,
            AccessActivities(deps).publish,
            PolicyMoveActivities(deps).check,
            CancellationActivities(deps, client).ask_about_cancel,
            Unsealing(deps, client.data_converter.payload_codec).unseal,
            SweepActivities(deps).find_unconfirmed,
            ReconciliationActivities(reconciler.Reconciler(client, deps)).reconcile,
        ],
        activity_executor=executor,
        interceptors=[ErrorRedaction()],
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        max_cached_workflows=cached_cases,
        max_concurrent_activities=_WRITES_AT_ONCE,
        graceful_shutdown_timeout=_GRACE,
    )
    steps = Worker(
        client,
        task_queue=step_queue(task_queue),
        activities=[notices.carry_out, AccessActivities(deps).publish],
        activity_executor=executor,
        interceptors=[ErrorRedaction()],
        max_concurrent_activities=_STEPS_AT_ONCE,
        graceful_shutdown_timeout=_GRACE,
    )
    async with at_once, steps:
        yield


async def work(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; then finish what is in flight."""
    client = await connect(settings, _runtime(settings))
    deps = make_dependencies(settings)
    check_schema(deps.database)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(THREADS) as executor:
        async with make_worker(client, deps, executor, cached_cases=settings.worker_cached_cases):
            await start_watch(client)
            _log.info("%s: works on queue %s, namespace %s", READY, TASK_QUEUE, client.namespace)
            await stop.wait()
            _log.info("stopping: finishing what is in flight")
    deps.database.close()


async def start_watch(client: Client) -> None:
    """One of each for the whole namespace, whoever starts it first."""
    await client.start_workflow(
        Reconciler.run,
        ReconcilerStart(),
        id=RECONCILER_ID,
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="compares database and engine and mends where they disagree",
    )
    await client.start_workflow(
        DeliveryWatch.run,
        3600,
        id=WATCH_ID,
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="looks for messages whose delivery nobody confirmed",
    )


def _runtime(settings: Settings) -> Runtime:
    metrics = PrometheusConfig(bind_address=settings.metrics_address) if settings.metrics_address else None
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics, logging=quiet))
    except ValueError as error:
        reason = str(error).partition(": ")[2].partition(" (os error")[0] or str(error)
        raise SettingsError(
            f"METRICS_ADDRESS: {settings.metrics_address} cannot be listened on ({reason}): choose an address of its "
            "own for each worker of this machine, or leave it out."
        ) from None


async def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="worker.py", description=__doc__)
    parser.add_argument("--set-up", action="store_true", help="migrate, register attributes, try the messages, exit")
    chosen = parser.parse_args(arguments)
    settings = load_settings()
    if chosen.set_up:
        Catalogue.load(MESSAGES).check()  # seconds, which a worker that starts after a crash must not pay
        await set_up(settings, await connect(settings))
    else:
        await work(settings)


def leave(code: int) -> NoReturn:
    """End the process at once, with all that was said written out.

    The engine's client keeps threads of its own, and an interpreter that is taken down under them can abort, so
    that a process which did all its work reports a crash (seen now and then after short commands).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    keep_to_owner()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    shorten_expected_errors()
    try:
        asyncio.run(main(sys.argv[1:]))
    except (NotReady, SettingsError, CatalogueError, TooOpen) as problem:
        print(problem, file=sys.stderr)
        leave(1 if isinstance(problem, NotReady) else MISCONFIGURED)
    leave(0)
