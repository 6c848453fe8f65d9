"""G11 after a storm: what was lived through in it replays, whether or not a kill made a worker try."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.replay import tasks
from workflows.invoice_dunning import InvoiceDunning


async def broken(folder: Path) -> list[str]:
    """The runs in the folder of a storm that do not replay, each with the reason, and those that might not have."""
    runner = UnsandboxedWorkflowRunner()  # as the workers do
    replayer = Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter, workflow_runner=runner)
    results = await replayer.replay_workflows(_runs(folder), raise_on_replay_failure=False)
    failures = results.replay_failures.items()
    broken = [f"G11 histories replay: run {run_id}: {str(error)[:200]}" for run_id, error in failures]
    return broken + [
        f"G11 no quiet task: {run.workflow_id}, event {event}"
        async for run in _runs(folder)
        for event in tasks.quiet(run)
    ]


async def _runs(folder: Path) -> AsyncIterator[WorkflowHistory]:
    """Each run of each case; a case that was opened again has several, one after the other in its file."""
    for path in sorted((folder / "histories").glob("*.json")):
        runs: list[list[object]] = []
        for event in json.loads(path.read_text())["events"]:
            if "workflowExecutionStartedEventAttributes" in event:
                runs.append([])
            runs[-1].append(event)
        for events in runs:
            yield WorkflowHistory.from_json(f"invoice-{path.stem}", {"events": events})
