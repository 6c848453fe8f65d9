"""Two clerks at one case, a double click, the back button, a session that ends mid-form: for each kind of form."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape

import httpx
import pytest
from sqlalchemy import func, select

from dunwell.domain.principals import Role
from dunwell.domain.terms import TaskKind
from dunwell.services.approvals import Approvals
from dunwell.services.users import Users
from dunwell.store import tasks
from dunwell.store.tables import ApprovalRow, Base, ContactRow, CustomerRow, MessageRow, SessionRow
from tests.web.console.conftest import Site
from tests.web.console.test_console_pages import CHASED, PAUSED, hidden
from tests.web.console.town import NOW
from tests.web.principals import OPERATOR

DISPUTED, OVERPAID = "RIB-2027-022", "LIN-2027-002"
CUSTOMER, CONTACT = "/console/customers/lindenhof", "/console/contacts/lindenhof.executive.1"


@dataclass(frozen=True)
class Kind:
    """A kind of form: where it is, what is typed. `of` names what stands for ID in both: a row of the town."""

    name: str
    page: str
    action: str
    typed: Mapping[str, str] = field(default_factory=dict)
    of: str = ""


def _event(invoice_id: str, event: str, **typed: str) -> Kind:
    case = f"/console/cases/{invoice_id}"
    return Kind(event, case, f"{case}/{event}", typed)


EVENTS = (
    _event(CHASED, "promise_to_pay", date="2027-04-01", promised_by="executive", note="he rang"),
    Kind(
        "payment_plan_agreed",
        f"/console/cases/{CHASED}",
        f"/console/cases/{CHASED}/payment_plan_agreed",
        {"instalments.0.date": "2027-04-01", "instalments.0.amount": "18450.75"},
    ),
    _event(CHASED, "payment_announced", paid_on="2027-03-20", by="executive", note="so he said"),
    _event(CHASED, "call_requested", by="executive"),
    _event(CHASED, "dispute_opened", reason="wrong-quantity", opened_by="executive"),
    _event(DISPUTED, "dispute_resolved", outcome="rejected"),
    _event(CHASED, "pause", reason="hardship"),
    _event(PAUSED, "resume", note="they are ready"),
    _event(CHASED, "payment_received", payment_id="bank-1", amount="100.00"),
    _event(OVERPAID, "payment_reversed", payment_id="bank-8841", reason="returned", amount="10.00", reversal_id="r1"),
    _event(CHASED, "invoice_amended", amount="18000.00"),
    _event(CHASED, "write_off", reason="insolvent"),
    _event(CHASED, "cancel", reason="duplicate"),
    Kind("call", "/console?task=ID", "/console/tasks/ID", {"outcome": "no_answer", "note": "rang twice"}, "call"),
    Kind("decision", "/console?task=ID", "/console/tasks/ID", {"note": "done by hand"}, "decision"),
)
"""Forms that tell a case something."""

OTHERS = (
    Kind("pause of a customer", CUSTOMER, f"{CUSTOMER}/pause", {"reason": "merger"}),
    Kind("a new contact", CUSTOMER, f"{CUSTOMER}/contacts", {"role": "user", "name": "Uma", "email": "u@l.example"}),
    Kind("correction of a customer", CUSTOMER, f"{CUSTOMER}/set", {"name": "Lindenhof AG"}),
    Kind("correction of a contact", CUSTOMER, f"{CONTACT}/set", {"name": "M. Seidel"}),
    Kind("closing of a contact", CUSTOMER, f"{CONTACT}/close", {"reason": "left-company"}),
    Kind("credit to an invoice", CUSTOMER, f"/console/credits/{OVERPAID}/apply", {"to_invoice": "LIN-2027-020"}),
    Kind("credit paid back", CUSTOMER, f"/console/credits/{OVERPAID}/return", {"amount": "50.00"}),
    Kind("fate of a message", "/console/messages/ID", "/console/messages/ID", {"outcome": "delivered"}, "message"),
    Kind(
        "request",
        "/console/approvals",
        "/console/approvals",
        {"event": "write_off", "invoice_id": CHASED, "reason": "insolvent"},
    ),
    Kind("approval of a request", "/console/approvals", "/console/approvals/ID/approve", {}, "request"),
    Kind("decline of a request", "/console/approvals", "/console/approvals/ID/decline", {}, "request"),
)
"""Forms about customers, messages and requests."""


def _id(site: Site, of: str) -> str:
    if of == "request":
        Approvals(site.database).request(CHASED, "write_off", {"reason": "insolvent"}, OPERATOR, NOW)
    with site.database.reading() as session:
        if of == "request":
            return session.scalars(select(ApprovalRow.approval_id)).one()
        if of == "message":
            return session.scalars(select(MessageRow.message_id).where(MessageRow.state == "unknown")).one()
        return next(one.task_id for one in tasks.open_tasks(session) if one.kind is TaskKind(of))


@dataclass(frozen=True)
class Opened:
    """A form on a page that a clerk has open."""

    action: str
    fields: dict[str, str]


async def opened(http: httpx.AsyncClient, site: Site, kind: Kind, id_: str = "") -> Opened:
    id_ = id_ or (_id(site, kind.of) if kind.of else "")
    action, page = kind.action.replace("ID", id_), kind.page.replace("ID", id_)
    return Opened(action, hidden((await http.get(page)).text, action) | dict(kind.typed))


def problems(answers: list[httpx.Response]) -> list[list[str]]:
    return [re.findall(r"<li>(.*?)</li>", one.text.partition("Nothing was saved")[2][:1000]) for one in answers]


def counts(site: Site) -> dict[str, int]:
    """How many rows each table has, but for sessions, and how often cases were told something."""
    with site.database.reading() as session:
        known = {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
            if table.name != SessionRow.__tablename__
        }
    return known | {"told": len(site.engine.told)}


@pytest.mark.parametrize("kind", EVENTS + OTHERS, ids=lambda kind: kind.name)
async def test_a_double_click_and_the_back_button_do_it_once(http: httpx.AsyncClient, site: Site, kind: Kind) -> None:
    form, before = await opened(http, site, kind), counts(site)
    clicks = await asyncio.gather(*(http.post(form.action, data=form.fields) for _ in range(2)))
    assert [one.status_code for one in clicks] == [303, 303], problems(clicks)
    after = counts(site)
    assert after != before
    again = await http.post(form.action, data=form.fields)
    assert (again.status_code, counts(site)) == (303, after), problems([again])
    assert all(after[table] - before[table] <= 1 for table in ("requests", "notes", "payments", "access_changes"))


@pytest.mark.parametrize("kind", EVENTS + OTHERS, ids=lambda kind: kind.name)
async def test_a_session_that_ends_mid_form_loses_nothing_that_was_typed(
    http: httpx.AsyncClient, site: Site, kind: Kind
) -> None:
    form = await opened(http, site, kind)
    users, before, site.role = Users(site.database), counts(site), None
    users.add("ada@dunwell.example", Role.MANAGER, OPERATOR, NOW)
    ended = await http.post(form.action, data=form.fields)
    assert ended.status_code == 401 and "still here" in ended.text
    assert every_field(ended.text, form.action) == form.fields  # for whoever signs in in another tab
    link = users.link("ada@dunwell.example", OPERATOR, NOW, sets_password=False)
    signed_in = await http.post("/console/sign-in", data=every_field(ended.text, "/console/sign-in") | {"link": link})
    assert signed_in.status_code == 200 and counts(site)["told"] == before["told"]
    assert every_field(signed_in.text, form.action) == form.fields
    sent = await http.post(form.action, data=every_field(signed_in.text, form.action))
    assert sent.status_code == 303, problems([sent])


def every_field(text: str, action: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in hidden(text, action).items()}


async def test_a_long_note_in_another_script_is_carried_through_the_sign_in(site: Site) -> None:
    site.role = None
    note = "Разговор с бухгалтерией. " * 150
    async with site.browse() as http:
        action = f"/console/cases/{CHASED}/pause"
        ended = await http.post(action, data={"reason": "hardship", "note": note})
        assert note.strip() in unescape(every_field(ended.text, "/console/sign-in")["again"])


async def test_what_is_too_long_to_be_carried_along_is_sent_from_the_same_page(site: Site) -> None:
    site.role = None
    text = "# a policy\n" * 40_000
    async with site.browse() as http:
        ended = await http.post("/console/policies/check", data={"text": text})
    assert "in another tab" in ended.text and 'name="password"' not in ended.text
    assert every_field(ended.text, "/console/policies/check")["text"] == text.strip()


async def test_whoever_sent_a_file_is_told_to_choose_it_again(site: Site) -> None:
    site.role = None
    async with site.browse() as http:
        ended = await http.post("/console/invoices/preview", files={"file": ("x.csv", b"a;b")})
    assert ended.status_code == 401 and "choose the file again" in ended.text
    assert every_field(ended.text, "/console/sign-in")["next"] == "/console/invoices"


# Two clerks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
async def test_of_two_clerks_the_second_is_shown_what_the_first_did(
    http: httpx.AsyncClient, site: Site, kind: Kind
) -> None:
    id_ = _id(site, kind.of) if kind.of else ""
    first, second = [await opened(http, site, kind, id_) for _ in range(2)]
    assert (await http.post(first.action, data=first.fields)).status_code == 303
    told = len(site.engine.told)
    answer = await http.post(second.action, data=second.fields)
    if kind.of:  # the task is closed: nothing is left to do, and the second hears so
        assert answer.status_code == 409 or "remark" in answer.headers["Location"]
    else:
        assert answer.status_code == 409 and "while you were writing" in answer.text
    assert len(site.engine.told) == told


async def test_what_a_clerk_insists_on_is_done_once_more(http: httpx.AsyncClient, site: Site) -> None:
    kind = next(one for one in EVENTS if one.name == "pause")
    first, second = [await opened(http, site, kind) for _ in range(2)]
    await http.post(first.action, data=first.fields)
    shown = await http.post(second.action, data=second.fields)
    sure = hidden(shown.text, second.action) | {"reason": "system-migration"}
    answers = await asyncio.gather(*(http.post(second.action, data=sure) for _ in range(2)))
    assert [one.status_code for one in answers] == [303, 303]
    assert [content["reason"] for _, name, content in site.engine.told if name == "pause"] == [
        "hardship",
        "system-migration",
    ]


async def test_forms_of_two_clerks_at_the_same_moment_are_both_answered(http: httpx.AsyncClient, site: Site) -> None:
    kind = EVENTS[0]
    forms = [await opened(http, site, kind) for _ in range(2)]
    answers = await asyncio.gather(*(http.post(one.action, data=one.fields) for one in forms))
    assert {one.status_code for one in answers} <= {303, 409}
    assert sum(one.status_code == 303 for one in answers) == len(site.engine.told)


# Corrections ---------------------------------------------------------------------------------------------


async def test_a_second_clerk_changes_only_what_they_changed(http: httpx.AsyncClient, site: Site) -> None:
    """The page of the second clerk is older than what the first one saved."""
    first = {CONTACT: {"email": "new@lindenhof.example"}, CUSTOMER: {"language": "fr"}}
    second = {CONTACT: {"phone": "+493023125499"}, CUSTOMER: {"name": "Lindenhof AG"}}
    opened_forms = [
        (base, await _fields(http, f"{base}/set") | typed[base]) for typed in (first, second) for base in typed
    ]
    for base, fields in opened_forms:
        answer = await http.post(f"{base}/set", data=fields)
        assert answer.status_code == 303, problems([answer])
    with site.database.reading() as session:
        contact, customer = session.get(ContactRow, "lindenhof.executive.1"), session.get(CustomerRow, "lindenhof")
        assert contact is not None and customer is not None
        assert (contact.email, contact.phone) == ("new@lindenhof.example", "+493023125499")
        assert (customer.language, customer.name) == ("fr", "Lindenhof AG")


@pytest.mark.parametrize(
    ("base", "field", "first", "second"),
    [(CONTACT, "email", "new@lindenhof.example", "other@lindenhof.example"), (CUSTOMER, "name", "One AG", "Two AG")],
)
async def test_two_clerks_who_correct_one_field_are_told(
    http: httpx.AsyncClient, base: str, field: str, first: str, second: str
) -> None:
    form = f"{base}/set"
    one, two = [await _fields(http, form) for _ in range(2)]
    assert (await http.post(form, data=one | {field: first})).status_code == 303
    answer = await http.post(form, data=two | {field: second})
    assert answer.status_code == 409 and f"is {first} by now: somebody else changed it" in unescape(answer.text)
    again = _shown(answer.text, form)
    assert again[field] == second and again[f"was.{field}"] == first
    assert (await http.post(form, data=again)).status_code == 303
    assert (await _fields(http, form))[field] == second


async def _fields(http: httpx.AsyncClient, form: str) -> dict[str, str]:
    return _shown((await http.get(CUSTOMER)).text, form)


def _shown(text: str, form: str) -> dict[str, str]:
    """The fields of the form with this action, as a browser would send them untouched."""
    part = text.partition(f'action="{form}"')[2].partition("</form>")[0]
    inputs = dict(re.findall(r'<input[^>]* name="([\w.]+)" value="([^"]*)"', part))
    areas = dict(re.findall(r'<textarea[^>]* name="([\w.]+)"[^>]*>([^<]*)</textarea>', part))
    chosen = dict(re.findall(r'<select[^>]* name="([\w.]+)".*?<option value="([^"]*)" selected', part, re.DOTALL))
    return {name: unescape(value).replace("\n", "\r\n") for name, value in (inputs | areas | chosen).items()}
