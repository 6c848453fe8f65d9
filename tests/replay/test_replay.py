"""G11: cases begun by any release go on with this one. Every recorded history replays."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.invoice_dunning import InvoiceDunning

HISTORIES = sorted(Path(__file__).parent.glob("*.json"))


def test_there_are_histories_of_many_kinds() -> None:
    assert len(HISTORIES) >= 8


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_replays(path: Path) -> None:
    history = WorkflowHistory.from_json("invoice-inv-1", json.loads(path.read_text(encoding="utf-8")))
    replayer = Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter)
    await replayer.replay_workflow(history)


async def test_a_changed_history_is_noticed() -> None:
    """The replayer can fail: the same history with one step's activity renamed does not replay."""
    path = next(path for path in HISTORIES if path.stem.endswith("never-pays"))
    changed = path.read_text(encoding="utf-8").replace('"carry_out"', '"carry_off"', 1)
    history = WorkflowHistory.from_json("invoice-inv-1", json.loads(changed))
    replayer = Replayer(workflows=[InvoiceDunning], data_converter=pydantic_data_converter)
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replayer.replay_workflow(history)
