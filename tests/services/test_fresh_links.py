"""A new link in place of one that has expired: who gets it, when, and who gets none."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dunwell.client import fresh_link_mail
from dunwell.client.fresh_link_mail import FreshLinkMail
from dunwell.domain.channels import Channel
from dunwell.domain.links import LinkKind, hash_of
from dunwell.services import fresh_links
from dunwell.services.attempt import Attempt
from dunwell.services.fresh_links import FreshLinks
from dunwell.store import links as link_store
from dunwell.store.database import Database
from dunwell.store.tables import ContactRow
from tests.builders import at
from tests.services.conftest import ServiceHarness
from tests.services.test_message_links import BY_MAIL, FIRST, LINKS, PAGE, Postbox, begun

PAID, LATER, YEAR_AFTER = "2027-03-03 10:00", "2027-04-01 09:00", "2028-03-07 09:00"


def reminded_and_paid(database: Database) -> tuple[ServiceHarness, Postbox, str]:
    """The harness, what was sent, and the token of the reminder's link."""
    postbox = Postbox(Channel.EMAIL)
    harness = begun(database, BY_MAIL, email=postbox)
    harness.carry_out("first-reminder", FIRST)
    harness.pay(PAID)
    (token,) = set(PAGE.findall(postbox.sent[0].text))
    postbox.sent.clear()
    return harness, postbox, token


def ask(harness: ServiceHarness, token: str, when: str) -> None:
    with harness.deps.database.writing() as session:
        LINKS.ask_for_fresh(session, token, LinkKind.PAGE, at(when))


def sweep(harness: ServiceHarness, when: str) -> None:
    FreshLinks(harness.deps).send(Attempt(at(when), 1))


def test_an_expired_link_gets_a_new_one_at_the_address_on_file(file_database: Database) -> None:
    harness, postbox, token = reminded_and_paid(file_database)
    for _ in range(3):
        ask(harness, token, YEAR_AFTER)
        sweep(harness, YEAR_AFTER)
    (envelope,) = postbox.sent
    assert envelope.to == BY_MAIL.contacts[0].email and "asked for a new link" in envelope.text
    (new,) = set(PAGE.findall(envelope.text))
    with file_database.reading() as session:
        old, fresh = (LINKS.find(session, one, LinkKind.PAGE, at(YEAR_AFTER)) for one in (token, new))
        assert link_store.asked_for(session, 10) == []
    assert old is not None and fresh is not None
    assert (old.expired, fresh.expired, fresh.invoice_ids) == (True, False, ("inv-1",))
    assert new not in harness.messages()[-1].body


@pytest.mark.parametrize(
    "why", ["it still opens", "it was revoked", "nobody made it", "its contact is gone", "nobody names it"]
)
def test_no_other_link_gets_one(file_database: Database, why: str) -> None:
    harness, postbox, token = reminded_and_paid(file_database)
    with file_database.writing() as session:
        (row,) = link_store.of_customer(session, BY_MAIL.customer_id)
        if why == "it was revoked":
            link_store.revoke(session, [row.link_id], "ada", "forwarded", at(LATER))
        if why == "its contact is gone":
            row.contact_id = "acme.user.7"
        if why == "nobody names it":
            session.get_one(ContactRow, row.contact_id).retired_at = at(LATER)
    when = LATER if why == "it still opens" else YEAR_AFTER
    ask(harness, "A" * 22 if why == "nobody made it" else token, when)
    sweep(harness, when)
    assert postbox.sent == []
    with file_database.reading() as session:
        assert link_store.asked_for(session, 10) == [], "it is forgotten"


def test_it_waits_for_an_open_hour_and_is_given_up_after_three_days(file_database: Database) -> None:
    harness, postbox, token = reminded_and_paid(file_database)
    ask(harness, token, "2028-03-07 02:00")
    sweep(harness, "2028-03-07 02:00")
    assert postbox.sent == []
    sweep(harness, YEAR_AFTER)
    assert len(postbox.sent) == 1
    ask(harness, token, "2028-04-03 02:00")
    sweep(harness, "2028-04-07 09:00")
    assert len(postbox.sent) == 1


def test_a_link_that_waits_for_its_hour_holds_no_other_up(
    file_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_links, "_AT_ONCE", 1)
    harness, postbox, token = reminded_and_paid(file_database)
    night = at("2028-03-07 02:00")
    with file_database.writing(BY_MAIL.customer_id) as session:
        revoked = LINKS.issue(session, LinkKind.PAGE, BY_MAIL.customer_id, night)
        LINKS.ask_for_fresh(session, token, LinkKind.PAGE, night)
        LINKS.ask_for_fresh(session, revoked, LinkKind.PAGE, night + timedelta(seconds=1))
    mail = FreshLinkMail(harness.deps, lambda: night)
    for _ in range(2):
        mail.send_due()
    with file_database.reading() as session:
        assert len(link_store.asked_for(session, 10)) == 1, "the second one is settled"
    FreshLinkMail(harness.deps, lambda: at(YEAR_AFTER)).send_due()
    assert len(postbox.sent) == 1


async def test_a_new_link_leaves_within_a_minute(file_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks by itself, whatever the page did, and goes on after a failure."""
    assert fresh_link_mail.EVERY <= 60
    monkeypatch.setattr(fresh_link_mail, "EVERY", 0.01)
    harness, postbox, token = reminded_and_paid(file_database)
    ask(harness, token, YEAR_AFTER)
    times = iter([LookupError("x")])

    def clock() -> datetime:
        for error in times:
            raise error
        return at(YEAR_AFTER)

    task = asyncio.create_task(FreshLinkMail(harness.deps, clock).run())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if postbox.sent:
            break
    task.cancel()
    assert len(postbox.sent) == 1


def test_without_a_secret_nothing_is_looked_at(file_database: Database) -> None:
    harness, postbox, token = reminded_and_paid(file_database)
    ask(harness, token, YEAR_AFTER)
    FreshLinks(replace(harness.deps, links=None)).send(Attempt(at(YEAR_AFTER) + timedelta(hours=1), 1))
    assert postbox.sent == [] and hash_of("a" * 16, token)
