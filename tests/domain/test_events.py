"""What is refused before it reaches a case: malformed messages, each with the field and a reason."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dunwell.domain.events import EVENTS, PaymentReceived, parse_event
from dunwell.domain.refusal import Refused

GOOD: Mapping[str, dict[str, Any]] = {
    "payment_received": {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"},
    "credit_applied": {
        "credit_id": "c1",
        "from_invoice": "inv-0",
        "amount": "300.00",
        "currency": "EUR",
        "by": "agent-7",
    },
    "payment_reversed": {"payment_id": "p1", "reason": "chargeback"},
    "promise_to_pay": {"date": "2027-03-15", "promised_by": "user"},
    "dispute_opened": {"reason": "quality", "opened_by": "user"},
    "dispute_resolved": {"outcome": "rejected", "by": "agent-7"},
    "payment_plan_agreed": {"instalments": [{"date": "2027-03-15", "amount": "5.00"}], "by": "agent-7"},
    "pause": {"reason": "holiday", "by": "agent-7"},
    "resume": {"by": "agent-7"},
    "call_outcome": {"task_id": "inv-1.call.ap", "outcome": "reached", "by": "agent-7"},
    "invoice_amended": {"amount": "900.00", "by": "billing"},
    "write_off": {"reason": "small", "by": "agent-7"},
    "cancel": {"reason": "wrong", "by": "agent-7"},
    "policy_moved": {
        "name": "gentle-saas",
        "to_version": 2,
        "fingerprint": "0123456789abcdef",
        "by": "agent-7",
        "digest": "0123456789abcdef",
        "steps": ["first-reminder"],
        "promises": {},
        "reactions": {},
    },
    "reply_handled": {"reply_id": "r1", "by": "agent-7", "answer": "a1"},
    "payment_announced": {"by": "link of acme.user.1", "paid_on": "2027-03-09", "amount": "900.00"},
    "call_requested": {"by": "link of acme.user.1", "at": "2027-03-11T09:00:00Z"},
    "grace_granted": {"until": "2027-03-13", "by": "agent-7"},
    "reply_received": {"reply_id": "r1", "channel": "email", "at": "2027-03-10T09:00:00Z"},
    "delivery_report": {"message_id": "m1", "status": "delivered", "at": "2027-03-10T09:00:00Z"},
    "contacts_changed": {"by": "billing"},
}
AMOUNT = "is not a positive amount"
TEXT_AMOUNT = "is not an amount: write it as text"
DAY = "is not a date: use YYYY-MM-DD"
TIME = "is not a time: use ISO 8601 with an offset"


@pytest.mark.parametrize("name", EVENTS)
def test_a_good_message_is_read_and_written_the_same(name: str) -> None:
    event = parse_event(name, [GOOD[name]])
    assert parse_event(name, [event.model_dump(mode="json")]) == event


@pytest.mark.parametrize("name", EVENTS)
def test_an_empty_message_names_its_first_missing_field(name: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_event(name, [{}])
    field = next(field for field, info in EVENTS[name].model_fields.items() if info.is_required())
    assert (refused.value.field, refused.value.reason) == (field, "is missing")


@pytest.mark.parametrize(
    "arguments",
    [[], [None], ["pay"], [7], [1.5], [True], [[]], [[GOOD["resume"]]], [GOOD["resume"], GOOD["resume"]]],
    ids=repr,
)
@pytest.mark.parametrize("name", ["resume", "payment_received"])
def test_anything_but_one_object_is_refused(name: str, arguments: list[object]) -> None:
    with pytest.raises(Refused) as refused:
        parse_event(name, arguments)
    assert (refused.value.field, refused.value.reason) == ("message", "must be one JSON object")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(Refused, match="known are payment_received, ") as refused:
        parse_event("payment_recieved", [GOOD["payment_received"]])
    assert refused.value.field == "signal"


@pytest.mark.parametrize(
    ("name", "change", "field", "reason"),
    [
        # amounts: text only, positive, exact
        ("payment_received", {"amount": 1200.5}, "amount", TEXT_AMOUNT),  # a float has lost cents already
        ("payment_received", {"amount": float("nan")}, "amount", TEXT_AMOUNT),
        ("payment_received", {"amount": True}, "amount", TEXT_AMOUNT),
        ("payment_received", {"amount": None}, "amount", TEXT_AMOUNT),
        ("payment_received", {"amount": ["5.00"]}, "amount", TEXT_AMOUNT),
        ("payment_received", {"amount": {"value": "5.00"}}, "amount", TEXT_AMOUNT),
        ("payment_received", {"amount": "NaN"}, "amount", AMOUNT),
        ("payment_received", {"amount": "Infinity"}, "amount", AMOUNT),
        ("payment_received", {"amount": "-5.00"}, "amount", "is below zero"),
        ("payment_received", {"amount": "1e3"}, "amount", AMOUNT),
        ("payment_received", {"amount": "1,200.00"}, "amount", AMOUNT),
        ("payment_received", {"amount": "1.200,00"}, "amount", AMOUNT),
        ("payment_received", {"amount": "1_200"}, "amount", AMOUNT),
        ("payment_received", {"amount": "²"}, "amount", AMOUNT),  # a digit to some, no number
        ("payment_received", {"amount": "١٢"}, "amount", AMOUNT),
        ("payment_received", {"amount": ""}, "amount", AMOUNT),
        ("payment_received", {"amount": "."}, "amount", AMOUNT),
        ("payment_received", {"amount": "0"}, "amount", "must be above zero"),
        ("payment_received", {"amount": 0}, "amount", "must be above zero"),
        ("payment_received", {"amount": -5}, "amount", "is below zero"),
        ("payment_received", {"amount": "1000000000000"}, "amount", "is too large"),
        ("payment_received", {"amount": "9" * 5000}, "amount", "is too large"),
        ("payment_received", {"amount": 10**40}, "amount", AMOUNT),
        ("payment_received", {"amount": "0.0000001"}, "amount", "has more decimal places than any currency"),
        ("dispute_resolved", {"outcome": "adjusted", "new_amount": "0.0000000"}, "new_amount", "has more decimal"),
        # days
        ("promise_to_pay", {"date": "15.03.2027"}, "date", DAY),
        ("promise_to_pay", {"date": "2027-3-15"}, "date", DAY),
        ("promise_to_pay", {"date": "20270315"}, "date", DAY),
        ("promise_to_pay", {"date": "2027-03-15T00:00:00"}, "date", DAY),
        ("promise_to_pay", {"date": "1805068800"}, "date", DAY),  # seconds since 1970
        ("promise_to_pay", {"date": 1805068800}, "date", DAY),
        ("promise_to_pay", {"date": None}, "date", DAY),
        ("promise_to_pay", {"date": "tomorrow"}, "date", DAY),
        ("promise_to_pay", {"date": "2027-02-29"}, "date", DAY),
        ("promise_to_pay", {"date": "1999-12-31"}, "date", "must lie between the years 2000 and 2099"),
        ("promise_to_pay", {"date": "2100-01-01"}, "date", "must lie between the years 2000 and 2099"),
        ("pause", {"until": "9999-12-31"}, "until", "must lie between the years 2000 and 2099"),
        ("invoice_amended", {"due_on": "0001-01-01"}, "due_on", "must lie between the years 2000 and 2099"),
        ("call_outcome", {"promise": {"date": "9999-12-31"}}, "promise.date", "must lie between the years"),
        # times
        ("payment_received", {"received_at": "2027-03-10T09:00:00"}, "received_at", "needs a time zone offset"),
        ("payment_received", {"received_at": "2027-03-10"}, "received_at", "needs a time zone offset"),
        ("payment_received", {"received_at": "yesterday"}, "received_at", TIME),
        ("payment_received", {"received_at": 1805068800}, "received_at", TIME),
        ("payment_received", {"received_at": "9999-12-31T23:59:59-14:00"}, "received_at", "must lie between"),
        ("delivery_report", {"at": "0001-01-01T00:00:00+14:00"}, "at", "must lie between the years"),
        ("delivery_report", {"at": None}, "at", TIME),
        # people and reasons: a role, an id or a short code, never personal data
        ("resume", {"by": "ada@debtor.example"}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": ""}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": "x" * 61}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": "agent\n7"}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": "agent\x00"}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": "agent-7\n"}, "by", "must be a role, an id or a short code"),
        ("resume", {"by": 7}, "by", "must be text"),
        ("resume", {"by": None}, "by", "must be text"),
        ("resume", {"by": "\ud800"}, "by", ""),
        ("pause", {"reason": "she said: “I'll pay”"}, "reason", "must be a short code"),
        ("call_outcome", {"task_id": "t 1"}, "task_id", "is no id of a task"),
        # words outside the list
        ("dispute_resolved", {"outcome": "won"}, "outcome", "upheld"),
        ("call_outcome", {"outcome": "busy"}, "outcome", "no_answer"),
        ("delivery_report", {"status": "claimed"}, "status", "delivered"),
        # fields that are none, and their names
        ("resume", {"note": "x"}, "note", "is not a field of this message"),
        ("resume", {"ada@debtor.example\x00": 1}, "ada?debtor.example?", "is not a field of this message"),
        ("resume", {"k" * 500: 1}, "k" * 60, "is not a field of this message"),
        # plans
        ("payment_plan_agreed", {"instalments": []}, "instalments", "at least 1"),
        ("payment_plan_agreed", {"instalments": {}}, "instalments", ""),
        ("payment_plan_agreed", {"instalments": ["5.00"]}, "instalments.0", ""),
        ("payment_plan_agreed", {"instalments": [{"date": "2027-03-15"}]}, "instalments.0.amount", "is missing"),
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2027-03-15", "amount": "5.00"}] * 61},
            "instalments",
            "at most 60",
        ),
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2150-03-15", "amount": "5.00"}]},
            "instalments.0.date",
            "must lie between",
        ),
    ],
)
def test_a_malformed_field_is_named_with_its_reason(
    name: str, change: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(Refused) as refused:
        parse_event(name, [GOOD[name] | change])
    assert refused.value.field == field
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        # as people write telephone numbers
        ("+49 30 1234567", True),
        ("030/123456", True),
        ("555-0142", True),
        ("call 0171.234.5678", True),
        ("+1-202-555-0142", True),
        ("tel491712345678", True),
        ("٠١٢٣٤٥٦٧٨", True),
        # roles, ids, codes and days
        ("agent-7", False),
        ("accounts payable 2", False),
        ("agent-123456", False),
        ("R01", False),
        ("waits until 2027-03-15", False),
        ("2027-03-15 to 2027-04-01", False),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", False),
        ("00000000-1111-2222-3333-444444444444", False),
    ],
)
@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, model in EVENTS.items()
        for field in model.model_fields
        if field in {"by", "promised_by", "opened_by", "reason", "reason_code", "via"}
        and (name, field) != ("payment_reversed", "reason")  # a bank's reference: money news must not fail over it
    ],
)
def test_no_phone_number_where_people_write(name: str, field: str, value: str, refused: bool) -> None:
    if not refused:
        given = value.replace(" ", "-") if field.startswith("reason") else value
        assert getattr(parse_event(name, [GOOD[name] | {field: given}]), field) == given
        return
    with pytest.raises(Refused, match="what may be a phone number") as said:
        parse_event(name, [GOOD[name] | {field: value}])
    assert said.value.field == field
    assert value not in str(said.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("payment_received", "payment_id"),
        ("payment_reversed", "payment_id"),
        ("payment_reversed", "reason"),
        ("promise_to_pay", "ref"),
        ("call_outcome", "task_id"),
        ("delivery_report", "message_id"),
    ],
)
def test_an_id_of_a_machine_may_be_a_long_number(name: str, field: str) -> None:
    assert getattr(parse_event(name, [GOOD[name] | {field: "004915112345678"}]), field)


@pytest.mark.parametrize(
    ("rule", "value"),
    [("max_days", 366), ("max_days", 0), ("max_days", 10**12), ("limit", -1), ("limit", 101), ("grace_days", 61)],
)
def test_a_move_brings_no_boundless_promises(rule: str, value: int) -> None:
    with pytest.raises(Refused) as refused:
        parse_event("policy_moved", [GOOD["policy_moved"] | {"promises": {rule: value}}])
    assert refused.value.field == f"promises.{rule}"


def test_a_refusal_never_repeats_the_value() -> None:
    with pytest.raises(Refused) as refused:
        parse_event("resume", [{"by": "ada.lovelace@debtor.example"}])
    assert "ada" not in str(refused.value)


@pytest.mark.parametrize(
    ("given_amount", "amount"),
    [("1200.00", "1200.00"), (" 5 ", "5"), ("5.", "5"), (".5", "0.5"), (1200, "1200"), ("007.10", "7.10")],
)
def test_an_amount_is_read_exactly(given_amount: object, amount: str) -> None:
    event = parse_event("payment_received", [GOOD["payment_received"] | {"amount": given_amount}])
    assert isinstance(event, PaymentReceived)
    assert event.amount == Decimal(amount)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_no_json_does_more_than_be_refused(name: str, data: st.DataObject) -> None:
    """The fields are the message's own, so that the values are looked at."""
    fields = list(EVENTS[name].model_fields)
    content = data.draw(st.dictionaries(st.sampled_from(fields) | st.text(max_size=8), _json, max_size=6) | _json)
    good = data.draw(st.booleans())
    if good and isinstance(content, dict):
        content = GOOD[name] | content
    try:
        event = parse_event(name, [content])
    except Refused as refused:
        assert refused.field.isprintable()
        assert refused.reason
        str(refused).encode()
    else:
        assert parse_event(name, [event.model_dump(mode="json")]) == event


@given(st.text(), st.lists(_json, max_size=2))
@example("payment_received", [{"amount": [[[[[[]]]]]]}])
def test_no_name_does_more_than_be_refused(name: str, arguments: list[object]) -> None:
    with pytest.raises(Refused):
        parse_event(name, arguments)


def test_a_message_nested_without_end_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"amount": nested}
    with pytest.raises(Refused):
        parse_event("payment_received", [nested])
    while nested:  # taken apart by hand: freeing it in one go would overflow the stack
        nested = nested["amount"]


@pytest.mark.parametrize(
    "payment_id",
    ["a/-?:().,'+ Z9", "NOTPROVIDED", "RF18 5390 0754 7034", "pi_3Nk/2=", "Ref (2027), no. 7", "x" * 100],
)
def test_e1_a_payment_id_is_whatever_sepa_lets_a_bank_write(payment_id: str) -> None:
    event = parse_event("payment_received", [GOOD["payment_received"] | {"payment_id": payment_id}])
    assert isinstance(event, PaymentReceived)
    assert event.payment_id == payment_id


PYDANTIC = ("input should", "string should", "value error", "validation", "pattern", "^", "[\\w", "ctx", "tuple")


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize(
    "value",
    [None, True, 7, -1, 1.5, "", " ", "x" * 300, "a@b.example", "\ud800", [], [1], [{}] * 99, {}, {"a": {}}],
    ids=repr,
)
def test_e1_no_words_of_a_parser_reach_people(name: str, value: object) -> None:
    for field in EVENTS[name].model_fields:
        try:
            parse_event(name, [GOOD[name] | {field: value}])
        except Refused as refused:
            assert refused.field.split(".")[0] == field
            assert not [word for word in PYDANTIC if word in refused.reason.lower()], refused.reason
            assert ":" in refused.reason or " " in refused.reason


def test_e1_a_field_that_is_none_is_told_the_nearest() -> None:
    with pytest.raises(Refused, match="paymentid: is not a field of this message: did you mean 'payment_id'"):
        parse_event("payment_received", [GOOD["payment_received"] | {"paymentid": "x"}])
    with pytest.raises(Refused, match="colour: is not a field of this message: there are payment_id, amount, "):
        parse_event("payment_received", [GOOD["payment_received"] | {"colour": "x"}])


@pytest.mark.parametrize("amount", ["0", "0.00"])
def test_e2_an_amendment_to_nothing_names_cancel(amount: str) -> None:
    with pytest.raises(Refused, match=r"amount: must be above zero: .* ended with cancel"):
        parse_event("invoice_amended", [{"amount": amount, "by": "billing"}])


@pytest.mark.parametrize("reason", ["sick leave of Mr X", "bank interest ä", "a.b", "", "x" * 61])
@pytest.mark.parametrize("event", ["pause", "write_off", "cancel", "dispute_opened"])
def test_a_reason_is_a_short_code(event: str, reason: str) -> None:
    by = "opened_by" if event == "dispute_opened" else "by"
    with pytest.raises(Refused, match="must be a short code"):
        parse_event(event, [{"reason": reason, by: "agent-7"}])
    parse_event(event, [{"reason": "sick-leave_2", by: "agent-7"}])
