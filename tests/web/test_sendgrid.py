"""SendGrid's events: who may tell them, what each does, and that nothing is told twice or lost."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.gateways.sendgrid.webhook import read
from dunwell.store import tasks
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice, at
from tests.web.conftest import CUSTOMER, SENT, Site, a_key, an_event, sign

# Who may tell --------------------------------------------------------------------------------------------


async def test_a_signed_batch_is_taken_and_a_repeated_one_changes_nothing(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message()
    first = await site.sendgrid([an_event("delivered")])
    again = await site.sendgrid([an_event("delivered")])
    assert (first.status_code, first.json()) == (200, {"received": 1, "new": 1})
    assert (again.status_code, again.json()) == (200, {"received": 1, "new": 0})
    assert site.kinds() == ["delivered"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"signature": None}, "not signed", id="no signature"),
        pytest.param({"timestamp": None}, "not signed", id="no timestamp"),
        pytest.param({"signature": ""}, "not signed", id="empty signature"),
        pytest.param({"signature": "not base64 !"}, "does not fit", id="signature is no base64"),
        pytest.param({"signature": "QUJD"}, "does not fit", id="signature of another kind"),
        pytest.param({"timestamp": "1803978001"}, "does not fit", id="another time"),
    ],
)
async def test_an_unsigned_batch_is_refused(site: Site, changes: dict[str, Any], said: str) -> None:
    site.case()
    site.message()
    answer = await site.sendgrid([an_event("bounce")], **changes)
    assert answer.status_code == 403
    assert said in answer.json()["reason"]
    assert (site.events(), site.row().state) == ([], "accepted")


async def test_another_key_or_an_altered_byte_is_refused(site: Site) -> None:
    assert (await site.sendgrid([an_event("bounce")], key=a_key())).status_code == 403
    genuine = b'[{"event":"bounce"}]'
    altered = await site.sendgrid(genuine.replace(b"b", b"B", 1), signature=sign(site.key, "1803978000", genuine))
    assert altered.status_code == 403
    assert site.events() == []


GARBAGE = {
    "empty": (b"", 400),
    "no JSON": (b"hello", 400),
    "no UTF-8": (b"\xff\xfe[]", 400),
    "no list": (b'{"event": "bounce"}', 400),
    "NaN": (b'[{"event": NaN}]', 400),
    "nested too deeply": (b"[" * 50_000 + b"]" * 50_000, 400),
    "a number of 5000 digits": (b'[{"timestamp": 1' + b"0" * 5_000 + b"}]", 200),
    "an impossible exponent": (b'[{"timestamp": 1e999999999999999999999}]', 400),
    "items that are no events": (b'[1, null, "x", [], {}]', 200),
    "types": (b'[{"event": {"a": []}, "sg_event_id": 7, "email": 3, "timestamp": []}]', 200),
    "0": (b'[{"event": "a\\u0000b", "sg_event_id": "\\u0000\\ud800", "email": "\\u0000@"}]', 200),
    "NUL in our id": (b'[{"event": "bounce", "message_id": "\\u0000", "sg_event_id": "z"}]', 200),
    "a long id": (b'[{"event": "x", "sg_event_id": "' + b"y" * 9_000 + b'"}]', 200),
    "huge": (b"[" + b" " * 1024 * 1024 + b"]", 413),
}


async def test_garbage_is_refused_or_ignored(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message()
    answers = {name: (await site.sendgrid(body)).status_code for name, (body, _) in GARBAGE.items()}
    assert answers == {name: status for name, (_, status) in GARBAGE.items()}
    assert (site.row().state, site.kinds()) == ("accepted", [])
    # What is well beside it is not harmed.
    assert (await site.sendgrid([{}, 7, an_event("delivered")])).json() == {"received": 2, "new": 1}
    assert site.row().state == "delivered"


# What each event does ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "state", "closed", "signalled"),
    [
        (an_event("processed"), "accepted", None, None),
        (an_event("deferred", response="450 later"), "accepted", None, None),
        (an_event("open"), "accepted", None, None),
        (an_event("click", url="https://pay.example"), "accepted", None, None),
        (an_event("delivered"), "delivered", None, None),
        (an_event("bounce", type="bounce", status="5.1.1"), "bounced", "bounced", "delivery_report"),
        (an_event("bounce"), "bounced", "bounced", "delivery_report"),  # an older account names no type
        (an_event("bounce", type="blocked", status="5.7.1"), "failed", None, "delivery_report"),
        (an_event("blocked"), "failed", None, "delivery_report"),
        (an_event("dropped", reason="Bounced Address"), "failed", "bounced", "delivery_report"),
        (an_event("dropped", reason="Invalid"), "failed", "bounced", "delivery_report"),
        (an_event("dropped", reason="Unsubscribed Address"), "failed", "stopped", "delivery_report"),
        (an_event("dropped", reason="Spam Reporting Address"), "failed", "complained", "delivery_report"),
        (an_event("dropped", reason="Spam Content"), "failed", None, "delivery_report"),
        (an_event("dropped", reason=["?"]), "failed", None, "delivery_report"),
        (an_event("spamreport"), "accepted", "complained", "contacts_changed"),
        (an_event("unsubscribe"), "accepted", "stopped", "contacts_changed"),
        (an_event("group_unsubscribe"), "accepted", "stopped", "contacts_changed"),
        (an_event("something-new"), "accepted", None, None),
        (an_event("delivered", message_id="of another program"), "accepted", None, None),
        (an_event("bounce", message_id=None), "accepted", None, None),  # other mail of the same account
    ],
)
async def test_what_an_event_does(
    site: Site, event: dict[str, Any], state: str, closed: str | None, signalled: str | None
) -> None:
    site.case()
    site.message()
    assert (await site.sendgrid([event])).status_code == 200
    await site.bring()
    assert (site.row().state, site.closed()) == (state, closed)
    assert [name for _, name, _ in site.temporal.signals] == [signalled] * (signalled is not None)
    assert [row.done_at is not None for row in site.events()] == [True]


async def test_no_words_of_the_mail_system_are_kept(site: Site) -> None:
    site.case()
    site.message()
    reason = "550 5.1.1 The account ada.lovelace does not exist"
    await site.sendgrid([an_event("bounce", status="5.1.1", reason=reason, ip="192.0.2.7")])
    assert "lovelace" not in str(site.entries()) + str(site.events()[0].body)
    assert site.entries() == [("bounced", "reminder-first by email to acme.accounts_payable.1: bounced (5.1.1)")]


async def test_whoever_unsubscribes_may_come_back(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message()
    await site.sendgrid([an_event("unsubscribe", email="Accounts_Payable1@ACME.example", message_id=None)])
    assert site.closed() == "stopped"
    await site.sendgrid([an_event("group_resubscribe", message_id=None)])
    assert site.closed() is None
    assert site.kinds() == ["opted_out", "opted_in"]


async def test_a_dead_mailbox_does_not_open_by_a_resubscription(site: Site) -> None:
    site.case()
    site.message()
    await site.sendgrid([an_event("bounce"), an_event("resubscribe")])
    assert site.closed() == "bounced"


# Order and repetition ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "state", "entries"),
    [
        (["delivered", "bounce"], "bounced", ["delivered", "bounced"]),  # taken, then given back
        (["bounce", "delivered"], "bounced", ["bounced"]),
        (["dropped", "delivered"], "failed", ["failed"]),
        (["delivered", "processed"], "delivered", ["delivered"]),
        (["delivered", "delivered"], "delivered", ["delivered"]),
    ],
)
@pytest.mark.parametrize("batches", ["one", "two"])
async def test_any_order(site: Site, kinds: list[str], state: str, entries: list[str], batches: str) -> None:
    site.case()
    site.message()
    events = [an_event(kind) for kind in kinds]
    for batch in [events] if batches == "one" else [[event] for event in events]:
        await site.sendgrid(batch)
    assert (site.row().state, site.kinds()) == (state, entries)


async def test_a_message_about_two_invoices_tells_both(each_site: Site) -> None:
    site = each_site
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    site.message(also=("inv-2",))
    await site.sendgrid([an_event("bounce")])
    await site.bring()
    assert (site.kinds("inv-1"), site.kinds("inv-2")) == (["bounced"], ["bounced"])
    assert [name for name, _, _ in site.temporal.signals] == ["invoice-inv-1", "invoice-inv-2"]


# What wakes a case ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "message", "woken"),
    [
        ({}, {}, 0),
        ({"blocked_until": SENT}, {}, 1),  # a step waits for this proof
        ({"blocked_until": SENT}, {"warning": False}, 0),  # but this message is none
    ],
)
async def test_a_delivery_wakes_only_a_case_that_waits_for_proof(
    site: Site, state: dict[str, Any], message: dict[str, Any], woken: int
) -> None:
    site.case(**state)
    site.message(**message)
    await site.sendgrid([an_event("delivered")])
    await site.bring()
    assert len(site.temporal.signals) == woken


async def test_a_bounce_wakes_nobody_who_was_reached_otherwise(site: Site) -> None:
    site.case()
    site.message()
    site.message("m2", channel=Channel.SMS, state="delivered")
    await site.sendgrid([an_event("bounce")])
    await site.bring()
    assert (site.row().state, site.temporal.signals) == ("bounced", [])


async def test_the_signal_says_what_the_row_says(site: Site) -> None:
    site.case()
    site.message()
    await site.sendgrid([an_event("bounce", status="5.1.1")])
    await site.bring()
    said = {"message_id": "m1", "status": "bounced", "code": "5.1.1", "at": "2027-03-02T09:01:00Z"}
    row = site.row()
    assert row.settled_at is not None
    now_or_then = row.settled_at.isoformat().replace("+00:00", "Z")
    assert site.temporal.signals == [("invoice-inv-1", "delivery_report", said | {"at": now_or_then})]


async def test_a_server_that_is_away_hears_of_it_later(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message()
    site.temporal.away = True
    assert (await site.sendgrid([an_event("bounce")])).status_code == 200
    assert await site.bring() == 0
    assert (site.row().state, site.events()[0].done_at) == ("bounced", None)  # the database knows at once
    site.temporal.away = False
    assert [await site.bring(), await site.bring()] == [1, 0]
    assert len(site.temporal.signals) == 1
    assert site.events()[0].done_at is not None


async def test_a_case_that_ended_needs_to_hear_nothing(site: Site) -> None:
    site.case()
    site.message()
    site.temporal.ended.add("invoice-inv-1")
    await site.sendgrid([an_event("bounce")])
    assert await site.bring() == 1
    assert site.events()[0].done_at is not None


# Time and doubt ------------------------------------------------------------------------------------------


async def test_a_real_case_takes_the_providers_time(site: Site) -> None:
    site.case()
    site.message(claimed_at=at("2026-01-01 08:00"))

    event = read(an_event("delivered", timestamp=int(at("2026-01-01 10:00").timestamp())))
    site.service.inbox.take("sendgrid", [event], at("2026-01-01 12:00"))
    assert site.row().settled_at == at("2026-01-01 10:00")


async def test_a_rehearsals_report_comes_at_the_rehearsals_time(site: Site) -> None:
    site.case(rehearsal=True)
    site.message(claimed_at=SENT + timedelta(minutes=5))
    await site.sendgrid([an_event("delivered", timestamp=1_600_000_000)])
    assert site.row().settled_at == SENT + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("kind", "state", "outcome"),
    [
        ("delivered", "delivered", "the provider reported: delivered"),
        ("bounce", "bounced", "the provider reported: bounced"),
        ("open", "unknown", None),
    ],
)
async def test_a_report_settles_what_nobody_knew(site: Site, kind: str, state: str, outcome: str | None) -> None:
    site.case()
    site.message(state="unknown")
    with site.database.writing() as session:
        facts = {"invoice_id": "inv-1", "step": "first-reminder", "kind": "decision", "contact_id": None}
        tasks.add(session, TaskRow(task_id="m1.unknown", due_at=SENT, reason="?", script="", **facts))
    await site.sendgrid([an_event(kind)])
    assert (site.row().state, [task.outcome for task in site.tasks()]) == (state, [outcome])


async def test_the_same_batch_from_several_doors_at_once_counts_once(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message()
    answers = await asyncio.gather(*(site.sendgrid([an_event("bounce"), an_event("spamreport")]) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sum(answer.json()["new"] for answer in answers) == 2
    assert (site.kinds(), site.closed()) == (["bounced", "opted_out"], "complained")
