"""What docs/api.md and the OpenAPI description say of webhooks is what is sent."""

import json
import re
from pathlib import Path
from typing import Any

from dunwell.domain.notifications import TOPICS
from dunwell.domain.terms import Level
from dunwell.services.webhook_delivery import body_of
from dunwell.store import accounts
from tests.builders import at
from tests.services.conftest import MakeHarness, empty_file, make_harness  # noqa: F401
from tests.services.test_notifications import add, rows
from tests.web.described import description, validator

DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = {
    example["event"]: example
    for example in map(json.loads, re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
    if "event" in example
}


def body(event: str) -> Any:
    sent = description()["webhooks"][event]["post"]["requestBody"]
    return validator(sent["content"]["application/json"]["schema"])


def test_every_event_has_an_example_that_fits_its_schema() -> None:
    assert set(EXAMPLES) == set(TOPICS) == set(description()["webhooks"])
    for event, example in EXAMPLES.items():
        body(event).validate(example)
        for name in example:
            assert not body(event).is_valid({key: value for key, value in example.items() if key != name}), name


def test_what_is_sent_fits_its_schema_and_has_the_fields_of_its_example(
    make_harness: MakeHarness,  # noqa: F811
) -> None:
    harness = make_harness()
    add(harness.deps.database, "http://127.0.0.1:9/")
    harness.open()
    harness.carry_out("first-reminder", "2027-03-09 10:00")
    harness.record("promise_to_pay", "2027-03-10 10:00", date="2027-03-16", promised_by="accounts_payable")
    harness.record("dispute_opened", "2027-03-12 10:00", reason="wrong-quantity", opened_by="agent", amount="200.00")
    with harness.deps.database.writing("acme") as session:
        accounts.place_hold(session, "acme", "inv-1", Level.RESTRICTED, "step restrict", at("2027-04-20 10:00"))
    harness.record("dispute_resolved", "2027-04-21 10:00", outcome="rejected", by="agent")
    harness.pay("2027-04-22 10:00")
    sent = [json.loads(body_of(row)) for row in rows(harness.deps.database)]
    assert {one["event"] for one in sent} == set(TOPICS)
    for one in sent:
        body(one["event"]).validate(one)
        assert set(one) == set(EXAMPLES[one["event"]])
