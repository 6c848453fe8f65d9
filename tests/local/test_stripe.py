"""An account of Stripe connected by the commands, and payments of a file: real server, real worker."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from dunwell.client.billing import Billing
from dunwell.client.cases import Cases
from dunwell.gateways.stripe.objects import event_of
from dunwell.intake.policy_files import DEFAULT_LADDER
from dunwell.services.billing_inbox import BillingInbox
from dunwell.store.database import Database
from tests.builders import sample_deps
from tests.local.conftest import Place, Run, an_item
from tests.stripe.emulator import KEY, StripeEmulator
from tests.stripe.objects import an_event, an_intent

TODAY = int(datetime.now(UTC).timestamp())
ISSUED = TODAY - 86_400


@pytest.fixture
def stripe(here: Place, monkeypatch: pytest.MonkeyPatch) -> Any:
    with StripeEmulator() as running:
        monkeypatch.setenv("STRIPE_API_KEY", KEY)
        monkeypatch.setenv("STRIPE_API_URL", running.url)
        yield running


def an_account(stripe: StripeEmulator, begin: int, count: int) -> None:
    """So many open invoices, of one day old and due in a month."""
    for number in range(begin, begin + count):
        when = {"created": ISSUED, "effective_at": ISSUED, "due_date": ISSUED + 30 * 86_400}
        stripe.invoice(number, **when, status_transitions={"finalized_at": ISSUED})


def test_forty_open_invoices_are_connected(here: Place, run: Run, stripe: StripeEmulator) -> None:
    an_account(stripe, 1, 40)
    stripe.objects["in_3"]["auto_advance"] = True
    stripe.objects["in_5"].update(collection_method="charge_automatically", next_payment_attempt=TODAY + 86_400)
    stripe.objects["cus_7"]["address"]["country"] = "US"  # several time zones
    shown = run("stripe", "preview")
    assert shown.code == 1
    assert shown.out.splitlines()[-1] == (
        "38 to be started, 0 already known, 1 left to the billing system, 1 refused"
    )
    assert "remind the customers of 1 invoices (ABCD-0003)" in shown.err
    assert any("ABCD-0007" in line and "customer.time_zone" in line for line in shown.out.splitlines())
    assert any("ABCD-0001" in line and " de " in line and DEFAULT_LADDER in line for line in shown.out.splitlines())
    first = run("stripe", "backfill")
    assert first.code == 1
    assert first.out.splitlines()[-1] == "38 started, 0 already known, 1 left to the billing system, 1 refused"
    assert first.err.splitlines()[0].startswith("refused: ABCD-0007: customer.time_zone: is missing")
    assert "left: ABCD-0005: it is charged automatically: the next attempt is on" in first.out

    stripe.objects["cus_7"]["metadata"] = {"dunwell_time_zone": "America/New_York"}
    again = run("stripe", "backfill")
    assert (again.code, again.out.splitlines()[-1]) == (
        0,
        "1 started, 38 already known, 1 left to the billing system, 0 refused",
    )
    assert run("status", "ABCD-0007", "--json").json["amount_due"] == "1200.00"

    asyncio.run(_hear(here, stripe.pay(8)))
    assert run("status", "ABCD-0008", "--json").json["stage"] == "paid"


async def _hear(place: Place, events: list[dict[str, Any]]) -> None:
    """The events come in by webhook, and the worker applies them."""
    database = Database(place.database_url)
    BillingInbox(database).take("stripe", [one for event in events if (one := event_of(event))], datetime.now(UTC))
    client = await Client.connect(place.address, data_converter=pydantic_data_converter)
    billing = Billing(sample_deps(database), Cases(client, database))
    while await billing.apply_due():
        continue
    database.close()


def test_a_preview_has_json_and_steps(run: Run, stripe: StripeEmulator) -> None:
    an_account(stripe, 101, 1)
    (one,) = run("stripe", "preview", "--json").json
    assert (one["becomes"], one["invoice"]["customer"]["language"]) == ("new", "de")
    assert "first-reminder" in run("stripe", "preview", "--steps").out


def test_without_a_key_the_commands_say_so(here: Place, run: Run) -> None:
    said = run("stripe", "backfill")
    assert (said.code, "STRIPE_API_KEY is not set" in said.err) == (2, True)


def test_a_key_that_stripe_does_not_take(run: Run, stripe: StripeEmulator) -> None:
    from tests.gateways.fakes import Answer

    stripe.next(Answer(401), Answer(401))
    assert "does not accept STRIPE_API_KEY" in run("stripe", "preview").err
    assert "does not accept STRIPE_API_KEY" in run("stripe", "backfill").err


def test_the_payments_of_a_file(here: Place, run: Run) -> None:
    for name in ("FILE-1", "FILE-2"):
        Path(f"{name}.jsonl").write_text(json.dumps(an_item(name)), encoding="utf-8")
        assert run("start", f"{name}.jsonl").code == 0
    rows = ["FILE-1;B-1;1.000,00", "FILE-1;B-2;200,00", "FILE-2;B-3;5,00", "NOBODY;B-4;5,00", "FILE-2;B-5;-1,00"]
    Path("paid.csv").write_text("\n".join(["invoice_id;payment_id;amount", *rows]), encoding="utf-8")
    shown = run("pay", "--file", "paid.csv", "--dry-run")
    assert shown.out.splitlines()[-1] == "3 to be recorded, 0 already known, 2 refused"
    assert run("status", "FILE-1", "--json").json["amount_due"] == "1200.00"
    first, again = run("pay", "--file", "paid.csv"), run("pay", "--file", "paid.csv")
    assert first.out == "3 recorded, 0 already known, 2 refused\n"
    assert again.out == "0 recorded, 3 already known, 2 refused\n"
    bad_amount, unknown = [line for line in first.err.splitlines() if line.startswith("refused")]
    assert bad_amount.startswith("refused: line 6 (payment B-5 of invoice FILE-2): amount: '-1,00' is not")
    assert unknown.startswith("refused: line 5: invoice: 'NOBODY' is not registered")
    assert run("status", "FILE-1", "--json").json["stage"] == "paid"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pay", "--file", "x.csv", "--method", "card"), "--method does not go with --file"),
        (("pay", "INV-1", "5.00"), "--payment-id is missing"),
        (("pay", "INV-1", "5.00", "--payment-id", "p", "--dry-run"), "only go with --file"),
        (("pay", "--file", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
)
def test_a_command_line_that_makes_no_sense(here: Place, run: Run, arguments: tuple[str, ...], said: str) -> None:
    refused = run(*arguments)
    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_what_waits_is_shown_beside_what_is_unmatched(here: Place, run: Run) -> None:
    Path("WAITS-1.jsonl").write_text(json.dumps(an_item("WAITS-1")), encoding="utf-8")
    assert run("start", "WAITS-1.jsonl").code == 0
    asyncio.run(_hear(here, [an_event("payment_intent.succeeded", an_intent("pi_waits", metadata={}))]))
    (listed,) = run("unmatched", "--json").json
    assert (listed["entry_id"], listed["amount"]) == ("stripe:pi_waits", "1200.00")
    (one,) = run("waiting", "list", "--json").json
    assert (one["id"], one["amount"], one["why"]) == ("pi_waits", "1200.00", "invoice: it names no invoice")
    assert run("match", "stripe:pi_waits", "WAITS-1").code == 0
    asyncio.run(_hear(here, []))
    assert run("status", "WAITS-1", "--json").json["stage"] == "paid"
    assert run("waiting", "list").out == "Nothing waits.\n"
    assert run("waiting", "dismiss", "stripe", "pi_waits").code == 1
