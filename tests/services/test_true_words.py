"""What a message says is true at the moment it leaves, in every language."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.terms import DebtorKind, Role
from dunwell.texts.catalogue_file import CONSEQUENCES
from tests.builders import a_contact, a_customer, an_invoice, at, the_ladders
from tests.services.conftest import ServiceHarness
from tests.services.languages import CATALOGUE, EXPECTED, LANGUAGES, OPTIONAL, facts, spaced

LADDER = {"first-reminder": "2027-03-02 09:00", "second-reminder": "2027-03-16 09:00", "restrict": "2027-03-22 09:00"}
PAYER = a_customer(contacts=(a_contact(), a_contact(Role.USER)))


def both_restricted(harness: ServiceHarness, later: int = 0) -> tuple[ServiceHarness, ServiceHarness]:
    """Two invoices of one customer, A-1 over 1,200.00 and B-2 over 318.50, that both hold the account.

    B-2 is due, and restricted, so many days `later`.
    """
    a, b = ServiceHarness(harness.deps), ServiceHarness(harness.deps)
    known = {"customer": PAYER, "payment_url": None}
    a.open(an_invoice(**known, invoice_id="a", number="A-1"))
    due_on = date(2027, 3, 1) + timedelta(later)
    b.open(an_invoice(**known, invoice_id="b", number="B-2", amount=Decimal("318.50"), due_on=due_on))
    for step, when in LADDER.items():
        for one, days in ((a, 0), (b, later)):
            moment = f"{at(when) + timedelta(days):%Y-%m-%d %H:%M}"
            one.case.holds = one.carry_out(step, moment).holds
    assert [case.progress.consequences for case in (a.case, b.case)] == [["restrict"], ["restrict"]]
    return a, b


def answered(harness: ServiceHarness, when: str) -> str:
    """Carry out the answer that is owed; the text of the message."""
    step = harness.case.outstanding.owed[0]
    harness.carry_out(step, when)
    return next(
        f"{row.subject}\n{row.body}" for row in harness.messages(step) if row.contact_id.endswith("payable.1")
    )


# C1 ------------------------------------------------------------------------------------------------------


def test_c1_access_that_another_invoice_holds_is_not_told_as_restored(harness: ServiceHarness) -> None:
    a, b = both_restricted(harness)
    a.pay("2027-03-23 08:00")
    assert a.access() == "restricted"
    text = answered(a, "2027-03-23 09:00")
    assert text.startswith("Thank you: invoice A-1 is paid")
    assert "Some features stay limited for Acme GmbH because of another invoice:" in text
    assert "Invoice B-2 of Feb 1, 2027, due on Mar 1, 2027: €318.50 to pay" in text
    assert "vailable again for" not in text

    b.pay("2027-03-24 08:00", amount="318.50", payment_id="p2")
    assert b.access() == "full"
    assert answered(b, "2027-03-31 09:00").startswith("Everything is available again for Acme GmbH")


def test_c1_what_holds_the_account_is_looked_up_when_the_answer_leaves(harness: ServiceHarness) -> None:
    """B is paid in the night between A's payment and A's answer: both answers tell that all is back."""
    a, b = both_restricted(harness)
    a.pay("2027-03-22 22:00")
    b.pay("2027-03-22 23:00", amount="318.50", payment_id="p2")
    assert answered(a, "2027-03-23 09:00").startswith("Everything is available again for Acme GmbH")


def test_c1_a_disputed_invoice_that_holds_the_account_is_named_without_an_amount(harness: ServiceHarness) -> None:
    a, b = both_restricted(harness)
    b.record("dispute_opened", "2027-03-23 07:00", reason="quality", opened_by="user")
    a.pay("2027-03-23 08:00")
    text = answered(a, "2027-03-23 09:00")
    assert "Invoice B-2 of Feb 1, 2027, due on Mar 1, 2027\n" in text
    assert "€0.00" not in text


@LANGUAGES
@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_c1_every_language_names_what_still_holds_the_account(language: str, suspended: bool, count: int) -> None:
    bills = facts(others=()).bills
    holding = tuple(bills[0].model_copy(update={"number": f"HOLD-{number}"}) for number in range(count))
    alone = CATALOGUE.compose("restored", language, facts(**OPTIONAL))
    held = CATALOGUE.compose("restored", language, facts(**OPTIONAL, holding=holding, suspended=suspended))
    assert held.subject != alone.subject
    for text in (held.text, held.call):
        assert all(f"HOLD-{number}" in text for number in range(count))
        assert text != alone.text
    assert "HOLD-0" in held.short
    assert (
        held.forms()
        != CATALOGUE.compose(
            "restored", language, facts(**OPTIONAL, holding=holding, suspended=not suspended)
        ).forms()
    )
    assert "INV-2041" in held.subject
    for text in held.forms().values():
        assert not any(mark in text for mark in ("{{", "{%", "None", "**"))


# C3 ------------------------------------------------------------------------------------------------------


def with_plan(harness: ServiceHarness) -> ServiceHarness:
    harness.open(an_invoice(payment_url=None))
    harness.carry_out("first-reminder", LADDER["first-reminder"])
    parts = [{"date": "2027-03-08", "amount": "500.00"}, {"date": "2027-04-08", "amount": "700.00"}]
    harness.record("payment_plan_agreed", "2027-03-03 09:00", instalments=parts, by="agent")
    harness.case.outstanding.owed.clear()
    return harness


def test_c3_a_missed_instalment_names_its_amount_and_its_date(harness: ServiceHarness) -> None:
    with_plan(harness).case.instalment_due(at("2027-03-11 00:00"))
    text = answered(harness, "2027-03-11 09:00")
    assert "The €500.00 instalment of our payment plan has not arrived; it was agreed for March 8, 2027." in text
    assert "keep the plan alive" not in text
    assert "The plan that we agreed on" not in text


def test_c3_of_an_instalment_that_came_in_part_the_rest_is_named(harness: ServiceHarness) -> None:
    with_plan(harness).pay("2027-03-08 10:00", amount="300.00")
    harness.case.outstanding.owed.clear()
    harness.case.instalment_due(at("2027-03-11 00:00"))
    text = answered(harness, "2027-03-11 09:00")
    assert "has not arrived in full; it was agreed for March 8, 2027. €200.00 of it is missing." in text


def test_c3_money_that_comes_after_the_plan_ended_is_counted(harness: ServiceHarness) -> None:
    with_plan(harness).case.instalment_due(at("2027-03-11 00:00"))
    harness.case.revision += 1
    harness.pay("2027-03-11 08:00", amount="450.00")
    assert "€50.00 of it is missing." in answered(harness, "2027-03-11 09:00")


def test_c3_nothing_is_missed_any_more_once_the_instalment_has_come(harness: ServiceHarness) -> None:
    with_plan(harness).case.instalment_due(at("2027-03-11 00:00"))
    harness.pay("2027-03-11 08:00", amount="500.00")
    assert [owed.partition("~")[0] for owed in harness.case.outstanding.owed] == ["part-received"]
    assert not [row for row in harness.messages() if row.message == "instalment-missed"]


@LANGUAGES
@pytest.mark.parametrize("message", ["instalment-missed", "promise-broken"])
def test_c3_every_language_names_what_is_missing(message: str, language: str) -> None:
    known = OPTIONAL | {"instalments": (), "promise_amount": Decimal("500.00"), "promise_on": date(2026, 3, 8)}
    whole = CATALOGUE.compose(message, language, facts(**known, missing=Decimal("500.00")))
    part = CATALOGUE.compose(message, language, facts(**known, missing=Decimal("199.50")))
    for text in (whole.text, whole.call):
        assert "500" in text
        assert "8" in text
    for text in (part.subject, part.call):
        assert "199" in spaced(text)
    assert part.call.count("199") == (2 if message == "instalment-missed" else 1)  # in the opening, too
    assert "199" not in whole.subject + whole.text + whole.call + whole.short


@LANGUAGES
def test_c3_a_missed_instalment_is_named_in_text_and_sms(language: str) -> None:
    known = OPTIONAL | {"instalments": (), "promise_amount": Decimal("500.00"), "promise_on": date(2026, 3, 8)}
    whole = CATALOGUE.compose("instalment-missed", language, facts(**known, missing=Decimal("500.00")))
    part = CATALOGUE.compose("instalment-missed", language, facts(**known, missing=Decimal("199.50")))
    assert "500" in whole.short
    for text in (part.text, part.short):
        assert "199" in spaced(text)


def test_c3_the_subject_is_true_when_a_part_came(harness: ServiceHarness) -> None:
    with_plan(harness).pay("2027-03-08 10:00", amount="300.00")
    harness.case.outstanding.owed.clear()
    (said,) = harness.case.instalment_due(at("2027-03-11 00:00"))
    assert said.reason == "200.00 EUR of the instalment of 2027-03-08 did not come; the ladder goes on"
    answered(harness, "2027-03-11 09:00")
    assert harness.messages()[-1].subject == "Invoice 2027-001: €200.00 of an instalment has not arrived"


def with_promise(harness: ServiceHarness, *paid: str) -> str:
    """What the timeline says on the day after its grace."""
    harness.open(an_invoice(payment_url=None))
    harness.carry_out("first-reminder", LADDER["first-reminder"])
    harness.record("promise_to_pay", "2027-03-03 09:00", date="2027-03-08", amount="500.00", promised_by="a")
    for amount in paid:
        harness.pay("2027-03-08 10:00", amount=amount)
    harness.case.outstanding.owed.clear()
    harness.case.revision += 1
    (said,) = harness.case.promise_due(at("2027-03-11 00:00"))
    return said.reason


def test_c3_of_a_promise_that_was_kept_in_part_the_rest_is_named(harness: ServiceHarness) -> None:
    assert with_promise(harness, "300.00").startswith("200.00 EUR of it did not come by 2027-03-08;")
    answered(harness, "2027-03-11 09:00")
    subject = harness.messages()[-1].subject
    assert subject == "Invoice 2027-001: €200.00 of the payment promised for Mar 8, 2027 has not arrived"


def test_c3_of_a_promise_of_which_nothing_came_nothing_is_missing(harness: ServiceHarness) -> None:
    assert with_promise(harness).startswith("nothing came by 2027-03-08;")
    answered(harness, "2027-03-11 09:00")
    subject = harness.messages()[-1].subject
    assert subject == "Invoice 2027-001: the payment promised for Mar 8, 2027 has not arrived"


def test_c3_a_promise_is_not_broken_any_more_once_its_sum_has_come(harness: ServiceHarness) -> None:
    with_promise(harness)
    harness.pay("2027-03-11 08:00", amount="499.80")  # the rest is within the tolerance
    assert [owed.partition("~")[0] for owed in harness.case.outstanding.owed] == ["part-received"]


# C5 ------------------------------------------------------------------------------------------------------

ACCOUNT = {"iban": "DE89370400440532013000", "bic": "COBADEFFXXX"}


@LANGUAGES
@pytest.mark.parametrize("key", sorted(key for key, one in CATALOGUE.traits.items() if not one.accessory))
def test_c5_with_an_account_nobody_is_sent_to_the_invoice_for_it(key: str, language: str) -> None:
    expected = EXPECTED[language]
    known = OPTIONAL | {"payment_url": None, **ACCOUNT}
    composed = CATALOGUE.compose(key, language, facts(**known))
    for text in (composed.text, composed.call):
        assert expected.bank not in spaced(text).casefold()
    if CATALOGUE.traits[key].asks:
        assert "IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX" in composed.text
        assert "IBAN DE89370400440532013000" in composed.short
        assert "DE89 3704" in composed.call


@LANGUAGES
def test_c5_the_phone_stands_below_the_name(language: str) -> None:
    text = CATALOGUE.compose("reminder-first", language, facts(phone="+49 30 901820")).text
    assert "Max Weber\nNorthwind Ltd\n+49 30 901820\n" in text


# C11 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "says", "never"),
    [
        (DebtorKind.CONSUMER, "I cannot pay it at the moment", "Three directors must sign"),
        (DebtorKind.PUBLIC, "The payment still has to be approved", "Three directors must sign"),
        (DebtorKind.BUSINESS, "Three directors must sign", "I cannot pay it at the moment"),
        (None, "Three directors must sign", "I cannot pay it at the moment"),
    ],
)
def test_c11_the_script_of_a_call_suits_the_kind_of_debtor(
    harness: ServiceHarness, kind: DebtorKind | None, says: str, never: str
) -> None:
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": (Channel.CALL,)}) if step.by else step for step in usual.steps)
    contact = a_contact(phone="+4930901820")
    harness.open(
        an_invoice(customer=a_customer(kind=kind, contacts=(contact,))),
        ladder=usual.model_copy(update={"steps": steps}),
    )
    harness.carry_out("first-reminder", LADDER["first-reminder"])
    [task] = harness.tasks()
    assert says in task.script
    assert never not in task.script


# Whom a consequence meets --------------------------------------------------------------------------------


@LANGUAGES
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
@pytest.mark.parametrize("key", ["final-warning", "formal-complaint"])
def test_a_consequence_that_meets_several_invoices_names_them_all(language: str, consequence: str, key: str) -> None:
    other = facts().bills[0].model_copy(update={"number": "INV-9"})
    known = OPTIONAL | {"consequence": consequence, "others": (other,), "met": ("INV-2041", "INV-9")}
    composed = CATALOGUE.compose(key, language, facts(**known))
    for text in (composed.text, composed.call):
        sentence = re.search(f"{EXPECTED[language].on}[^\n]*INV-2041[^\n]*INV-9", spaced(text))
        assert sentence, text
    assert "INV-9" in composed.short
    for text in composed.forms().values():
        assert not any(mark in text for mark in ("{{", "{%", "None", "**"))


@LANGUAGES
@pytest.mark.parametrize("key", ["restricted", "suspended", "handover-notice"])
@pytest.mark.parametrize("joint", [True, False])
def test_access_comes_back_when_all_that_hold_it_are_paid(language: str, key: str, joint: bool) -> None:
    """Those of this message, and those that held the account before it."""
    other = facts().bills[0].model_copy(update={"number": "INV-9"})
    alone = CATALOGUE.compose(key, language, facts(**OPTIONAL, others=(other,) if joint else ()))
    met = {"others": (other,), "met": ("INV-2041", "INV-9")} if joint else {}
    held = {} if key == "handover-notice" else {"holding": (other.model_copy(update={"number": "INV-7"}),)}
    composed = CATALOGUE.compose(key, language, facts(**OPTIONAL, **met, **held, suspended=key == "suspended"))
    numbers = [number for number, named in (("INV-2041", True), ("INV-9", joint), ("INV-7", held)) if named]
    new = set(composed.text.splitlines()) - set(alone.text.splitlines())
    assert len(new) == (2 if met or held else 0), new  # why, and when it comes back or what is still settled
    assert not new or any(all(number in line for number in numbers) for line in new), new
    for text in (composed.text, composed.call, composed.short):
        assert all(number in text for number in numbers), text
    for text in composed.forms().values():
        assert not any(mark in text for mark in ("{{", "{%", "None", "**"))


def test_a_restriction_beside_another_names_both_and_does_not_begin_today(harness: ServiceHarness) -> None:
    """A restricts since yesterday; B's own message tells of both, and A's payment alone lifts nothing."""
    _, b = both_restricted(harness, later=1)
    text = next(row.body for row in b.messages("restrict") if row.contact_id.endswith("payable.1"))
    assert "are limited for Acme GmbH already, because of invoice A-1." in spaced(text)
    assert "All features come back automatically as soon as invoices B-2 and A-1 are paid." in spaced(text)
    assert "From today, some features" not in spaced(text)


def test_a_joint_restriction_comes_back_with_all_its_invoices(harness: ServiceHarness) -> None:
    a, b = both_restricted(harness)
    text = next(row.body for row in a.messages("restrict") if row.contact_id.endswith("payable.1"))
    assert "because invoices A-1 and B-2 are still open." in spaced(text)
    assert "All features come back automatically as soon as invoices A-1 and B-2 are paid." in spaced(text)
    assert a.pay("2027-03-23 08:00").access == "restricted"
    assert b.pay("2027-03-24 08:00", amount="318.50", payment_id="p2").access == "full"


# Access that comes back before all is paid ---------------------------------------------------------------


def restricted(harness: ServiceHarness) -> ServiceHarness:
    """An invoice over 1,200.00 that holds its account."""
    harness.open(an_invoice(customer=PAYER, payment_url=None, number="A-1"))
    for step, when in LADDER.items():
        harness.carry_out(step, when)
    assert harness.access() == "restricted"
    return harness


def test_access_is_not_reduced_for_disputed_money(harness: ServiceHarness) -> None:
    """Of 1,200.00, 300.00 are in dispute: who pays the rest has access again, and reads that it is so (G7)."""
    restricted(harness).record("dispute_opened", "2027-03-22 10:00", reason="x", opened_by="user", amount="300.00")
    assert harness.access() == "restricted"  # a dispute alone gives nothing back
    harness.case.outstanding.owed.clear()
    assert harness.pay("2027-03-23 08:00", amount="900.00").access == "full"
    assert harness.access() == "full" and harness.case.stage == "disputed"
    text = answered(harness, "2027-03-23 09:00")
    assert "the restriction due to invoice A-1" in spaced(text) and "has been lifted" in text
    assert "We are still checking €300.00 of invoice A-1" in spaced(text)


def test_a_rejected_dispute_needs_another_warning_before_access_is_reduced_again(harness: ServiceHarness) -> None:
    restricted(harness).record("dispute_opened", "2027-03-22 10:00", reason="x", opened_by="user", amount="300.00")
    harness.pay("2027-03-23 08:00", amount="900.00")
    harness.record("dispute_resolved", "2027-03-24 08:00", outcome="rejected", by="agent")
    harness.case.outstanding.owed.clear()
    assert (harness.access(), str(harness.case.asked)) == ("full", "300.00")
    assert harness.carry_out("restrict", "2027-04-05 09:00").outcome.status == "stale"  # type: ignore[union-attr]
    harness.carry_out("second-reminder", "2027-04-05 09:00")
    rows = harness.messages("second-reminder.again1")
    assert rows and "€300.00" in rows[0].body
    harness.carry_out("restrict", "2027-04-12 09:00")
    assert harness.access() == "restricted"
    assert harness.messages("restrict.again1")


def test_a_step_on_its_way_restricts_nobody_whose_rest_was_paid_meanwhile(harness: ServiceHarness) -> None:
    harness.open(an_invoice(customer=PAYER, payment_url=None))
    for step in ("first-reminder", "second-reminder"):
        harness.carry_out(step, LADDER[step])
    harness.record("dispute_opened", "2027-03-17 10:00", reason="x", opened_by="user", amount="300.00")
    harness.case.outstanding.owed.clear()
    late = harness.case.model_copy(deep=True)
    harness.pay("2027-03-22 08:59", amount="900.00")
    harness.carry_out("restrict", LADDER["restrict"], case=late)
    assert harness.access() == "full"


def test_a_due_date_that_moves_gives_access_back_and_says_so(harness: ServiceHarness) -> None:
    restricted(harness).record("invoice_amended", "2027-03-23 08:00", due_on="2027-06-01", by="billing")
    assert harness.access() == "full"
    text = answered(harness, "2027-03-23 09:00")
    assert "Everything is available again for Acme GmbH" in text
    assert "Invoice A-1 is due on June 1, 2027 now." in spaced(text)


@LANGUAGES
@pytest.mark.parametrize("disputed", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_access_that_is_back_before_all_is_paid_thanks_for_no_payment(
    language: str, disputed: bool, held: bool
) -> None:
    bill = facts().bills[0].model_copy(update={"number": "HOLD-1"})
    amounts = {"open": Decimal("300.00"), "asked": Decimal(0) if disputed else Decimal("300.00")}
    known = OPTIONAL | amounts | {"holding": (bill,) if held else (), "not_settled": True}
    composed = CATALOGUE.compose("restored", language, facts(**known))
    settled = CATALOGUE.compose("restored", language, facts(**known | {"not_settled": False}))
    assert composed.text != settled.text
    assert not held or (composed.subject != settled.subject and composed.short != settled.short)
    assert ("300" in composed.text) is disputed
    for text in composed.forms().values():
        assert not any(mark in text for mark in ("{{", "{%", "None", "**"))


# Money that was taken back, and plans that ended ---------------------------------------------------------


def taken_back(harness: ServiceHarness) -> ServiceHarness:
    """A restricted invoice that was paid, thanked for, and opened again by a chargeback."""
    restricted(harness).pay("2027-03-23 08:00")
    harness.case.outstanding.owed.clear()
    harness.record("payment_reversed", "2027-04-06 08:00", payment_id="p1", reason="chargeback")
    return harness


def test_after_a_reversal_the_first_message_says_so_and_announces_the_consequence_anew(
    harness: ServiceHarness,
) -> None:
    """G2: nobody is restricted by warnings that a payment has answered."""
    taken_back(harness)
    assert harness.access() == "full"
    assert harness.case.next_action is not None and harness.case.next_action.step == "second-reminder"
    harness.carry_out("second-reminder", "2027-04-06 09:00")
    text = harness.messages("second-reminder.again1")[0].body
    assert "The payment of €1,200.00 for invoice A-1 was taken back on April 6, 2027" in spaced(text)
    assert "On April 12, 2027 some features of the service will be limited" in spaced(text)
    harness.carry_out("restrict", "2027-04-12 09:00")
    assert harness.access() == "restricted"


def test_a_warning_after_the_reversal_that_was_left_out_proves_nothing(harness: ServiceHarness) -> None:
    taken_back(harness).case.progress.leave_out("second-reminder", at("2027-04-06 09:00"))
    harness.case.revision += 1
    answer = harness.carry_out("restrict", "2027-04-12 09:00")
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert harness.access() == "full"


def test_money_that_comes_after_a_reversal_is_thanked_for_without_it(harness: ServiceHarness) -> None:
    taken_back(harness).pay("2027-04-06 10:00", amount="200.00", payment_id="p2")
    harness.case.outstanding.owed.clear()
    harness.carry_out("second-reminder", "2027-04-07 09:00")
    assert "taken back" not in harness.messages("second-reminder.again1")[0].body


def test_after_a_plan_has_ended_messages_say_so(harness: ServiceHarness) -> None:
    with_plan(harness).case.instalment_due(at("2027-03-11 00:00"))
    assert "The plan has ended with that for now." in spaced(answered(harness, "2027-03-11 09:00"))
    harness.carry_out("second-reminder", "2027-03-16 09:00")
    text = harness.messages("second-reminder")[0].body
    assert "has ended, because its instalment of March 8, 2027 did not arrive in time" in spaced(text)


@LANGUAGES
@pytest.mark.parametrize("key", ["reminder-second", "final-warning", "dispute-closed", "handover-notice"])
def test_every_language_tells_of_money_taken_back_and_of_the_end_of_a_plan(language: str, key: str) -> None:
    plain = CATALOGUE.compose(key, language, facts(**OPTIONAL)).forms()
    back = {"taken_back": Decimal("77.00"), "taken_back_on": date(2026, 3, 10)}
    for news, word in ((back, "77"), ({"plan_ended": date(2026, 2, 27)}, "27")):
        composed = CATALOGUE.compose(key, language, facts(**OPTIONAL, **news))
        assert word in composed.text and word in composed.call
        assert composed.short != plain["short"] or key == "handover-notice"
        for text in composed.forms().values():
            assert not any(mark in text for mark in ("{{", "{%", "None", "**"))
