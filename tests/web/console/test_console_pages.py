"""The pages over HTTP: what they show, what their forms do, and what becomes of a refusal."""

import re
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pypdf import PdfReader, PdfWriter

from bench.clerks import counted
from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import WRONG_NUMBER
from dunwell.domain.events import parse_event
from dunwell.domain.principals import Role
from dunwell.domain.terms import MessageState, PayerState, TaskKind, TaskState
from dunwell.services import payers as payer_service
from dunwell.store import addresses, cases, notes, outbox, payers, tasks
from dunwell.store.tables import (
    CaseRow,
    ContactRow,
    CustomerRow,
    InvoiceRow,
    MessageRow,
    NoteRow,
    PayerRow,
    TaskRow,
    UserRow,
)
from tests.intake.statements import camt, camt_entry
from tests.web.console.conftest import Site
from tests.web.console.engine import Handle
from tests.web.console.town import NOW
from tests.web.principals import bearer, give_keys
from workflows.status import status_of_unopened

PROMISED, CHASED, PAUSED = "BRI-2027-041", "LIN-2027-007", "BRI-2027-033"
PAGES = (
    "/console",
    "/console?kind=call",
    "/console/cases",
    "/console/cases?q=lindenhof",
    f"/console/cases/{PROMISED}",
    "/console/cases/HAN-2027-101",
    "/console/cases/RIB-2027-022",
    f"/console/cases/{PAUSED}",
    "/console/cases/LIN-2027-002",
    "/console/cases/LIN-2027-020",
    f"/console/cases/{CHASED}/preview?step=hand-over",
    "/console/customers",
    "/console/approvals",
    "/console/unmatched",
    "/console/replies?state=all",
    "/console/replies/r-promise",
    "/console/replies/r-unknown",
    "/console/customers/lindenhof",
    "/console/customers/brightwater",
    "/console/messages",
    "/console/messages?state=unknown",
    "/console/figures",
    "/console/letters",
    "/console/policies",
    "/console/policies/gradual-pressure",
    "/console/profile",
    "/console/customers?q=hansen",
    "/console/audit",
    "/console/invoices",
    "/console/statements",
)
"""A page of every kind, and a case in each stage."""


def hidden(text: str, form: str) -> dict[str, str]:
    """The hidden fields of the form with this action, as a browser would send them."""
    part = text.partition(f'action="{form}"')[2].partition("</form>")[0]
    assert part, f"the page has no form {form}"
    return dict(re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', part))


def stage(site: Site, invoice_id: str) -> str:
    with site.database.reading() as session:
        row = cases.get_row(session, invoice_id)
    assert row is not None
    return row.stage.value


async def _fill(http: httpx.AsyncClient, page: str, form: str, **typed: str) -> httpx.Response:
    """Open the page and send one of its forms."""
    text = (await http.get(page)).text
    return await http.post(form, data=hidden(text, form) | typed)


# What they show ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_opens_under_the_policy_that_forbids_foreign_content(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r' style="| on\w+="|<script(?! src="/console/static/)', answer.text)


async def test_the_queue_has_the_most_urgent_first_and_opens_it(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console?kind=call")).text
    amounts = re.findall(r'<span class="amount">([\d,.]+) EUR', text.partition("<ol>")[2])
    assert len(amounts) == 6
    assert "What to say" in text and "tel:+4533123456" in text


@pytest.mark.parametrize("path", ["/console", "/console/cases", "/console?kind=decision", "/api/tasks?limit=1"])
async def test_a_page_sends_no_statement_a_row(http: httpx.AsyncClient, site: Site, path: str) -> None:
    give_keys(site.database)
    headers = bearer(Role.ADMINISTRATOR)
    with counted(site.database) as since:
        await http.get(path, headers=headers)
        since()
        await http.get(path, headers=headers)
        before = since()
        _more_work(site, 25)
        since()
        await http.get(path, headers=headers)
        assert since() <= before + 2


def _more_work(site: Site, count: int) -> None:
    """So many further customers of unknown kind, each with an open case that claims interest, and a task."""
    with site.database.writing() as session:
        case, invoice = session.get(CaseRow, CHASED), session.get(InvoiceRow, CHASED)
        customer = session.get(CustomerRow, "lindenhof")
        assert case is not None and invoice is not None and customer is not None
        for number in range(count):
            name, new = f"x-{number}", {"customer_id": f"c-{number}"}
            session.add(_copy(customer, **new, kind=None))
            session.flush()
            session.add(_copy(invoice, **new, invoice_id=name, number=name, interest="statutory", pay_code=None))
            session.flush()
            session.add(_copy(case, **new, invoice_id=name))
            task = {"task_id": f"t-{number}", "kind": TaskKind.CALL, "reason": "due", "script": "", "step": "call"}
            session.add(TaskRow(**task, invoice_id=name, due_at=NOW, state=TaskState.OPEN))


def _copy(row: Any, **changes: Any) -> Any:
    known = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    return type(row)(**known | changes)


async def test_htmx_gets_the_task_alone(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console", headers={"HX-Request": "true"})).text
    assert text.lstrip().startswith('<section id="task"')


async def test_what_waits_is_counted_with_a_link_to_each(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console")).text
    assert 'href="/console/cases/RIB-2027-031"' in text and "Findings of the comparison" in text
    assert "Messages of unknown fate" in text and "150.00 EUR on LIN/2027/002" in text


async def test_a_case_says_what_is_done_what_comes_and_why_not_sooner(http: httpx.AsyncClient) -> None:
    text = (await http.get(f"/console/cases/{CHASED}")).text
    rows = dict(re.findall(r'<tr class="([\w-]+)">\s*<th scope="row">([\w-]+)', text))
    assert {"done", "next"} <= set(rows), rows
    assert rows["next"] == "hand-over" and "business days" in text
    assert '<svg class="ladder"' in text


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("write_off", "Nothing of it is claimed any more"),
        ("cancel", "The invoice was cancelled: nothing of it was ever owed"),
    ],
)
async def test_a_case_that_ended_says_that_nothing_is_claimed(
    http: httpx.AsyncClient, site: Site, event: str, says: str
) -> None:
    with site.database.writing("brightwater") as session:
        case = cases.get(session, PROMISED)
        assert case is not None
        case.apply(parse_event(event, [{"reason": "uneconomic", "by": "agent-7"}]), NOW)
        cases.put(session, case, rehearsal=False, now=NOW)
    assert says in (await http.get(f"/console/cases/{PROMISED}")).text


async def test_the_next_message_is_shown_before_it_leaves(http: httpx.AsyncClient, site: Site) -> None:
    before = _messages(site)
    text = (await http.get(f"/console/cases/{CHASED}/preview?step=hand-over")).text
    assert "Katrin Vogel" in text and "18,450.75" in text
    assert _messages(site) == before


def _messages(site: Site) -> int:
    with site.database.reading() as session:
        return session.query(MessageRow).count()


@pytest.mark.parametrize(
    ("words", "found"),
    [("lindenhof", 3), ("LIN/2027/007", 1), ("18,450.75", 1), ("18450.75", 1), ("nobody", 0), ("100%", 0), ("_", 0)],
)
async def test_cases_are_found_by_what_people_know(http: httpx.AsyncClient, words: str, found: int) -> None:
    text = (await http.get("/console/cases", params={"q": words})).text
    assert f"{found} case{'' if found == 1 else 's'} found" in text


async def test_filters_narrow_and_the_file_holds_what_they_leave(http: httpx.AsyncClient) -> None:
    query = {"stage": "open", "policy": "gentle-saas", "least": "1000", "sort": "amount"}
    text = (await http.get("/console/cases", params=query)).text
    assert "2 cases found" in text and text.index("BRI/2027/015") < text.index("BRI/2027/041")
    answer = await http.get("/console/cases.csv", params=query)
    lines = answer.text.splitlines()
    assert (
        answer.headers["Content-Type"].startswith("text/csv")
        and "attachment" in answer.headers["Content-Disposition"]
    )
    assert [line.partition(",")[0] for line in lines[1:]] == ["BRI-2027-015", "BRI-2027-041"]


async def test_no_spreadsheet_takes_a_name_for_a_formula(http: httpx.AsyncClient, site: Site) -> None:
    await http.post("/console/customers/ribera/set", data={"name": "=SUM(A1:A9)"})
    text = (await http.get("/console/cases.csv")).text
    assert "'=SUM" in text and ",=SUM" not in text


async def test_what_others_wrote_is_text_and_never_markup(http: httpx.AsyncClient) -> None:
    await http.post("/console/customers/ribera/set", data={"name": "<script>alert(1)</script>"})
    for path in ("/console", "/console/customers/ribera", "/console/cases?q=script"):
        text = (await http.get(path)).text
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text


async def test_the_evidence_is_a_file_whose_chain_holds(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/console/cases/{PROMISED}/evidence")
    assert "attachment" in answer.headers["Content-Disposition"] and answer.text.count("\n") > 10
    assert "promised" in (await http.get(f"/console/cases/{PROMISED}/chronology")).text


# What their forms do -------------------------------------------------------------------------------------


async def test_a_promise_is_recorded_once_and_the_page_says_so(http: httpx.AsyncClient, site: Site) -> None:
    case, form = f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/promise_to_pay"
    text = (await http.get(case)).text
    typed = hidden(text, form) | {"date": "2027-04-01", "promised_by": "executive", "note": "he rang us"}
    answers = [await http.post(form, data=typed) for _ in range(2)]  # a double click, or the back button
    assert [answer.status_code for answer in answers] == [303, 303]
    assert "Done: the case has it" in (await http.get(answers[0].headers["Location"])).text
    assert [name for _, name, _ in site.engine.told] == ["promise_to_pay"]
    assert stage(site, CHASED) == "promised"
    with site.database.reading() as session:
        (note,) = notes.of_invoice(session, CHASED)
    assert (note.text, note.author) == ("he rang us", "manager-1")


async def test_the_same_form_with_other_values_is_not_taken_for_the_first(
    http: httpx.AsyncClient, site: Site
) -> None:
    case, form = f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/promise_to_pay"
    typed = hidden((await http.get(case)).text, form) | {
        "date": "2027-04-01",
        "promised_by": "executive",
        "seen": "0",
    }
    await http.post(form, data=typed)
    again = await http.post(form, data=typed | {"date": "2027-04-02"})
    assert again.status_code == 422 and "sent before with other values" in again.text
    assert hidden(again.text, form)["form_id"] != typed["form_id"]
    assert len(site.engine.told) == 1


@pytest.mark.parametrize(
    ("typed", "field", "reason"),
    [
        ({"promised_by": "executive"}, "date", "Is missing"),
        ({"date": "2027-02-01", "promised_by": "executive"}, "date", "past"),
        ({"date": "2027-04-01", "amount": "lots", "promised_by": "executive"}, "amount", "is not an amount"),
        ({"date": "2027-04-01", "amount": "1.200", "promised_by": "executive"}, "amount", "may be 1200.00 or 1.20"),
        (
            {"date": "2027-04-01", "amount": "500 USD", "promised_by": "executive"},
            "amount",
            "write what it is in EUR",
        ),
        ({"date": "2027-04-01"}, "promised_by", "Is missing"),
        ({"date": "2027-04-01", "promised_by": "executive", "note": "x" * 4001}, "note", "longer than 4000"),
    ],
)
async def test_a_refusal_stands_beside_its_field_and_nothing_typed_is_lost(
    http: httpx.AsyncClient, site: Site, typed: dict[str, str], field: str, reason: str
) -> None:
    answer = await _fill(http, f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/promise_to_pay", **typed)
    assert answer.status_code == 422
    beside = re.search(rf'id="promise_to_pay-{field}-error">([^<]*)<', answer.text)
    assert beside and reason in beside[1].replace("&#39;", "'"), answer.text
    assert f'<a href="#promise_to_pay-{field}">' in answer.text
    for text in typed.values():
        assert text in answer.text
    assert stage(site, CHASED) == "chasing"


async def test_a_refused_form_can_be_mended_and_sent_again(http: httpx.AsyncClient, site: Site) -> None:
    form = f"/console/cases/{CHASED}/promise_to_pay"
    refused = await _fill(http, f"/console/cases/{CHASED}", form, date="2027-02-01", promised_by="executive")
    typed = hidden(refused.text, form) | {"date": "2027-04-01", "promised_by": "executive"}
    assert (await http.post(form, data=typed)).status_code == 303
    assert stage(site, CHASED) == "promised"


async def test_of_two_clerks_the_second_hears_what_the_first_did(http: httpx.AsyncClient, site: Site) -> None:
    case, form = f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/promise_to_pay"
    pages = [hidden((await http.get(case)).text, form) for _ in range(2)]
    first = await http.post(form, data=pages[0] | {"date": "2027-04-01", "promised_by": "executive"})
    second = await http.post(form, data=pages[1] | {"date": "2027-04-02", "promised_by": "accounts_payable"})
    assert (first.status_code, second.status_code) == (303, 409)
    assert "18450.75 EUR promised for 2027-04-01" in second.text and 'value="2027-04-02"' in second.text
    sure = hidden(second.text, form) | {"date": "2027-04-02", "promised_by": "accounts_payable"}
    assert (await http.post(form, data=sure)).status_code == 303
    assert len(site.engine.told) == 2


async def test_a_call_is_closed_with_what_came_of_it_and_the_next_task_opens(
    http: httpx.AsyncClient, site: Site
) -> None:
    task = _task(site, "LIN-2027-007")
    form = f"/console/tasks/{task}"
    page = f"/console?task={task}"
    answer = await _fill(http, page, form, outcome="promise", **{"promise.date": "2027-04-01"})
    assert answer.status_code == 303
    assert task not in (await http.get(answer.headers["Location"])).text
    assert stage(site, CHASED) == "promised"


async def test_the_outcome_that_lacks_its_date_is_refused_beside_it(http: httpx.AsyncClient, site: Site) -> None:
    task = _task(site, "LIN-2027-007")
    answer = await _fill(http, f"/console?task={task}", f"/console/tasks/{task}", outcome="promise", note="at noon")
    assert answer.status_code == 422 and "is needed when the outcome is promise" in answer.text
    assert "at noon" in answer.text and 'value="promise" checked' in answer.text.replace('id="o-outcome" ', "")


async def test_a_decision_is_closed_by_saying_that_it_is_done(http: httpx.AsyncClient, site: Site) -> None:
    task = _task(site, "LIN-2027-002")
    answer = await _fill(http, f"/console?task={task}", f"/console/tasks/{task}", note="paid back by hand")
    assert answer.status_code == 303
    with site.database.reading() as session:
        assert not tasks.open_tasks(session, "LIN-2027-002")


async def test_the_form_of_a_call_says_what_follows_from_each_outcome(http: httpx.AsyncClient, site: Site) -> None:
    text = (await http.get(f"/console?task={_task(site, 'LIN-2027-007')}")).text
    for said in ("Steps up to the due date keep their day", "The number is not called any more, for any invoice."):
        assert said in text


async def test_of_whoever_wants_no_more_calls_the_page_says_so_and_offers_to_call_again(
    http: httpx.AsyncClient, site: Site
) -> None:
    task, page = _task(site, "LIN-2027-007"), "/console/customers/lindenhof"
    contact_id = _call(site, task).contact_id or ""
    assert f"/contacts/{contact_id}/stop-calls" in (await http.get(page)).text
    answer = await _fill(http, f"/console?task={task}", f"/console/tasks/{task}", outcome="no_calls")
    assert answer.status_code == 303
    text = (await http.get(page)).text
    assert "call: belongs to somebody who wants no more calls" in text
    assert f"/contacts/{contact_id}/stop-calls" not in text
    allowed = await _fill(http, page, f"/console/contacts/{contact_id}/allow-calls")
    assert allowed.status_code == 303
    assert "wants no more calls" not in (await http.get(page)).text


async def test_whoever_cannot_be_called_is_looked_for_by_the_form_of_the_contact(
    http: httpx.AsyncClient, site: Site
) -> None:
    task = _task(site, "LIN-2027-007")
    contact_id, page = _call(site, task).contact_id or "", f"/console?task={task}"
    with site.database.writing("lindenhof") as session:
        row = session.get(ContactRow, contact_id)
        assert row is not None
        row.phone = None
    text = (await http.get(page)).text
    assert "Find a way to reach Lindenhof" in text and "No phone number of theirs is known." in text
    assert "What to say" not in text and 'value="no_answer"' not in text
    saved = await _fill(http, page, f"/console/contacts/{contact_id}/set", name="Katrin", phone="+49 30 23125499")
    assert saved.status_code == 303
    text = (await http.get(page)).text
    assert "Call: Lindenhof" in text and "What to say" in text and 'value="no_answer"' in text


async def test_whoever_was_reached_in_another_way_is_off_the_list(http: httpx.AsyncClient, site: Site) -> None:
    task = _task(site, "LIN-2027-007")
    with site.database.writing("lindenhof") as session:
        row = session.get(ContactRow, _call(site, task).contact_id)
        assert row is not None
        addresses.close(session, Channel.CALL, row.phone or "", WRONG_NUMBER, NOW)
    text = (await http.get(f"/console?task={task}")).text
    assert "Do not call: the number on file is a wrong number." in text
    answer = await _fill(http, f"/console?task={task}", f"/console/tasks/{task}", note="met at the fair")
    assert answer.status_code == 303
    assert _call(site, task).state == "done"


async def test_a_call_before_the_due_date_says_why_one_calls(http: httpx.AsyncClient, site: Site) -> None:
    task = _task(site, "LIN-2027-007")
    with site.database.writing("lindenhof") as session:
        session.merge(_call(site, task)).amount = None  # as of a call because nobody could be reached in writing
    assert ">To ask for<" in (await http.get(f"/console?task={task}")).text
    with site.database.writing("lindenhof") as session:
        case = cases.get(session, "LIN-2027-007")
        assert case is not None
        case.due_on = NOW.date() + timedelta(days=3)
        cases.put(session, case, rehearsal=False, now=NOW)
    text = (await http.get(f"/console?task={task}")).text
    assert "Nothing is overdue yet: the invoice is due on" in text and ">To ask for<" not in text


async def test_a_task_about_a_payer_is_closed_by_the_decision_alone(http: httpx.AsyncClient, site: Site) -> None:
    with site.database.writing("lindenhof") as session:
        row = PayerRow(payer_id="ab" * 16, invoice_id=CHASED, customer_id="lindenhof", link_id="link-1", who="Vogel")
        row.name, row.email, row.email_key, row.language = "Marta Gil", "m@grupo.example", "m@grupo.example", "de"
        row.state, row.named_at = PayerState.ASKED, NOW
        payers.add(session, row)
        case = cases.get(session, CHASED)
        assert case is not None
        payer_service.ask_person(session, case, row, NOW)
        (task,) = [one.task_id for one in tasks.open_tasks(session, CHASED) if ".payer." in one.task_id]
    text = (await http.get(f"/console?task={task}")).text
    assert "Marta Gil, m@grupo.example" in text and ">Write to them<" in text and "It is done" not in text
    assert "waits for a decision" in (await http.get(f"/console/cases/{CHASED}")).text
    assert (await http.post(f"/console/tasks/{task}", data={"form_id": "0" * 32})).status_code == 422
    decided = await http.post(f"/console/cases/{CHASED}/payers/{row.payer_id}", data={"decision": "leave"})
    assert decided.status_code == 303 and _call(site, task).state == "done"
    for page in (f"/console/cases/{CHASED}", "/console/customers/lindenhof"):
        text = (await http.get(page)).text
        assert "Marta Gil" in text and "is not written to" in text and ">Write to them<" not in text


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("delivered", PayerState.SENT), ("failed", PayerState.FAILED), ("bounced", PayerState.BOUNCED)],
)
async def test_a_person_says_what_became_of_a_mail_to_a_payer(
    http: httpx.AsyncClient, site: Site, outcome: str, state: PayerState
) -> None:
    with site.database.writing("lindenhof") as session:
        row = PayerRow(payer_id="cd" * 16, invoice_id=CHASED, customer_id="lindenhof", link_id="link-1", who="Vogel")
        row.name, row.email, row.email_key, row.language = "Marta Gil", "m@grupo.example", "m@grupo.example", "de"
        row.state, row.named_at, row.called_at = PayerState.UNKNOWN, NOW, NOW
        payers.add(session, row)
    path = f"/console/messages/payer-{row.payer_id}"
    text = (await http.get(path)).text
    assert "What became of it?" in text and "the next channel" not in text
    settled = await _fill(http, path, path, outcome=outcome)
    assert settled.status_code == 303
    text = (await http.get(settled.headers["Location"])).text
    assert "Recorded." in text and "the case goes on" not in text and "What became of it?" not in text
    with site.database.reading() as session:
        kept = payers.get(session, row.payer_id)
    assert kept is not None and kept.state is state
    assert (await http.post(path, data={"outcome": outcome, "form_id": "f" * 32})).status_code == 422
    assert site.engine.told == []


def _call(site: Site, task_id: str) -> TaskRow:
    with site.database.reading() as session:
        row = tasks.get(session, task_id)
    assert row is not None
    return row


def _task(site: Site, invoice_id: str) -> str:
    with site.database.reading() as session:
        return tasks.open_tasks(session, invoice_id)[0].task_id


async def test_a_whole_customer_rests_and_goes_on(http: httpx.AsyncClient, site: Site) -> None:
    page, base = "/console/customers/lindenhof", "/console/customers/lindenhof"
    refused = await _fill(http, page, f"{base}/pause", reason="hardship", until="2020-01-01")
    assert refused.status_code == 422 and "must lie after today" in refused.text.lower()
    assert (await _fill(http, page, f"{base}/pause", reason="hardship")).status_code == 303
    assert stage(site, CHASED) == "paused"
    assert (await _fill(http, page, f"{base}/resume")).status_code == 303
    assert stage(site, CHASED) == "chasing"


async def test_a_contact_is_corrected_closed_and_opened(http: httpx.AsyncClient, site: Site) -> None:
    contact, page = "lindenhof.executive.1", "/console/customers/lindenhof"
    base = f"/console/contacts/{contact}"
    shown = {"name": "Dr. Martin Seidel", "phone": "+493023125400", "post": "Werkstraße 12\r\n10115 Berlin"}
    answer = await http.post(f"{base}/set", data=shown | {"email": "seidel@lindenhof.example"})
    assert answer.status_code == 303 and _contact(site, contact).email == "seidel@lindenhof.example"
    refused = await http.post(f"{base}/set", data=shown | {"email": "no address"})
    assert refused.status_code == 422 and 'id="contact-set-lindenhof-executive-1-email-error"' in refused.text
    assert (await _fill(http, page, f"{base}/close", reason="left-company")).status_code == 303
    assert _contact(site, contact).closed_why == "left-company"
    assert (await _fill(http, page, f"{base}/open")).status_code == 303
    assert _contact(site, contact).closed_at is None


def _contact(site: Site, contact_id: str) -> ContactRow:
    with site.database.reading() as session:
        row = session.get(ContactRow, contact_id)
    assert row is not None
    return row


async def test_credit_pays_another_invoice_once(http: httpx.AsyncClient, site: Site) -> None:
    form = "/console/credits/LIN-2027-002/apply"
    typed = hidden((await http.get("/console/customers/lindenhof")).text, form) | {"to_invoice": "LIN-2027-020"}
    refused = await http.post(form, data=typed | {"amount": "9000.00"})
    assert refused.status_code == 422 and "amount-error" in refused.text
    refused = await http.post(form, data=typed | {"amount": "5 USD"})
    assert refused.status_code == 422 and "write what it is in EUR" in refused.text
    for _ in range(2):
        assert (await http.post(form, data=typed)).status_code == 303
    with site.database.reading() as session:
        case = cases.get(session, "LIN-2027-020")
    assert case is not None and str(case.open_amount) == "490.00"


async def test_credit_that_no_worker_took_in_yet_is_not_called_booked(
    http: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(Handle, "start_update", nobody)
    form = "/console/credits/LIN-2027-002/apply"
    typed = hidden((await http.get("/console/customers/lindenhof")).text, form) | {"to_invoice": "LIN-2027-020"}
    answer = await http.post(form, data=typed)
    assert answer.status_code == 303
    shown = (await http.get(answer.headers["Location"])).text
    assert "is not booked yet" in shown and "The credit is booked" not in shown


async def test_a_person_says_what_became_of_a_message(http: httpx.AsyncClient, site: Site) -> None:
    text = (await http.get("/console/messages?state=unknown")).text
    (path,) = set(re.findall(r"/console/messages/[0-9a-f]{32}", text))
    assert (await http.post(path, data={"outcome": "lost"})).status_code == 422
    assert (await http.post(path, data={"outcome": "delivered"})).status_code == 303
    assert "0 messages" in (await http.get("/console/messages?state=unknown")).text


# Who may -------------------------------------------------------------------------------------------------


async def test_an_auditor_reads_and_is_offered_no_form(http: httpx.AsyncClient, site: Site) -> None:
    site.role = Role.AUDITOR
    uploads = {"/console/invoices", "/console/statements"}
    assert [(await http.get(path)).status_code for path in sorted(uploads)] == [403, 403]
    for path in set(PAGES) - uploads:
        answer = await http.get(path)
        posts = set(re.findall(r'action="([^"]+)" method="post"', answer.text))
        posts -= {"/console/sign-out", "/console/policies/check#check-title"}  # neither writes anything
        posts -= {
            "/console/profile",
            "/console/filters/cases",
            "/console/filters/customers",
            "/console/filters/messages",
        }
        assert (answer.status_code, posts) == (200, set()), path
    refused = await http.post(f"/console/cases/{CHASED}/pause", data={"reason": "x"})
    assert refused.status_code == 403 and "auditor" in refused.text
    assert not site.engine.told


async def test_an_agent_is_not_offered_what_only_a_manager_does(http: httpx.AsyncClient, site: Site) -> None:
    site.role = Role.AGENT
    text = (await http.get(f"/console/cases/{CHASED}")).text
    assert "/promise_to_pay" in text and "/write_off" not in text
    assert (await http.post(f"/console/cases/{CHASED}/write_off", data={"reason": "x"})).status_code == 403


async def test_a_form_of_another_site_changes_nothing(site: Site) -> None:
    site.role = None
    async with site.browse() as http:
        http.headers["Sec-Fetch-Site"] = "cross-site"
        answer = await http.post(f"/console/cases/{CHASED}/pause", data={"reason": "x"})
    assert answer.status_code == 403 and not site.engine.told


async def test_what_somebody_did_bears_their_name_there_and_in_the_audit(http: httpx.AsyncClient, site: Site) -> None:
    with site.database.writing_beside_customers() as session:
        facts = {"email": "ana@dunwell.example", "name": "Ana López", "role": Role.MANAGER, "created_at": NOW}
        session.add(UserRow(user_id="user-0badcafe", **facts))
    site.user_id = "user-0badcafe"
    await _fill(http, f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/pause", reason="hardship")
    text = (await http.get(f"/console/cases/{CHASED}")).text
    assert "Paused by Ana López: hardship" in text and "user-0badcafe" not in text
    text = (await http.get(f"/console/audit?about=invoice/{CHASED}")).text
    assert "Ana López" in text and "pause" in text and "hardship" in text


# New invoices, letters, policies -------------------------------------------------------------------------

_HEAD = "invoice_id;number;customer_id;customer_name;country;accounts_payable_name;accounts_payable_email;Summe"
_FILE = f"""{_HEAD};currency;issued_on;due_on
N-1;N/1;nord;Nordwind KG;DE;Ida Nord;ida@nordwind.example;1.200,50;EUR;01.03.2027;31.03.2027
N-2;N/2;nord;Nordwind KG;DE;Ida Nord;ida@nordwind.example;-5,00;EUR;01.03.2027;31.03.2027
"""


async def test_a_file_is_read_then_mapped_then_started(http: httpx.AsyncClient, site: Site) -> None:
    first = await http.post("/console/invoices/preview", files={"file": ("märz.csv", _FILE.encode())})
    assert first.status_code == 422 and "Missing: &#39;amount&#39;" in first.text and not site.engine.started
    assert "<option>Summe</option>" in first.text.partition('name="holds.amount"')[2].partition("</select>")[0]
    mapped = _fields(first.text) | {"holds.amount": "Summe"}
    second = await http.post("/console/invoices/preview", data=mapped)
    assert "1 invoice can be started" in second.text and "1,200.50 EUR" in second.text
    assert "semicolon" in second.text and "-5,00" in second.text and "1 problem" in second.text
    start = hidden(second.text, "/console/invoices/start")
    answer = await http.post("/console/invoices/start", data=start)
    assert answer.status_code == 200 and "<b>1</b> started" in answer.text
    assert site.engine.started == ["N-1"]
    assert "Nordwind KG" in (await http.get("/console/cases?q=N/1")).text


async def test_a_call_that_they_asked_for_stands_with_its_hour(http: httpx.AsyncClient, site: Site) -> None:
    case = f"/console/cases/{CHASED}"
    assert (
        await _fill(http, case, f"{case}/call_requested", by="executive", at="2027-03-25T10:30")
    ).status_code == 303
    text = (await http.get(case)).text
    coming = text.partition("What comes next")[2].partition("</section>")[0]
    assert "<strong>Call</strong>" in coming and "Thu 25 Mar 2027, 10:30" in coming and ", 00:00" not in coming


async def test_one_column_is_id_and_number_and_lines_around_the_table_are_said(
    http: httpx.AsyncClient, site: Site
) -> None:
    table = _FILE.replace("invoice_id;number", "mark;Rechnung")
    text = f"Offene Posten Liste zum 24.03.2027\n{table}Summe;;;;;;;1.195,50;;;"
    first = await http.post("/console/invoices/preview", files={"file": ("op.csv", text.encode())})
    second = await http.post(
        "/console/invoices/preview",
        data=_fields(first.text) | {"holds.amount": "Summe", "holds.number": "Rechnung", "unused.0": "mark"},
    )
    assert "1 invoice can be started, 2 problems" in second.text and "1 line above the titles" in second.text
    assert "Looks like the total of the list" in second.text
    assert "Ids are made from the numbers, as N-1 from N/1." in second.text
    start = hidden(second.text, "/console/invoices/start")
    assert "<b>1</b> started" in (await http.post("/console/invoices/start", data=start)).text
    assert site.engine.started == ["N-1"]


async def test_what_has_no_column_is_written_once_for_every_line(http: httpx.AsyncClient, site: Site) -> None:
    file = _FILE.replace("Summe", "amount").replace(";currency", "").replace(";EUR", "")
    first = await http.post("/console/invoices/preview", files={"file": ("op.csv", file.encode())})
    assert first.status_code == 422 and "write there what is the same in every line" in first.text
    second = await http.post("/console/invoices/preview", data=_fields(first.text) | {"fixed.currency": "EUR"})
    assert "1 invoice can be started" in second.text and "every record with currency EUR" in second.text
    assert re.search(r'name="fixed.currency" value="EUR" aria-label="Currency in every line"', second.text)
    start = hidden(second.text, "/console/invoices/start")
    assert "<b>1</b> started" in (await http.post("/console/invoices/start", data=start)).text


async def test_the_upload_page_and_the_preview_say_whom_a_file_has_to_name(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console/invoices")).text
    assert "number, amount, currency, issued on, due on, customer id, customer name, country" in text
    assert "accounts payable name, and accounts payable email" in text
    head = "number,customer_id,customer_name,country,amount,currency,issued_on,due_on\n"
    known = "N-7,lindenhof,Lindenhof,DE,5.00,EUR,2027-03-01,2027-03-31\n"
    file = f"{head}{known}N-8,new,New AG,DE,5.00,EUR,2027-03-01,2027-03-31\n"
    answer = await http.post("/console/invoices/preview", files={"file": ("new.csv", file.encode())})
    assert answer.status_code == 422 and "1 invoice can be started" in answer.text
    assert "Hold nobody to ask" in answer.text and "accounts_payable_name and accounts_payable_email" in answer.text


def _fields(text: str) -> dict[str, str]:
    """The hidden fields of the page's form for the columns."""
    return dict(re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', text))


@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        (("x.csv", b""), 200, "0 invoices can be started"),
        (("x.json", b"[1, {"), 422, "What is wrong"),
        (("x.csv", b"a" * 700_001), 413, "longer than 700000 bytes"),
        (("x.jsonl", b'{"invoice_id": "x", "document": "/etc/hostname"}'), 422, "What is wrong"),
        (("", b"x"), 422, "No file was chosen"),
    ],
)
async def test_a_file_that_is_none_is_said_to_be_none(
    http: httpx.AsyncClient, file: tuple[str, bytes], status: int, said: str
) -> None:
    answer = await http.post("/console/invoices/preview", files={"file": file})
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


_PAST = "2026-03-02"  # the real clock says what lies in the future
_STATEMENT = camt(
    camt_entry("18450.75", "LIN/2027/007", day=_PAST),
    camt_entry("77.00", "für Müller", day=_PAST),
    camt_entry("3.00", sign="DBIT", day=_PAST),
)


async def test_a_statement_is_previewed_then_booked_once(http: httpx.AsyncClient, site: Site) -> None:
    page = await http.post("/console/statements/preview", files={"file": ("märz.xml", _STATEMENT)})
    assert page.status_code == 200 and "18,450.75 EUR" in page.text and "Paid on invoices" in page.text
    assert "für Müller" in page.text and "Outgoing, not kept" in page.text and not site.engine.told
    form = hidden(page.text, "/console/statements/book")
    for _ in range(2):
        answer = await http.post("/console/statements/book", data=form)
        assert answer.status_code == 200 and "What came of it" in answer.text
    assert [(one[0], one[1]) for one in site.engine.told] == [("LIN-2027-007", "payment_received")]
    assert "märz.xml" in (await http.get("/console/statements")).text
    again = await http.post("/console/statements/preview", files={"file": ("copy.xml", _STATEMENT)})
    assert "This very file was booked before" in again.text


async def test_a_damaged_statement_is_booked_only_when_somebody_says_so(http: httpx.AsyncClient, site: Site) -> None:
    bad = _STATEMENT.replace(b">77.00<", b">7x.00<")
    page = await http.post("/console/statements/preview", files={"file": ("x.xml", bad)})
    assert page.status_code == 422 and "What is wrong" in page.text and "Entry 2" in page.text
    form = hidden(page.text, "/console/statements/book")
    refused = await http.post("/console/statements/book", data=form)
    assert refused.status_code == 422 and "Nothing is booked" in refused.text and not site.engine.told
    answer = await http.post("/console/statements/book", data=form | {"accept_partial": "yes"})
    assert answer.status_code == 200 and len(site.engine.told) == 1


@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        (("x.xml", b""), 422, "x.xml is empty"),
        (("x.pdf", b"%PDF-1.7"), 422, "none of camt.052"),
        (("x.xml", b"a" * 700_001), 413, "longer than 700000 bytes"),
        (("", b"x"), 422, "No file was chosen"),
    ],
)
async def test_what_is_no_statement_is_said_to_be_none(
    http: httpx.AsyncClient, file: tuple[str, bytes], status: int, said: str
) -> None:
    answer = await http.post("/console/statements/preview", files={"file": file})
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_a_policy_is_checked_in_the_checkers_words(http: httpx.AsyncClient) -> None:
    good = Path("policies/gentle-saas.toml").read_text(encoding="utf-8")
    answer = await http.post("/console/policies/check", data={"text": good})
    assert answer.status_code == 200 and "It can be used: gentle-saas" in answer.text
    answer = await http.post("/console/policies/check", data={"text": good.replace('when = "due', 'when = "dew', 1)})
    assert answer.status_code == 422 and "It cannot be used" in answer.text and "dew" in answer.text


async def test_a_policy_is_shown_for_an_invoice_of_ones_own(http: httpx.AsyncClient) -> None:
    text = (await http.get("/console/policies/gentle-saas?due=2027-12-20&country=BR&amount=500")).text
    assert "Tue 21 Dec 2027" in text
    assert (await http.get("/console/policies/gentle-saas?country=ZZ")).status_code == 422
    assert (await http.get("/console/policies/none")).status_code == 404


async def test_letters_are_printed_in_one_file_and_marked_as_posted(site: Site, tmp_path: Path) -> None:
    folder = site.settings.dunwell_state / "letters"
    folder.mkdir(parents=True)
    with site.database.writing("lindenhof") as session:
        row = next(row for row in outbox.of_invoice(session, CHASED) if row.channel == "letter")
        row.state, row.provider, row.provider_id = (
            MessageState.ACCEPTED,
            "print-folder",
            f"2027-03-17-{row.message_id}.pdf",
        )
        name, message_id = row.provider_id, row.message_id
    one = PdfWriter()
    one.add_blank_page(200, 200)
    one.write(folder / name)
    async with site.browse() as http:
        assert "1 letter to post" in (await http.get("/console/letters")).text
        printed = await http.get("/console/letters/print")
        assert len(PdfReader(BytesIO(printed.content)).pages) == 1
        assert (await http.post("/console/letters/posted", data={})).status_code == 422
        lost = (await http.get(f"/console/messages/{message_id}")).text
        assert "It was posted" in lost and "It never left" in lost  # as its task advises
        for _ in range(2):
            answer = await http.post("/console/letters/posted", data={f"letter.{message_id}": "yes"})
            assert answer.status_code == 303
        assert "0 letters to post" in (await http.get("/console/letters")).text


# What is not there ---------------------------------------------------------------------------------------

_PLACES_IN_LISTS = ("?first", "/cases?first", "/customers?first", "/messages?first", "/audit?before")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/cases/NOBODY", 404),
        ("/console/cases/%3Cscript%3E", 404),
        ("/console/customers/nobody", 404),
        ("/console/messages/0", 404),
        ("/console?task=none", 404),
        (f"/console/cases/{CHASED}/preview?step=none", 422),
        (f"/console/cases/{CHASED}/preview?step=plan-agreed~1", 422),
        (f"/console/cases/{CHASED}/preview?step=x~1", 422),
        ("/console/cases?first=x", 422),
        *((f"/console{path}=9223372036854775808", 422) for path in _PLACES_IN_LISTS),
        ("/console/static/nothing.js", 404),
    ],
)
async def test_what_is_not_there_is_said_on_a_page(http: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert "<script>" not in answer.text


async def test_a_form_that_nobody_has_is_refused(http: httpx.AsyncClient, site: Site) -> None:
    assert (await http.post(f"/console/cases/{CHASED}/policy_moved", data={})).status_code == 404
    assert (await http.post("/console/customers/lindenhof/delete", data={})).status_code == 404
    assert (await http.post(f"/console/cases/{CHASED}/pause", content=b"\xff\xfe=%zz")).status_code == 400
    assert not site.engine.told


async def test_a_run_that_has_only_begun_is_shown_by_the_databases_copy(
    site: Site, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late money begins a run of a case that has ended, which knows nothing of it before its first answer."""
    monkeypatch.setattr(site.engine, "status", lambda invoice_id: status_of_unopened(invoice_id, []))
    path = f"/console/cases/{PROMISED}"
    page = await http.get(path)
    assert page.status_code == 200
    assert "This is the database&#39;s copy: its run has only begun." in page.text
    assert "<dt>Due</dt><dd>–" not in page.text
    refused = await http.post(f"{path}/promise_to_pay", data={"form_id": "f1", "seen": "0", "date": "2020-01-01"})
    assert refused.status_code == 422


async def test_without_temporal_the_copy_is_shown_and_a_form_says_that_nothing_was_done(
    http: httpx.AsyncClient, site: Site
) -> None:
    site.engine.away = True
    assert "the server did not answer" in (await http.get(f"/console/cases/{CHASED}")).text.replace("&#39;", "'")
    answer = await http.post(f"/console/cases/{CHASED}/pause", data={"reason": "hardship"})
    assert answer.status_code == 503 and "Temporal server does not answer" in answer.text
    with site.database.reading() as session:
        assert not session.query(NoteRow).count()
