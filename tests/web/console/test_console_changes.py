"""Forms that are carried out once, the question what a customer is, moves of a policy, filters, and own approvals."""

import re
from dataclasses import replace
from html import unescape

import httpx
import pytest
from sqlalchemy import func, select

from dunwell.domain.policy import Policy
from dunwell.domain.principals import Role
from dunwell.domain.terms import DebtorKind, TaskKind
from dunwell.services.users import Users
from dunwell.store import audit, cases, tasks
from dunwell.store.tables import AuditRow, ContactRow, CustomerRow, InvoiceRow, TaskRow
from tests.builders import the_ladders
from tests.web.console.conftest import Site
from tests.web.console.test_console_pages import CHASED, PAGES, hidden
from tests.web.console.town import NOW
from tests.web.principals import OPERATOR

NEWER = the_ladders()["gradual-pressure"].version + 1
CUSTOMER = "/console/customers/lindenhof"
_BY_STATE = r"/console/(approvals/[^/]+/|filters/|cases/[^/]+/move|unmatched/[^/]+/|replies/[^/]+/people)"
"""A search, and what refuses or repeats by the state of its thing: a decision, a name, what became of money."""
WITHOUT_ID = {
    "/console/statements/preview",  # keeps nothing
    "/console/sign-out",
    "/console/profile",  # a switch
    "/console/policies/check",  # keeps nothing
    "/console/invoices/preview",  # keeps nothing
    "/console/letters/posted",  # a letter is posted once, whoever says so how often
}


def audited(site: Site, about: str) -> list[str]:
    with site.database.reading() as session:
        return [one.action for one in audit.read(session, about=about)]


# Once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_each_form_that_changes_something_has_an_id_of_its_own(http: httpx.AsyncClient, path: str) -> None:
    text = (await http.get(path)).text
    forms = re.findall(r'<form[^>]*action="([^"#]+)[^"]*" method="post"(.*?)</form>', text, re.DOTALL)
    bare = {action for action, inner in forms if 'name="form_id"' not in inner} - WITHOUT_ID
    assert {one for one in bare if not re.match(_BY_STATE, one)} == set()
    ids = re.findall(r'name="form_id" value="([^"]+)"', text)
    assert len(ids) == len(set(ids))


async def test_a_double_click_adds_one_contact(http: httpx.AsyncClient, site: Site) -> None:
    typed = {"role": "user", "name": "Uma Berg", "email": "uma@lindenhof.example"}
    form = f"{CUSTOMER}/contacts"
    typed |= hidden((await http.get(CUSTOMER)).text, form)
    answers = [await http.post(form, data=typed) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    with site.database.reading() as session:
        found = select(func.count()).select_from(ContactRow).where(ContactRow.email == "uma@lindenhof.example")
        assert session.scalar(found) == 1
    assert audited(site, "customer/lindenhof").count("corrected") == 1


async def test_a_pause_that_was_ended_is_not_begun_again_by_the_back_button(
    http: httpx.AsyncClient, site: Site
) -> None:
    typed = hidden((await http.get(CUSTOMER)).text, f"{CUSTOMER}/pause") | {"reason": "hardship"}
    assert (await http.post(f"{CUSTOMER}/pause", data=typed)).status_code == 303
    resume = hidden((await http.get(CUSTOMER)).text, f"{CUSTOMER}/resume")
    assert (await http.post(f"{CUSTOMER}/resume", data=resume)).status_code == 303
    assert (await http.post(f"{CUSTOMER}/pause", data=typed)).status_code == 303
    assert audited(site, "customer/lindenhof") == ["pause", "resume"]
    assert "Rests as a whole" not in (await http.get(CUSTOMER)).text


async def test_a_form_with_other_values_is_asked_about_and_a_refused_one_may_be_sent_again(
    http: httpx.AsyncClient, site: Site
) -> None:
    form = f"{CUSTOMER}/pause"
    typed = hidden((await http.get(CUSTOMER)).text, form)
    refused = await http.post(form, data=typed | {"reason": "hardship", "until": "2020-01-01"})
    assert refused.status_code == 422
    assert (await http.post(form, data=typed | {"reason": "hardship"})).status_code == 303
    other = await http.post(form, data=typed | {"reason": "merger"})
    assert other.status_code == 422 and "sent before with other values" in other.text
    assert audited(site, "customer/lindenhof") == ["pause"]


async def test_the_word_about_a_message_counts_once(http: httpx.AsyncClient, site: Site) -> None:
    (path,) = set(
        re.findall(r"/console/messages/[0-9a-f]{32}", (await http.get("/console/messages?state=unknown")).text)
    )
    typed = hidden((await http.get(path)).text, path) | {"outcome": "delivered"}
    assert [(await http.post(path, data=typed)).status_code for _ in range(2)] == [303, 303]
    assert audited(site, f"message/{path.rpartition('/')[2]}") == ["settled"]


async def test_a_request_for_approval_is_made_once(http: httpx.AsyncClient, site: Site) -> None:
    page = "/console/approvals"
    typed = hidden((await http.get(page)).text, page) | {
        "event": "write_off",
        "invoice_id": CHASED,
        "reason": "insolvent",
    }
    assert [(await http.post(page, data=typed)).status_code for _ in range(2)] == [303, 303]
    assert audited(site, f"invoice/{CHASED}").count("write_off_requested") == 1


async def test_a_refusal_of_what_the_outcome_holds_stands_beside_its_field(
    http: httpx.AsyncClient, site: Site
) -> None:
    with site.database.reading() as session:
        task = tasks.open_tasks(session, CHASED)[0].task_id
    page, form = f"/console?task={task}", f"/console/tasks/{task}"
    typed = hidden((await http.get(page)).text, form) | {"outcome": "promise", "promise.date": "2099-01-01"}
    text = (await http.post(form, data=typed)).text
    assert re.search(r'id="o-promise.date-error">[^<]*far', text) and '<a href="#o-promise.date">' in text


# What a customer is --------------------------------------------------------------------------------------


@pytest.fixture
def unclassified(site: Site) -> str:
    """The id of the task that asks what Lindenhof is."""
    with site.database.writing("lindenhof") as session:
        customer, invoice = session.get(CustomerRow, "lindenhof"), session.get(InvoiceRow, CHASED)
        assert customer is not None and invoice is not None
        customer.kind, invoice.interest = None, "statutory"
    return f"{CHASED}.customer-kind"


async def test_what_a_customer_is_is_asked_in_the_queue_and_answered_there(
    http: httpx.AsyncClient, site: Site, unclassified: str
) -> None:
    text = (await http.get("/console?kind=decision")).text
    assert f"task={unclassified}" in text
    form, page = f"/console/tasks/{unclassified}", f"/console?task={unclassified}"
    typed = hidden((await http.get(page)).text, form)
    missing = await http.post(form, data=typed)
    assert missing.status_code == 422 and "Is missing: choose one" in missing.text
    assert (await http.post(form, data=typed | {"kind": "alien"})).status_code == 422
    for _ in range(2):
        assert (await http.post(form, data=typed | {"kind": "business"})).status_code == 303
    with site.database.reading() as session:
        row = session.get(CustomerRow, "lindenhof")
    assert row is not None and row.kind is DebtorKind.BUSINESS
    assert unclassified not in (await http.get("/console?kind=decision")).text
    assert audited(site, "customer/lindenhof") == ["corrected"]


async def test_an_auditor_reads_the_question_and_cannot_answer_it(
    http: httpx.AsyncClient, site: Site, unclassified: str
) -> None:
    site.role = Role.AUDITOR
    assert "not close them" in (await http.get(f"/console?task={unclassified}")).text
    assert (await http.post(f"/console/tasks/{unclassified}", data={"kind": "business"})).status_code == 403


# Another version of the ladder ---------------------------------------------------------------------------


@pytest.fixture
def newer(site: Site) -> Policy:
    """The next version of the ladder of CHASED, in the folder of policies: contacts begin an hour later."""
    old = site.app.state.service.ladders["gradual-pressure"]
    new: Policy = old.model_copy(update={"version": NEWER, "window": (old.window[0].replace(hour=10), old.window[1])})
    service = site.app.state.service
    site.app.state.service = replace(service, ladders={**service.ladders, "gradual-pressure": new})
    return new


async def test_a_case_moves_to_another_version_after_a_look(
    http: httpx.AsyncClient, site: Site, newer: Policy
) -> None:
    case, form = f"/console/cases/{CHASED}", f"/console/cases/{CHASED}/move"
    assert f"see what version {NEWER} would change" in (await http.get(case)).text
    shown = await http.get(f"{form}?to={NEWER}")
    assert shown.status_code == 200 and "window: 09:00" in shown.text
    typed = hidden(shown.text, form)
    changed = await http.post(form, data=typed | {"fingerprint": "0" * 16})
    assert changed.status_code == 422 and "changed since the preview" in changed.text
    for _ in range(2):
        answer = await http.post(form, data=typed)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{case}?done=moved")
    with site.database.reading() as session:
        moved = cases.get(session, CHASED)
    assert moved is not None and moved.policy.version == NEWER
    assert [name for _, name, _ in site.engine.told] == [
        "policy_moved"
    ] * 2  # the stale one, which it refused, and one
    assert f"move?to={NEWER - 1}" in (await http.get(case)).text


async def test_a_version_that_is_none_is_refused_and_only_a_manager_moves(
    http: httpx.AsyncClient, site: Site, newer: Policy
) -> None:
    form = f"/console/cases/{CHASED}/move"
    assert (await http.get(f"{form}?to=70")).status_code == 422
    assert (await http.post(form, data={"to": "x"})).status_code == 422
    site.role = Role.AGENT
    assert "A manager moves it" in (await http.get(f"{form}?to={NEWER}")).text
    assert (await http.post(form, data={"to": str(NEWER)})).status_code == 403
    assert not site.engine.told


async def test_who_moved_a_case_does_not_approve_what_its_new_version_asks_for(
    http: httpx.AsyncClient, site: Site, newer: Policy
) -> None:
    form = f"/console/cases/{CHASED}/move"
    await http.post(form, data=hidden((await http.get(f"{form}?to={NEWER}")).text, form))
    with site.database.writing("lindenhof") as session:
        case = cases.get(session, CHASED)
        assert case is not None
        task_id = case.approval_task("hand-over")
        facts = {"invoice_id": CHASED, "step": "hand-over", "kind": TaskKind.APPROVAL, "due_at": NOW}
        tasks.add(session, TaskRow(task_id=task_id, reason="waits for our manager's yes", script="", **facts))
        case.outstanding.undecided.append("hand-over")
        cases.put(session, case, rehearsal=False, now=NOW)
    page, answer = f"/console?task={task_id}", f"/console/tasks/{task_id}"
    text = (await http.get(page)).text
    assert f"the ladder gradual-pressure, version {NEWER}, to which manager-1 moved this case" in text
    typed = hidden(text, answer) | {"outcome": "approved"}
    refused = await http.post(answer, data=typed)
    assert refused.status_code == 403 and "Nobody approves their own request" in refused.text
    Users(site.database).allow_own_approval(OPERATOR, NOW, on=True)
    assert (await http.post(answer, data=typed)).status_code == 303


# Saved filters -------------------------------------------------------------------------------------------


async def test_filters_are_saved_used_renewed_and_deleted(http: httpx.AsyncClient, site: Site) -> None:
    text = (await http.get("/console/cases?stage=open&policy=gentle-saas")).text
    typed = {"query": unescape(hidden(text, "/console/filters/cases")["query"]), "name": "SaaS <open>"}
    saved = await http.post("/console/filters/cases", data=typed)
    assert saved.headers["Location"] == "/console/cases?stage=open&policy=gentle-saas"
    text = (await http.get("/console/cases")).text
    assert "SaaS &lt;open&gt;" in text and "?stage=open&amp;policy=gentle-saas" in text
    await http.post("/console/filters/cases", data=typed | {"query": "stage=paid&evil=1"})
    text = (await http.get("/console/cases")).text
    assert "?stage=paid" in text and "evil" not in text and "gentle-saas&#34;" not in text
    site.user_id = "user-00000002"
    assert "SaaS" not in (await http.get("/console/cases")).text  # nobody else sees them
    site.user_id = None
    for _ in range(2):
        assert (await http.post("/console/filters/cases/delete", data={"name": "SaaS <open>"})).status_code == 303
    assert "SaaS" not in (await http.get("/console/cases")).text
    assert audited(site, "user/manager-1") == ["filters_saved", "filters_saved", "filters_deleted"]


@pytest.mark.parametrize("typed", [{"name": "x"}, {"name": "", "query": "q=a"}, {"name": "x" * 61, "query": "q=a"}])
async def test_filters_without_a_name_or_without_filters_are_refused(
    http: httpx.AsyncClient, site: Site, typed: dict[str, str]
) -> None:
    assert (await http.post("/console/filters/customers", data=typed)).status_code == 422
    with site.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditRow)) == _entries_at_first(site)


def _entries_at_first(site: Site) -> int:
    """The town's people did things before the test began."""
    with site.database.reading() as session:
        return (
            session.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.action != "filters_saved")) or 0
        )


# A message as it was sent --------------------------------------------------------------------------------


async def test_the_html_of_a_message_is_shown_in_a_frame_that_may_do_nothing(
    http: httpx.AsyncClient, site: Site
) -> None:
    (path, *_) = re.findall(
        r"/console/messages/[0-9a-f]{32}", (await http.get("/console/messages?channel=email")).text
    )
    shown = await http.get(path)
    assert '<iframe class="letter-frame" sandbox title' in shown.text and f'src="{path}/html"' in shown.text
    assert shown.headers["Content-Security-Policy"].endswith("frame-src 'self'")
    framed = await http.get(f"{path}/html")
    policy = framed.headers["Content-Security-Policy"]
    assert "sandbox;" in policy and "script-src" not in policy and "frame-ancestors 'self'" in policy
    assert framed.headers["Cache-Control"] == "no-store" and "<!doctype html>" in framed.text
    (sms, *_) = re.findall(r"/console/messages/[0-9a-f]{32}", (await http.get("/console/messages?channel=sms")).text)
    assert (await http.get(f"{sms}/html")).status_code == 404
