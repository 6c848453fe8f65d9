"""A new channel is one row and one folder: dropped into a copy of the tree, everything takes it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patched import ROOT

_ROW = '    PAGER = "pager", Facts("pager", _SHORT, _NUMBER, stop="pagers", answers=True)\n'
_FOLDER = {
    "__init__.py": "",
    "provider.py": '''
"""A provider that exists in a test only: it fails for one number, and calls back."""

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.provider import Provider, Webhook


class PagerGateway:
    name, channel, can_find = "beeper", Channel("pager"), True

    def send(self, envelope):
        return Receipt("beeper", f"beep-{envelope.message_id}", MessageState.ACCEPTED)

    def find(self, envelope, since):
        return None


def _simulated(address):
    if address.endswith("666"):
        raise DeliveryError("no pager there", code="404", permanent=True, closes_address="bounced")


def _read(request, key):
    told = request.json()
    return [
        ProviderEvent(
            event_id=told["id"], kind="heard", channel=Channel("pager"), provider_id=told["of"],
            state=MessageState(told["state"]),
        )
    ]


PROVIDERS = (
    Provider("beeper", Channel("pager"), lambda settings: PagerGateway(), simulated=_simulated,
             described=lambda settings: "the beeper"),
)
WEBHOOKS = (Webhook("beeper", "beeper", lambda settings: "key", "never closed", _read),)
''',
}
_LADDER = """
name = "paging"
version = 1
title = "By pager"

[reactions]
paid = "thank-you"

[[step]]
id = "first"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["pager", "email"]
message = "reminder-first"

[[step]]
id = "last"
when = "first + 8 days at 10:00"
to = ["accounts_payable"]
by = ["pager", "email"]
message = "final-warning"
announces = ["restrict"]

[[step]]
id = "restrict"
when = "last + 10 days at 10:00"
needs = "2 delivered warnings, 3 days apart"
access = "restricted"
to = ["accounts_payable"]
by = ["pager", "email"]
message = "restricted"
"""


_WALKS = (
    *("ladder_check", "ladder_page", "preview", "rehearsal", "outbox_rows", "caps", "evidence", "webhook", "stop"),
    "messages",
)


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with one row more in the table of channels and one folder more among the gateways."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("dunwell", "workflows", "activities", "messages", "policies", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "replay")
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("starter.py", "worker.py"):
        shutil.copy(ROOT / name, copy / name)
    table = copy / "dunwell" / "domain" / "channels.py"
    source = table.read_text(encoding="utf-8")
    row = re.search(r"^    CALL = ", source, re.MULTILINE)
    assert row is not None
    table.write_text(source[: row.start()] + _ROW + source[row.start() :], encoding="utf-8")
    folder = copy / "dunwell" / "gateways" / "beeper"
    folder.mkdir()
    for name, content in _FOLDER.items():
        (folder / name).write_text(content, encoding="utf-8")
    (copy / "policies" / "paging.toml").write_text(_LADDER, encoding="utf-8")
    return copy


def test_every_walk_takes_a_new_channel(tree: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tree), "DUNWELL_STATE": str(tmp_path)}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.new_channel_walks", str(tmp_path)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    walked = [line.removesuffix(" ok") for line in done.stdout.splitlines() if line.endswith(" ok")]
    assert walked == list(_WALKS)
