"""Replies in the console, over the API and by command: shown first, handled once, answered as previewed."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import starter
from dunwell.commands import replies as commands
from dunwell.domain.channels import Channel
from dunwell.domain.principals import Role
from dunwell.domain.refusal import Refused
from dunwell.domain.reply_terms import ReplyChannel, ReplyKind, ReplyLine
from dunwell.store import addresses, answers, audit, cases, outbox, provider_events, replies, timeline
from dunwell.store.tables import ContactRow, MessageRow, ReplyRow
from dunwell.web.console.reply_proposals import proposed
from tests.builders import a_contact
from tests.web.console.conftest import Site
from tests.web.console.engine import Engine
from tests.web.console.town import NOW
from tests.web.described import check_described

PAGE, API = "/console/replies", "/api/replies"
REPLY, UNKNOWN, AWAY = "r-promise", "r-unknown", "r-away"
INVOICE, WRITER = "POR-2027-004", "portoclaro.accounts_payable.1"


def received(site: Site) -> None:
    """The cases of the customer know of the reply and rest."""
    with site.database.reading() as session:
        told = [one.invoice_id for one in replies.cases_of(session, REPLY)]
    for invoice_id in told:
        content = {"reply_id": REPLY, "channel": "email", "at": NOW.isoformat()}
        site.engine.apply(invoice_id, "reply_received", content)


def stored(site: Site, reply_id: str = REPLY) -> ReplyRow:
    with site.database.reading() as session:
        row = replies.get(session, reply_id)
    assert row is not None
    return row


def rests(site: Site) -> list[str]:
    """The open cases that rest because of the reply."""
    with site.database.reading() as session:
        known = [cases.get(session, row.invoice_id) for row in cases.open_of(session, ["portoclaro"])]
        return [one.invoice_id for one in known if one and any(r.reply_id == REPLY for r in one.agreements.replies)]


async def answer(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    typed = {"invoice": INVOICE, "form_id": "f1"} | fields
    return await http.post(f"{PAGE}/{REPLY}/answer", data=typed)


# What is shown -------------------------------------------------------------------------------------------


async def test_today_shows_replies_first_and_the_list_all_of_them(http: httpx.AsyncClient) -> None:
    today = (await http.get("/console")).text
    queue = today[today.index('id="queue-title"') :]
    first = re.search(r'class="card"[^>]*', queue)
    assert f'href="{PAGE}/{REPLY}"' in queue and queue.index(f"{PAGE}/{REPLY}") < queue.index("/console?task=")
    assert first is not None and "Porto Claro" in queue[: queue.index("/console?task=")]
    waiting, everything = (await http.get(PAGE)).text, (await http.get(f"{PAGE}?state=all")).text
    assert (UNKNOWN in waiting, AWAY in waiting, AWAY in everything) == (True, False, True)


async def test_a_reply_is_shown_as_text_with_its_files_as_downloads(http: httpx.AsyncClient) -> None:
    text = (await http.get(f"{PAGE}/{REPLY}")).text
    assert "26 de março &lt;b&gt;com certeza&lt;/b&gt;" in text and "<b>com" not in text
    assert "DKIM: not proven: signed by elsewhere.example, another domain" in text and "SPF: pass" in text
    assert "../Beleg &lt;1&gt;.pdf" in text and 'value="2027-03-26"' in text
    file = await http.get(f"{PAGE}/{REPLY}/files/1")
    assert (file.content, file.headers["content-type"]) == (b"%PDF-", "application/octet-stream")
    assert file.headers["content-disposition"] == 'attachment; filename="r-promise-1.pdf"'
    assert "sandbox" in file.headers["content-security-policy"]
    assert (await http.get(f"{PAGE}/{REPLY}/files/2")).status_code == 404
    assert (await http.get(f"{PAGE}/r-none")).status_code == 404


async def test_customer_and_case_show_replies_and_answers(http: httpx.AsyncClient, site: Site) -> None:
    received(site)
    assert (await answer(http, text="Obrigado.")).status_code == 303
    for page in ("/console/customers/portoclaro", f"/console/cases/{INVOICE}"):
        text = (await http.get(page)).text
        assert f'href="{PAGE}/{REPLY}"' in text and "answered" in text


# An answer -----------------------------------------------------------------------------------------------


async def test_an_answer_leaves_as_it_was_previewed_and_all_cases_go_on(http: httpx.AsyncClient, site: Site) -> None:
    received(site)
    assert INVOICE in rests(site)
    fields = {"phrase.please-name-a-date": "yes", "phrase.thanks-for-writing": "yes", "text": "Um <abraço>."}
    shown = (await answer(http, **fields, preview="yes")).text
    assert stored(site).handled_at is None and 'value="f1"' in shown  # the preview keeps the form's id
    assert "Re: Fatura POR/2027/004" in shown and "Em que dia você pode pagar?" in shown
    assert shown.index("Agradecemos a sua mensagem") < shown.index("Em que dia você pode pagar?")
    assert (
        'name="phrase.please-name-a-date" value="yes" checked' in shown and "Um &lt;abraço&gt;.</textarea>" in shown
    )
    sent = await answer(http, **fields)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{PAGE}/{REPLY}?done=answered")
    row = stored(site)
    assert (row.handled_by, row.outcome) == (site.principal.id, "answered") and rests(site) == []
    with site.database.reading() as session:
        (given,) = answers.of_replies(session, [REPLY])
        case = cases.get(session, INVOICE)
        entries = audit.read(session, about=f"reply/{REPLY}")
    assert case is not None and case.outstanding.owed == [f"@answer~{given.answer_id}"]
    assert (given.by, given.asks, given.words) == (site.principal.id, True, "Um <abraço>.")
    assert [one.action for one in entries] == ["answered"]
    told = [
        (invoice_id, content.get("answer"))
        for invoice_id, name, content in site.engine.told
        if name == "reply_handled"
    ]
    assert (INVOICE, given.answer_id) in told and sum(content is not None for _, content in told) == 1
    heard = [name for invoice_id, name, _ in site.engine.told if invoice_id == INVOICE]
    assert heard[-2:] == ["reply_received", "reply_handled"]  # whatever the courier has told by then


async def test_a_double_click_answers_once(http: httpx.AsyncClient, site: Site) -> None:
    received(site)
    first, second = await asyncio.gather(answer(http, text="Oi."), answer(http, text="Oi."))
    assert {first.status_code, second.status_code} == {303}
    assert (await answer(http, text="Other words.")).status_code == 422  # the same form with other values
    with site.database.reading() as session:
        assert len(answers.of_replies(session, [REPLY])) == 1


async def test_of_two_clerks_the_second_is_told_and_keeps_what_they_typed(
    http: httpx.AsyncClient, site: Site
) -> None:
    received(site)
    assert (await http.post(f"{PAGE}/{REPLY}/handled", data={"form_id": "a"})).status_code == 303
    late = await answer(http, text="Oi.", form_id="b")
    assert late.status_code == 422 and late.text.count("has handled it on") == 1
    assert late.text.count(">Oi.</textarea>") == 1 and "Send the answer" not in late.text
    wrong = {"invoice": INVOICE, "date": "2020-01-01", "promised_by": "accounts_payable", "form_id": "c"}
    told = await http.post(f"{PAGE}/{REPLY}/tell/promise_to_pay", data=wrong)
    assert told.status_code == 422 and 'value="2020-01-01"' in told.text
    assert rests(site) == []
    with site.database.reading() as session:
        assert answers.of_replies(session, [REPLY]) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "is empty: choose a phrase, or write something"),
        ({"phrase.nonsense": "yes"}, "is no phrase"),
        ({"phrase.payment-found": "yes"}, "no payment of this invoice is recorded"),
        ({"phrase.payment-found": "yes", "phrase.payment-not-found": "yes"}, "choose one of them"),
        ({"phrase.dispute-outcome": "yes"}, "no dispute of this invoice was ever decided"),
        ({"phrase.here-is-the-copy": "yes"}, "no document of this invoice is kept here"),
        ({"text": "x", "invoice": "LIN-2027-007"}, "is no invoice of this customer"),
        ({"text": "x", "also.r-unknown": "yes"}, "names a reply of another customer"),
    ],
)
async def test_what_cannot_be_said_is_refused_in_plain_words(
    http: httpx.AsyncClient, site: Site, fields: dict[str, str], says: str
) -> None:
    refused = await answer(http, **fields)
    assert refused.status_code == 422 and says in refused.text
    assert stored(site).handled_at is None


async def test_the_outcome_of_a_dispute_is_said_once_it_is_decided(http: httpx.AsyncClient, site: Site) -> None:
    box = 'name="phrase.dispute-outcome"'
    text = (await http.get(f"{PAGE}/{REPLY}")).text
    assert box not in text and "Dispute outcome: no dispute of this invoice was ever decided." in text
    site.engine.apply(INVOICE, "dispute_opened", {"reason": "quality", "opened_by": "accounts_payable"})
    assert "its dispute is still open" in (await http.get(f"{PAGE}/{REPLY}")).text
    site.engine.apply(INVOICE, "dispute_resolved", {"outcome": "rejected", "by": "agent-7"})
    assert box in (await http.get(f"{PAGE}/{REPLY}")).text


@pytest.mark.parametrize(
    ("event", "content", "why"),
    [
        ("payment_announced", {"by": "accounts_payable", "paid_on": "2027-03-22"}, "they say that it is paid"),
        ("promise_to_pay", {"date": "2027-03-26", "promised_by": "accounts_payable"}, "they have promised to pay by"),
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2027-03-26", "amount": "ALL"}], "by": "accounts_payable"},
            "a payment plan runs",
        ),
    ],
)
async def test_nobody_is_asked_for_a_date_while_one_is_known_or_the_payment_is_looked_for(
    http: httpx.AsyncClient, site: Site, event: str, content: dict[str, Any], why: str
) -> None:
    with site.database.reading() as session:
        case = cases.get(session, INVOICE)
    assert case is not None
    for part in content.get("instalments", ()):
        part["amount"] = str(case.open_amount)
    site.engine.apply(INVOICE, event, content)
    text = (await http.get(f"{PAGE}/{REPLY}")).text
    assert f"Please name a date: {why}" in text and 'name="phrase.please-name-a-date"' not in text
    refused = await answer(http, **{"phrase.please-name-a-date": "yes"})
    assert refused.status_code == 422 and f"does not fit: {why}" in refused.text


async def test_no_time_is_promised_that_the_contact_caps_forbid(
    http: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    received(site)
    full = [
        MessageRow(contact_id=WRITER, customer_id="portoclaro", address_key="", asks=False, claimed_at=now - days)
        for now in (datetime.now(UTC), NOW)  # programs live in the first, pages in the second
        for days in map(timedelta, (2.5, 2, 1.5, 1))
    ]
    monkeypatch.setattr(
        "dunwell.services.contact_caps.outbox.to_people",
        lambda _session, _keys, _ids, since: [row for row in full if row.claimed_at > since],
    )
    body = {"phrases": ["thanks-for-writing"]}
    previewed = (await ask(http, f"/{REPLY}/preview", body)).json()
    assert datetime.fromisoformat(previewed["leaves_at"]) >= full[0].claimed_at + timedelta(days=7)
    assert previewed["delayed_by"] == f"{WRITER} had 4 messages in 7 days"
    shown = (await answer(http, **{"phrase.thanks-for-writing": "yes", "preview": "yes"})).text
    assert "had 4 messages in 7 days" in shown
    await answer(http, **{"phrase.thanks-for-writing": "yes"})
    waits = (await http.get(f"{PAGE}/{REPLY}")).text
    assert "Its case has not sent it yet: it leaves from" in waits and "had 4 messages in 7 days" in waits
    assert f"{WRITER} had" not in waits


async def test_an_answer_that_could_not_leave_is_refused_before_it_is_written(
    http: httpx.AsyncClient, site: Site
) -> None:
    with site.database.writing("portoclaro") as session:
        addresses.close(session, Channel.EMAIL, "accounts_payable@portoclaro.example", "opted out", NOW)
    refused = await answer(http, text="Oi.")
    assert refused.status_code == 422 and "their address for e-mail opted out" in refused.text


async def test_who_said_stop_by_sms_is_answered_by_mail_or_called(http: httpx.AsyncClient, site: Site) -> None:
    with site.database.writing("portoclaro") as session:
        row, writer = session.get_one(ReplyRow, REPLY), session.get_one(ContactRow, WRITER)
        row.channel, writer.phone = ReplyChannel.SMS, "+5511987654321"
        addresses.close(session, Channel.SMS, writer.phone, "stopped", NOW)
    assert "They said STOP by SMS" in (await http.get(f"{PAGE}/{REPLY}")).text
    shown = await answer(http, text="Oi.", preview="yes")
    assert shown.status_code == 200 and "accounts_payable@portoclaro.example" in shown.text
    told = (await http.post(f"{API}/{REPLY}/preview", json={"text": "Oi."})).json()
    assert (told["channel"], told["stopped"]) == ("email", "sms")
    with site.database.writing("portoclaro") as session:
        session.get_one(ContactRow, WRITER).email = None
    refused = await answer(http, text="Oi.")
    assert refused.status_code == 422
    assert "No e-mail address of theirs is on file: call them" in refused.text
    assert "the carrier delivers nothing there any more" in refused.text


async def test_what_is_written_down_is_told_once_temporal_is_back(http: httpx.AsyncClient, site: Site) -> None:
    received(site)
    site.engine.away = True
    assert (await answer(http, text="Oi.")).status_code == 303
    assert stored(site).handled_at is not None and INVOICE in rests(site)
    site.engine.away = False
    assert await site.app.state.service.dispatcher.send_pending() > 0
    assert rests(site) == []
    with site.database.reading() as session:
        assert list(provider_events.waiting(session)) == []


async def test_a_case_that_hears_of_the_reply_after_it_was_handled_does_not_rest(
    http: httpx.AsyncClient, site: Site
) -> None:
    assert (await http.post(f"{PAGE}/{REPLY}/handled", data={"form_id": "a"})).status_code == 303
    received(site)  # the courier was slower than the clerk
    assert rests(site) == []


# What it says --------------------------------------------------------------------------------------------


async def test_a_proposal_is_sent_with_one_press_and_the_reply_is_handled_by_it(
    http: httpx.AsyncClient, site: Site
) -> None:
    received(site)
    text = (await http.get(f"{PAGE}/{REPLY}")).text
    action = f"{PAGE}/{REPLY}/tell/promise_to_pay"
    start = text.index(f'action="{action}"')
    part = text[start : text.index("</form>", start)]
    typed = dict(re.findall(r'name="([\w.]+)" value="([^"]*)"', part))
    typed["promised_by"] = re.findall(r'<option value="(\w+)" selected', part)[0]
    typed["invoice"] = INVOICE
    assert (typed["date"], typed["promised_by"], typed["handled"]) == ("2027-03-26", "accounts_payable", "yes")
    for _ in range(2):
        sent = await http.post(action, data=typed)
        assert (sent.status_code, sent.headers["location"]) == (303, f"{PAGE}/{REPLY}?done=told")
    assert (stored(site).outcome, rests(site)) == ("no_answer", [])
    with site.database.reading() as session:
        case = cases.get(session, INVOICE)
    assert case is not None and case.agreements.promise is not None
    assert str(case.agreements.promise.date) == "2027-03-26" and len(case.agreements.promises) == 1


@pytest.mark.parametrize("line", [ReplyLine.PROMISE, ReplyLine.PAID, ReplyLine.DISPUTE, ReplyLine.CALL])
def test_a_proposal_says_who_said_it(line: ReplyLine) -> None:
    said = {"line": line.value, "words": "so", "day": "2027-03-22", "amount": None}
    first = proposed({"proposals": [said]}, a_contact(), 0)[0]
    assert [first.filled.value(one.name) for one in first.filled.form.fields if one.name.endswith("by")] == [
        "accounts_payable"
    ]


async def test_a_form_of_a_reply_that_is_wrong_is_shown_again_and_handles_nothing(
    http: httpx.AsyncClient, site: Site
) -> None:
    action = f"{PAGE}/{REPLY}/tell/promise_to_pay"
    typed = {"invoice": INVOICE, "date": "2020-01-01", "promised_by": "accounts_payable", "handled": "yes"}
    refused = await http.post(action, data=typed | {"form_id": "p"})
    assert refused.status_code == 422 and 'value="2020-01-01"' in refused.text
    assert (await http.post(action, data=typed | {"invoice": "LIN-2027-007"})).status_code == 422
    assert (await http.post(f"{PAGE}/{REPLY}/tell/write_off", data=typed)).status_code == 404
    assert stored(site).handled_at is None


async def test_a_reply_of_nobody_rests_the_cases_of_whoever_wrote_it(http: httpx.AsyncClient, site: Site) -> None:
    refused = await http.post(f"{PAGE}/{UNKNOWN}/writer", data={"contact": "nobody", "form_id": "a"})
    assert refused.status_code == 404 or "is nobody" in refused.text
    for _ in range(2):
        noted = await http.post(f"{PAGE}/{UNKNOWN}/writer", data={"contact": WRITER, "form_id": "b"})
        assert noted.status_code == 303
    row = stored(site, UNKNOWN)
    assert (row.customer_id, row.contact_id, row.kind) == ("portoclaro", WRITER, ReplyKind.PERSON)
    with site.database.reading() as session:
        case = cases.get(session, INVOICE)
        assert case is not None and [one.reply_id for one in case.agreements.replies] == [UNKNOWN]
    assert UNKNOWN in (await http.get(f"{PAGE}/{REPLY}")).text  # beside the other one of the same customer
    assert (await answer(http, text="Oi.", **{f"also.{UNKNOWN}": "yes"})).status_code == 303
    assert stored(site, UNKNOWN).handled_at is not None


async def test_what_it_says_is_read_as_its_customer_writes_once_it_is_known_whose_it_is(
    http: httpx.AsyncClient, site: Site
) -> None:
    with site.database.writing_beside_customers() as session:
        row = session.get_one(ReplyRow, UNKNOWN)
        row.text, row.received_at = "Vamos pagar no dia 04/05. O resto está errado.", NOW
    noted = await http.post(f"{PAGE}/{UNKNOWN}/writer", data={"contact": WRITER, "form_id": "b"})
    assert noted.status_code == 303
    read = [(one["line"], one.get("day")) for one in stored(site, UNKNOWN).proposals]
    assert read == [("promise", "2027-05-04"), ("dispute", None)]
    assert "resto está errado" in (await http.get(f"{PAGE}/{UNKNOWN}")).text.partition("What it says")[2]


async def test_whoever_wrote_it_is_chosen_by_name_and_address_among_the_people_whom_words_find(
    http: httpx.AsyncClient,
) -> None:
    nobody = (await http.get(f"{PAGE}/{UNKNOWN}")).text
    assert 'name="of"' in nobody and 'name="contact"' not in nobody
    form = re.search(r'<form[^>]*aria-label="Who wrote it">', nobody)
    assert form and f'action="{PAGE}/{UNKNOWN}/people#writer-title" method="post"' in form[0]  # no name in an address
    found = (await http.post(f"{PAGE}/{UNKNOWN}/people", data={"of": "portoclaro"})).text
    assert f'<option value="{WRITER}"' in found and "accounts payable, accounts_payable@portoclaro.example<" in found
    assert "No customer is like that." in (await http.post(f"{PAGE}/{UNKNOWN}/people", data={"of": "zzz"})).text
    known = (await http.get(f"{PAGE}/{REPLY}")).text
    assert f'<option value="{WRITER}" selected' in known
    another = (await http.post(f"{PAGE}/{REPLY}/people", data={"of": "linden"})).text
    assert '<option value="linden' in another and f'<option value="{WRITER}"' not in another


# Who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PRODUCT, Role.BILLING])
async def test_who_only_reads_handles_nothing(http: httpx.AsyncClient, site: Site, role: Role) -> None:
    site.role = role
    for path in ("handled", "answer", "writer", "tell/promise_to_pay"):
        assert (await http.post(f"{PAGE}/{REPLY}/{path}", data={"text": "x"})).status_code == 403
    shown = await http.get(f"{PAGE}/{REPLY}")
    assert shown.status_code == (200 if role is Role.AUDITOR else 403)
    assert "Send the answer" not in shown.text


# Over the API --------------------------------------------------------------------------------------------


async def ask(http: httpx.AsyncClient, path: str, body: Any = None) -> httpx.Response:
    answered = await (http.get(f"{API}{path}") if body is None else http.post(f"{API}{path}", json=body))
    check_described(answered)
    return answered


async def test_a_program_reads_and_answers_replies(http: httpx.AsyncClient, site: Site) -> None:
    received(site)
    waiting = (await ask(http, "")).json()
    assert [one["reply_id"] for one in waiting] == [REPLY, UNKNOWN]
    assert waiting[0]["open"] and waiting[0]["age_days"] == (waiting[0]["age_days"])
    whole = (await ask(http, f"/{REPLY}")).json()
    assert (whole["proposals"][0]["line"], whole["files"][0]["kept"]) == ("promise", True)
    body = {"phrases": ["thanks-for-writing"], "text": "Até logo."}
    previewed = (await ask(http, f"/{REPLY}/preview", body)).json()
    assert (previewed["channel"], previewed["language"]) == ("email", "pt-BR")
    assert "Agradecemos" in previewed["body"] and "Até logo." in previewed["body"]
    answered = (await ask(http, f"/{REPLY}/answer", body)).json()
    assert (answered["outcome"], len(answered["answers"])) == ("answered", 1)
    again = await ask(http, f"/{REPLY}/handled", {})
    assert (again.status_code, again.json()["field"]) == (422, "state")
    for path, wrong, field in (
        (f"/{UNKNOWN}/answer", {"phrases": "x"}, "phrases"),
        (f"/{UNKNOWN}/answer", {"text": 1}, "text"),
        (f"/{UNKNOWN}/answer", {"text": "x"}, "customer"),
        (f"/{UNKNOWN}/writer", {"contact_id": "nobody"}, "contact"),
    ):
        refused = await ask(http, path, wrong)
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert (await ask(http, "/r-none")).status_code == 404


async def test_the_answer_is_sent_by_its_case_and_shown_with_its_fate(http: httpx.AsyncClient, site: Site) -> None:
    from tests.services.conftest import ServiceHarness

    received(site)
    assert (await answer(http, text="Até logo.")).status_code == 303
    with site.database.reading() as session:
        (given,) = answers.of_replies(session, [REPLY])
        case = cases.get(session, INVOICE)
    harness = ServiceHarness(site.app.state.service.deps)
    assert case is not None
    harness.case = case
    harness.carry_out(f"@answer~{given.answer_id}", "2027-03-24 13:00")
    with site.database.reading() as session:
        (row,) = outbox.of_invoice(session, INVOICE, f"@answer~{given.answer_id}")
        kinds = [entry.kind for _, entry in timeline.read(session, INVOICE)]
    assert (row.state, row.address) == ("delivered", "accounts_payable@portoclaro.example")
    assert "reply_handled" in kinds and "sent" in kinds
    text = (await http.get(f"{PAGE}/{REPLY}")).text
    assert f"/console/messages/{row.message_id}" in text and "delivered" in text


# By command ----------------------------------------------------------------------------------------------


def test_the_same_by_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    received(site)
    monkeypatch.setenv("DATABASE_URL", site.database.url)

    async def engine(_: object) -> Engine:
        return site.engine

    monkeypatch.setattr(commands, "connected", engine)

    def run(*words: str) -> str:
        done = CliRunner().invoke(starter.app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert [one["reply_id"] for one in json.loads(run("replies", "--json"))] == [REPLY, UNKNOWN]
    assert "Porto Claro" in run("replies")
    shown = run("reply", "show", REPLY)
    assert "26 de março" in shown and "seems to say: promise" in shown
    words = ("reply", "answer", REPLY, "--phrase", "thanks-for-writing", "--text", "Até logo.")
    assert "Agradecemos a sua mensagem" in run(*words, "--preview") and stored(site).handled_at is None
    sent = json.loads(run(*words, "--json"))
    assert sent["answer_id"].startswith("answer-") and sent["leaves_at"] and sent["delayed_by"] is None
    assert (stored(site).outcome, rests(site)) == ("answered", [])
    with pytest.raises(Refused, match="has handled it"):
        run("reply", "handled", REPLY)
    run("reply", "writer", UNKNOWN, WRITER)
    run("reply", "handled", UNKNOWN)
    assert stored(site, UNKNOWN).outcome == "no_answer"
    assert "Every reply is handled." in run("replies")
