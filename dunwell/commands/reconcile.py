"""The command that compares the database with Temporal and repairs differences."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from activities.reconciliation import ReconcileRequest
from dunwell.client.server import NoAnswer
from dunwell.commands.common import Json, connected, opened_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import principal_in
from dunwell.domain.reconciliation_report import Finding, Kind, Report
from dunwell.domain.refusal import Refused
from dunwell.settings import Settings, load_settings
from dunwell.store import audit, standstills
from workflows.options import TASK_QUEUE
from workflows.reconciler import ReconcileOnce

_TAKES = timedelta(minutes=35)

_BEGUN_BY = 15.0  # seconds within which a worker should have begun
_NOT_BEGUN = 2  # events in the history of a run that no worker has begun

_LEFT_TO_PEOPLE = frozenset({Kind.TASK, Kind.CLAIM, Kind.STILL, Kind.WEBHOOK})

Apply = Annotated[bool, typer.Option("--apply", help="Mend what is found. Without it nothing is changed.")]


def reconcile(apply: Apply = False, as_json: Json = False) -> None:
    """Compare database and engine, case by case, and say what is wrong; --apply mends it. A worker must run.

    With --apply the providers' lists of suppressed addresses are read first. The same is done every hour by itself,
    unless so many cases differ that one side was restored from a backup: then a person has to do it.
    """
    settings = load_settings()
    if apply:
        with opened_database(settings) as database, database.writing_beside_customers() as session:
            now = datetime.now(UTC)
            audit.append(session, principal_in(session), "reconciliation/all", "reconcile_applied", now)
    report = asyncio.run(_ask(settings, ReconcileRequest(by="operator", apply=apply)))
    if as_json:
        print_json(report.model_dump(mode="json") | {"differing": report.differing})
    else:
        _print(settings, report, apply)
    if report.refused or (apply and any(not _is_done(one) for one in report.findings)):
        raise typer.Exit(1)


async def _ask(settings: Settings, request: ReconcileRequest) -> Report:
    with opened_database(settings):
        pass
    client = await connected(settings)
    handle = await client.start_workflow(
        ReconcileOnce.run,
        request,
        id=f"reconcile-{uuid4().hex[:12]}",
        task_queue=TASK_QUEUE,
        execution_timeout=_TAKES,
        static_summary="reconcile --apply" if request.apply else "reconcile",
    )
    waiting = asyncio.ensure_future(handle.result(rpc_timeout=_TAKES))
    try:
        await asyncio.wait({waiting}, timeout=_BEGUN_BY)
        if not waiting.done() and (await handle.describe()).history_length <= _NOT_BEGUN:
            waiting.cancel()
            await handle.terminate(reason="no worker took it")
            raise NoAnswer("No worker took it, so nothing was compared: start a worker (make up, or worker.py).")
        return await waiting
    except (WorkflowFailureError, RPCError) as error:
        why = str(error.cause or error) if isinstance(error, WorkflowFailureError) else error.message
        raise NoAnswer(
            f"The comparison was not made ({why[:200]}): look whether a worker runs, and repeat it."
        ) from None


def _print(settings: Settings, report: Report, apply: bool) -> None:
    rows = [(one.invoice_id, one.kind.value, one.found, _outcome(one, apply)) for one in report.findings]
    print_table(("invoice", "what", "found", "mended" if apply else "what --apply does"), rows)
    say(f"cases compared: {report.cases}; different: {report.differing}; findings: {len(report.findings)}")
    if report.closed:
        say(f"{report.closed} addresses closed after the providers' lists")
    if report.refused:
        raise Refused("reconcile", report.refused)
    if report.restored and not apply:
        say("So many differ that one side was restored from a backup: starter.py reconcile --apply mends them")
    with opened_database(settings) as database, database.reading() as session:
        stands = standstills.in_force(session)
    if stands:
        say(f"HOLD IS ON: {stands}. To end it: starter.py hold off")


def _outcome(finding: Finding, apply: bool) -> str:
    if not apply:
        return finding.remedy
    if finding.mended:
        return f"yes: {finding.remedy}"
    return f"no ({finding.failed}): {finding.remedy}" if finding.failed else f"no: {finding.remedy}"


def _is_done(finding: Finding) -> bool:
    """Return whether nothing is left to repair. Findings of the database alone count when no repair failed."""
    return finding.mended or (finding.failed is None and finding.kind in _LEFT_TO_PEOPLE)
