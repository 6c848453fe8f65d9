"""The page of unmatched money: two clicks to confirm, a split by hand, and every decision taken back."""

import re
from datetime import timedelta

import httpx
import pytest

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.checkpoint import Reversal
from dunwell.domain.principals import Role
from dunwell.services.incoming_payments import IncomingPayments
from dunwell.store import cases, incoming_payments, payments
from dunwell.store.tables import IncomingPaymentRow, PaymentRow
from tests.intake.statements import camt, camt_entry
from tests.services.test_reported_payments import reported
from tests.web.console.conftest import Site
from tests.web.console.test_console_pages import CHASED, hidden
from tests.web.console.town import NOW
from tests.web.described import check_described

PAGE, API = "/console/unmatched", "/api/incoming-payments"


def entry(site: Site, identity: str) -> IncomingPaymentRow:
    with site.database.reading() as session:
        (row,) = (
            one
            for one in (
                *incoming_payments.waiting(session),
                *incoming_payments.lately(session, EntryState.BOOKED, 20),
            )
            if one.identity == identity
        )
    return row


def paid(site: Site, invoice_id: str) -> str:
    with site.database.reading() as session:
        case = cases.get(session, invoice_id)
    assert case is not None
    return str(round(case.money.paid, 2))


async def test_a_proposal_is_confirmed_by_one_button_and_undone_by_another(
    http: httpx.AsyncClient, site: Site
) -> None:
    text = (await http.get(PAGE)).text
    form = f"{PAGE}/{entry(site, 'likely').entry_id}/proposals/1/confirm"
    assert f'action="{form}"' in text and "it names invoice" in text.lower()
    before = paid(site, CHASED)
    for _ in range(2):  # a button that was pressed twice
        answer = await http.post(form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=confirm")
    assert float(paid(site, CHASED)) == float(before) + 900
    assert (await http.post(f"{PAGE}/{entry(site, 'likely').entry_id}/undo")).status_code == 303
    assert paid(site, CHASED) == before
    text = (await http.get(PAGE)).text
    assert f"{PAGE}/{entry(site, 'likely').entry_id}/proposals/2/confirm" in text  # as when it came in
    assert "before, which was undone on" in text


async def test_money_that_may_be_booked_already_takes_a_tick(http: httpx.AsyncClient, site: Site) -> None:
    one, before = entry(site, "likely"), paid(site, CHASED)
    facts = {"invoice_id": CHASED, "payment_id": "bank-other", "amount": one.amount, "currency": one.currency}
    with site.database.writing_beside_customers() as session:
        session.add(
            PaymentRow(**facts, received_at=one.received_at, recorded_at=NOW, method="bank", designation=None)
        )
    text = (await http.get(PAGE)).text
    assert "Beware: the same sum of" in text and "It is other money: book it beside that" in text
    form = f"{PAGE}/{one.entry_id}/proposals/1/confirm"
    refused = await http.post(form)
    assert refused.status_code == 422 and "or tick that it is other money." in refused.text
    api = await http.post(f"{API}/{one.entry_id}/proposals/1/confirm")
    assert api.status_code == 422 and "other_money" in api.text
    split = await http.post(f"{PAGE}/{one.entry_id}/match", data={"invoice.1": CHASED})
    assert split.status_code == 422 and f'value="{CHASED}"' in split.text
    assert (await http.post(form, data={"other_money": "yes"})).status_code == 303
    assert entry(site, "likely").state is EntryState.BOOKED and paid(site, CHASED) != before


async def test_what_a_case_was_told_is_taken_back_though_its_answer_was_lost(
    http: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service was killed after it had told the case, and before it could note that."""
    entry_id, before = entry(site, "likely").entry_id, paid(site, CHASED)
    with monkeypatch.context() as killed:
        killed.setattr(IncomingPayments, "told", lambda *_: None)
        await http.post(f"{PAGE}/{entry_id}/proposals/1/confirm")
    assert float(paid(site, CHASED)) == float(before) + 900
    assert (await http.post(f"{PAGE}/{entry_id}/undo")).status_code == 303
    assert paid(site, CHASED) == before


async def test_a_case_hears_nothing_of_what_was_undone_before_anybody_told_it(
    http: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_id = entry(site, "likely").entry_id
    with monkeypatch.context() as killed:
        killed.setattr(IncomingPayments, "to_tell", lambda *_: [])
        await http.post(f"{PAGE}/{entry_id}/proposals/1/confirm")
    stale = IncomingPayments(site.database, 2).to_tell(NOW, timedelta(hours=1), [entry_id])
    assert (await http.post(f"{PAGE}/{entry_id}/undo")).status_code == 303
    assert [IncomingPayments(site.database, 2).begin_telling(one, NOW) for one in stale] == [False]
    assert site.engine.told == []


async def test_what_a_payer_wrote_is_text(http: httpx.AsyncClient) -> None:
    text = (await http.get(PAGE)).text
    assert "<b>thanks</b>" not in text and "&lt;b&gt;thanks" in text


async def test_a_split_that_does_not_fit_is_said_beside_it_and_nothing_typed_is_lost(
    http: httpx.AsyncClient, site: Site
) -> None:
    row = entry(site, "nobody")
    form = f"{PAGE}/{row.entry_id}/match"
    refused = await http.post(form, data={"invoice.1": CHASED, "amount.1": "41.00"})
    assert refused.status_code == 422
    assert f'id="{row.entry_id}-problem"' in refused.text and 'value="41.00"' in refused.text
    for amount in ("x", "42.000", "42.00 USD"):
        assert (await http.post(form, data={"invoice.1": CHASED, "amount.1": amount})).status_code == 422
    assert (await http.post(form, data={"invoice.1": CHASED, "amount.1": ""})).status_code == 303
    assert entry(site, "nobody").state == "booked"


async def test_a_form_about_a_payment_that_was_booked_meanwhile_leads_to_its_undo(
    http: httpx.AsyncClient, site: Site
) -> None:
    entry_id = entry(site, "nobody").entry_id
    number = CHASED.replace("-", "/")
    assert (await http.post(f"{PAGE}/{entry_id}/match", data={"invoice.1": number})).status_code == 303
    stale = await http.post(f"{PAGE}/{entry_id}/aside", data={"reason": "bank-interest"})
    assert stale.status_code == 422
    (said,) = re.findall(r'<p class="notice bad" role="alert">(.*?)</p>', stale.text)
    assert said.endswith(f'“Undo” takes it back. It <a href="#decided-{entry_id}">stands below</a>.')
    assert stale.text.count(f'id="decided-{entry_id}"') == 1


async def test_a_payment_is_rejected_and_set_aside(http: httpx.AsyncClient, site: Site) -> None:
    entry_id = entry(site, "likely").entry_id
    number = len(re.findall(rf'action="{PAGE}/{entry_id}/proposals/\d/reject"', (await http.get(PAGE)).text))
    for one in range(1, number + 1):
        assert (await http.post(f"{PAGE}/{entry_id}/proposals/{one}/reject")).status_code == 303
    assert (await http.post(f"{PAGE}/{entry_id}/aside", data={"reason": "loan"})).status_code == 303
    text = (await http.get(PAGE)).text
    assert f'id="{entry_id}"' not in text and "(loan), says manager-1" in text.partition("Set aside lately")[2]
    assert (await http.post(f"{PAGE}/{entry_id}/undo")).status_code == 303
    text = (await http.get(PAGE)).text
    assert f'id="{entry_id}"' in text and "Set aside lately" not in text


async def test_an_unknown_payment_is_said_to_be_unknown(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{PAGE}/E0/undo")
    assert answer.status_code == 422 and "is no payment that came in" in answer.text


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PRODUCT])
async def test_who_only_reads_decides_nothing(http: httpx.AsyncClient, site: Site, role: Role) -> None:
    form = f"{PAGE}/{entry(site, 'likely').entry_id}/proposals/1/confirm"
    site.role = role
    assert (await http.post(form)).status_code == 403


async def test_a_case_that_refuses_the_money_is_shown(http: httpx.AsyncClient, site: Site) -> None:
    """Nothing is lost, and a person reads why."""
    row = entry(site, "nobody")
    assert (await http.post(f"{PAGE}/{row.entry_id}/match", data={"invoice.1": CHASED})).status_code == 303
    with site.database.reading() as session:
        (booking,) = incoming_payments.standing(session, row.entry_id)
    IncomingPayments(site.database, 3).told(booking, booking.at, "its day lies ahead")
    text = (await http.get(PAGE)).text
    assert "refuses it" in text and f'action="{PAGE}/{row.entry_id}/undo"' in text


# Over the API ----------------------------------------------------------------------------------------------


async def ask(http: httpx.AsyncClient, path: str, body: object = None) -> httpx.Response:
    answer = await (http.get(f"{API}{path}") if body is None else http.post(f"{API}{path}", json=body))
    check_described(answer)
    return answer


async def test_a_program_reads_what_waits_and_decides(http: httpx.AsyncClient, site: Site) -> None:
    site.role = Role.BILLING
    found = {one["text"]: one for one in (await ask(http, "")).json()}
    nobody = found["<b>thanks</b>"]
    assert (nobody["amount"], nobody["state"], nobody["proposals"]) == ("42.00", "unmatched", [])
    path = f"/{nobody['entry_id']}"
    assert (await ask(http, f"{path}/match", {"invoices": "LIN-2027-007"})).status_code == 422
    assert (await ask(http, f"{path}/match", {"invoices": [{"invoice_id": CHASED, "amount": 42}]})).status_code == 422
    booked = await ask(http, f"{path}/match", {"invoices": [{"invoice_id": CHASED, "amount": "42.00"}]})
    assert booked.status_code == 200
    assert [(one["invoice_id"], one["amount"]) for one in booked.json()["bookings"]] == [(CHASED, "42.00")]
    assert paid(site, CHASED) == "42.00"
    undone = await ask(http, f"{path}/undo", {})
    assert undone.json()["state"] == "unmatched" and paid(site, CHASED) == "0.00"
    aside = await ask(http, f"{path}/set-aside", {"reason": "loan"})
    assert aside.json()["state"] == "set_aside"
    again = await ask(http, f"{path}/match", {"invoices": [{"invoice_id": CHASED, "amount": "42.00"}]})
    assert again.status_code == 422 and "for no invoice (loan)" in again.text  # it exists, so it is no 404
    taken_up = (await ask(http, f"{path}/undo", {})).json()
    assert (taken_up["state"], taken_up["overdue"]) == ("unmatched", False)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1e999999"])
async def test_a_share_that_is_no_amount_is_refused_everywhere(
    http: httpx.AsyncClient, site: Site, amount: str
) -> None:
    row = entry(site, "nobody")
    shares = [{"invoice_id": CHASED, "amount": amount}, {"invoice_id": "LIN-2027-007"}]
    told = await ask(http, f"/{row.entry_id}/match", {"invoices": shares})
    assert told.status_code == 422 and "is not an amount" in told.text
    typed = {"invoice.1": CHASED, "amount.1": amount, "invoice.2": "LIN-2027-007"}
    sent = await http.post(f"{PAGE}/{row.entry_id}/match", data=typed)
    assert sent.status_code == 422 and "is not an amount" in sent.text


async def test_a_program_confirms_and_rejects_proposals(http: httpx.AsyncClient, site: Site) -> None:
    path = f"/{entry(site, 'likely').entry_id}"
    assert (await ask(http, f"{path}/proposals/x/confirm", {})).status_code == 404
    assert (await ask(http, f"{path}/proposals/77/confirm", {})).status_code == 404
    assert (await ask(http, "/E0")).status_code == 404
    confirmed = await ask(http, f"{path}/proposals/1/confirm", {})
    assert confirmed.json()["state"] == "booked"
    assert (await ask(http, f"{path}/proposals/1/reject", {})).status_code == 422
    assert (await ask(http, path)).json() == confirmed.json() | {"age_days": 0}


async def test_a_form_that_was_carried_out_changes_nothing_when_it_comes_again(
    http: httpx.AsyncClient, site: Site
) -> None:
    """A double click, and the back button after somebody took the booking back."""
    entry_id = entry(site, "nobody").entry_id
    forms = re.findall(
        rf'action="{PAGE}/{entry_id}/match".*?name="form_id" value="([0-9a-f]+)"', (await http.get(PAGE)).text
    )
    typed = {"invoice.1": CHASED, "form_id": forms[0]}
    before = paid(site, CHASED)
    for _ in range(2):
        answer = await http.post(f"{PAGE}/{entry_id}/match", data=typed)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=match")
    assert (await http.post(f"{PAGE}/{entry_id}/undo", data={"form_id": "another"})).status_code == 303
    assert (await http.post(f"{PAGE}/{entry_id}/match", data=typed)).status_code == 303
    assert (entry(site, "nobody").state, paid(site, CHASED)) == ("unmatched", before)


async def test_every_form_of_the_page_has_an_id_of_its_own(http: httpx.AsyncClient) -> None:
    text = (await http.get(PAGE)).text
    ids = re.findall(r'name="form_id" value="([0-9a-f]+)"', text)
    assert len(set(ids)) == len(ids) == text.count(f'action="{PAGE}/') > 3


async def test_a_payment_that_stripe_reported_is_decided_and_undone_in_every_door(
    http: httpx.AsyncClient, site: Site
) -> None:
    reported(site.database, "pi_9")
    path = f"{PAGE}/stripe:pi_9"
    assert (await http.post(f"{path}/aside", data={"reason": "not-ours"})).status_code == 303
    assert f'action="{path}/undo"' in (await http.get(PAGE)).text.partition("Set aside lately")[2]
    taken_up = (await ask(http, "/stripe:pi_9/undo", {})).json()
    assert (taken_up["state"], "which manager-1 undid" in taken_up["why"]) == ("unmatched", True)
    booked = (await ask(http, "/stripe:pi_9/match", {"invoices": [{"invoice_id": CHASED}]})).json()
    assert (booked["state"], booked["bookings"][0]["invoice_id"]) == ("booked", CHASED)
    assert f'action="{path}/undo"' in (await http.get(PAGE)).text.partition("Booked lately")[2]
    assert (await http.post(f"{path}/undo")).status_code == 303
    assert "was undone by manager-1" in (await http.get(PAGE)).text.partition("Booked lately")[0]


async def test_money_that_went_back_to_the_payer_says_so_and_offers_no_undo(
    http: httpx.AsyncClient, site: Site
) -> None:
    entry_id = entry(site, "likely").entry_id
    await http.post(f"{PAGE}/{entry_id}/proposals/1/confirm")
    assert f"{PAGE}/{entry_id}/undo" in (await http.get(PAGE)).text
    with site.database.writing_beside_customers() as session:
        (booking,) = incoming_payments.standing(session, entry_id)
        went = Reversal(payment_id=booking.payment_id, key="r1", amount=booking.amount, at=NOW, reason="returned")
        payments.put_reversal(session, CHASED, went, NOW)
    text = (await http.get(PAGE)).text
    assert "Its money went back to the payer on" in text and "there is nothing left to undo" in text
    assert f"{PAGE}/{entry_id}/undo" not in text
    assert (await http.post(f"{PAGE}/{entry_id}/undo")).status_code == 422
    answer = await http.get(f"{API}/{entry_id}")
    check_described(answer)
    told = answer.json()
    assert (told["taken_back"], told["returned_on"]) == (True, f"{NOW:%Y-%m-%d}")


async def test_the_id_that_a_bank_gives_is_no_word_of_the_payer_and_what_came_today_is_not_0_days_old(
    http: httpx.AsyncClient,
) -> None:
    content = camt(camt_entry("77.00", "für Müller", day="2026-03-02", end_to_end="E2E-20270001"))
    preview = await http.post("/console/statements/preview", files={"file": ("x.xml", content)})
    await http.post("/console/statements/book", data=hidden(preview.text, "/console/statements/book"))
    text = (await http.get(PAGE)).text
    assert "“für Müller”" in text and "<code>E2E-20270001</code>" in text
    assert "less than a day old" in text and "0 days old" not in text
    (told,) = (one for one in (await ask(http, "")).json() if one["amount"] == "77.00")
    assert (told["text"], told["reference"]) == ("für Müller", "E2E-20270001")


async def test_a_reason_typed_with_umlauts_is_taken_without_them(http: httpx.AsyncClient, site: Site) -> None:
    one = entry(site, "nobody").entry_id
    answer = await http.post(f"{PAGE}/{one}/aside", data={"reason": "Rücküberweisung größer", "form_id": "a"})
    assert answer.status_code == 303
    with site.database.reading() as session:
        (row,) = incoming_payments.lately(session, EntryState.SET_ASIDE, 1)
    assert "Rueckueberweisung-groesser" in row.why


async def test_a_field_is_named_as_people_read_it_on_the_page_of_a_refusal(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console/figures.csv?as_of=soon")).text
    assert "As of: " in text and "s_of:" not in text
