"""G11 after a storm: what was lived through in it replays, whether or not a kill made a worker try."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.chaos.checker import Verdict
from tests.replay import tasks
from workflows.invoice_dunning import InvoiceDunning


async def added_to(verdict: Verdict, folder: Path) -> Verdict:
    """The verdict on the same folder with what G11 asks: every run replays, and none had to be lucky to do so."""
    runner = UnsandboxedWorkflowRunner()  # as the workers do
    replayer = Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter, workflow_runner=runner)
    results = await replayer.replay_workflows(_each_run(folder), raise_on_replay_failure=False)
    failures = results.replay_failures.items()
    unlike = tuple(f"run {run_id}: {str(error)[:200]}" for run_id, error in failures)
    any_other = verdict.tallies[0]
    added = (
        replace(any_other, guarantee="G11 histories replay", violations=unlike),
        replace(any_other, guarantee="G11 no quiet task", violations=tuple(quiet_tasks(folder))),
    )
    return replace(verdict, tallies=(*verdict.tallies, *added))


def quiet_tasks(folder: Path) -> list[str]:
    """The tasks that took in a result and asked for nothing (docs/decisions/0013-no-quiet-tasks.md)."""
    return [f"{run.workflow_id}, event {event}" for run in _runs(folder) for event in tasks.quiet(run)]


async def _each_run(folder: Path) -> AsyncIterator[WorkflowHistory]:
    for run in _runs(folder):
        yield run


def _runs(folder: Path) -> Iterator[WorkflowHistory]:
    """Each run of each case; a case that was opened again has several, one after the other in its file."""
    for path in sorted((folder / "histories").glob("*.json")):
        runs: list[list[object]] = []
        for event in json.loads(path.read_text())["events"]:
            if "workflowExecutionStartedEventAttributes" in event:
                runs.append([])
            runs[-1].append(event)
        for events in runs:
            yield WorkflowHistory.from_json(f"invoice-{path.stem}", {"events": events})
