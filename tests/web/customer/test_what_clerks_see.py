"""What clerks see of what a customer sent by their page: files as downloads, and payers about whom they decide."""

import json
import re
from collections.abc import Mapping

import pytest
from typer.testing import CliRunner

import starter
from dunwell.domain import questions
from dunwell.domain.principals import Role
from dunwell.store import payers, sent_files
from dunwell.views.outbox import Place, message_page, messages
from tests.web.customer.conftest import House
from tests.web.customer.test_customer_acts import PNG
from tests.web.principals import from_our_page, sign_in


def clerk(house: House, role: Role = Role.AGENT) -> Mapping[str, str]:
    return from_our_page(sign_in(house.database, role))


async def test_a_file_is_a_download_that_no_browser_shows(house: House) -> None:
    fields = {"which": "RIB-1", "reason": "quality", "text": "rota"}
    await house.send(house.link("RIB-1"), "wrong", file=('"><script>.png', PNG), **fields)
    with house.database.reading() as session:
        (row,) = sent_files.of_invoice(session, "RIB-1")
        name, path = row.name, f"/files/{row.file_id}"
    headers = clerk(house)
    page = await house.http.get("/console/cases/RIB-1", headers=headers)
    assert (
        name in page.text
        and "<script>.png" not in page.text
        and "link of Lucía Ferrer (accounts payable)" in page.text
    )
    answer = await house.http.get(f"/console/cases/RIB-1{path}", headers=headers)
    assert answer.content == PNG and answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await house.http.get(f"/console/cases/RIB-3{path}", headers=headers)).status_code == 404
    assert (await house.http.get(f"/console/cases/RIB-1{path}")).status_code in {303, 401}


async def test_a_call_is_shown_with_the_number_that_they_asked_for(house: House) -> None:
    assert (await house.send(house.link("RIB-1"), "call", where="other", number="600 123 456")).status_code == 303
    page = await house.http.get("/console?task=RIB-1.call-asked.1", headers=clerk(house))
    start = page.text.index("<dt>Phone</dt>")
    shown = page.text[start : page.text.index("</dl>", start)]
    assert shown.index("tel:+34600123456") < shown.index("On file: +34915550119")
    assert "they asked to be called at this number" in shown and "tel:+34915550119" not in shown


async def test_the_task_of_a_dispute_has_words_file_and_the_form_that_resolves_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"which": "RIB-1", "reason": "quality", "text": "La mesa <b>rota</b>.", "amount": "300,00"}
    await house.send(house.link("RIB-1"), "wrong", file=("mesa.png", PNG), **fields)
    headers = clerk(house)
    with house.database.reading() as session:
        (file,) = sent_files.of_invoice(session, "RIB-1")
    task_id = questions.dispute_task(house.case("RIB-1"))
    page = (await house.http.get(f"/console?task={task_id}", headers=headers)).text
    assert "La mesa &lt;b&gt;rota&lt;/b&gt;." in page
    assert f'href="/console/cases/RIB-1/files/{file.file_id}" download' in page
    action = "/console/cases/RIB-1/dispute_resolved"
    assert f'action="{action}"' in page
    assert action not in (await house.http.get(f"/console?task={task_id}", headers=clerk(house, Role.AUDITOR))).text
    monkeypatch.setenv("DATABASE_URL", house.database.url)
    told = CliRunner().invoke(starter.app, ["task", str(task_id)], catch_exceptions=False).output
    assert "written  La mesa <b>rota</b>." in told and f"file     {file.name}" in told
    form = page[page.index(f'action="{action}"') :]
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form))
    answer = await house.http.post(action, data=hidden | {"outcome": "rejected"}, headers=headers)
    assert answer.status_code == 303 and house.case("RIB-1").agreements.dispute is None
    assert house.told("dispute_resolved")


async def test_the_task_of_an_announced_payment_has_what_they_wrote(house: House) -> None:
    await house.send(house.link("RIB-3"), "paid", day="2027-03-23", **{"from": "Desde Banco Sol, a nombre de Lucía"})
    page = await house.http.get("/console?task=RIB-3.announced.1", headers=clerk(house))
    assert "Desde Banco Sol, a nombre de Lucía" in page.text and "dispute_resolved" not in page.text


@pytest.mark.parametrize(("decision", "mails"), [("write", 1), ("leave", 0)])
async def test_a_clerk_decides_about_a_payer_once(house: House, decision: str, mails: int) -> None:
    await house.send(house.link("PET-1"), "payer", name="Иван Петров", email="ivan@petrov.example")
    headers = clerk(house)
    page = await house.http.get("/console/cases/PET-1", headers=headers)
    assert "Иван Петров" in page.text and "Write to them" in page.text
    with house.database.reading() as session:
        path = f"/console/cases/PET-1/payers/{payers.of_invoice(session, 'PET-1')[0].payer_id}"
    auditor = clerk(house, Role.AUDITOR)
    assert (await house.http.post(path, data={"decision": decision}, headers=auditor)).status_code == 403
    assert (await house.http.post(path, data={}, headers=headers)).status_code == 422
    elsewhere = path.replace("PET-1", "RIB-1")
    assert (await house.http.post(elsewhere, data={"decision": decision}, headers=headers)).status_code == 404
    assert (await house.http.post(path, data={"decision": decision}, headers=headers)).status_code == 303
    assert (await house.http.post(path, data={"decision": decision}, headers=headers)).status_code == 303  # twice
    other = "leave" if decision == "write" else "write"
    again = await house.http.post(path, data={"decision": other}, headers=clerk(house, Role.MANAGER))
    said = "are written to" if decision == "write" else "are not written to"
    assert again.status_code == 409 and f"has decided already that they {said}." in again.text
    assert 'id="sent-title"' in again.text and "Nothing was changed: " in again.text  # on the page of the case
    assert len(house.mail_to_payers()) == mails
    page = await house.http.get("/console/cases/PET-1", headers=headers)
    assert "Write to them" not in page.text


async def test_the_mail_to_a_payer_is_among_the_messages_of_the_customer(house: House) -> None:
    await house.send(house.link("RIB-1"), "payer", name="Marta Gil", email="marta@gil.example")
    (mail,) = house.mail_to_payers()
    headers, customer_id = clerk(house), house.case("RIB-1").customer_id
    about = f"/console/messages/{mail.message_id}"
    for path in (
        "/console/messages",
        f"/console/messages?customer={customer_id}&channel=email&state=accepted",
        f"/console/customers/{customer_id}",
        "/console/cases/RIB-1",
    ):
        assert (await house.page(path, **headers)).count(f'href="{about}"') == 1, path
    for path in ("/console/messages?channel=sms", "/console/messages?state=bounced", "/console/cases/RIB-3"):
        assert about not in await house.page(path, **headers), path
    shown = await house.page(about, **headers)
    assert "Marta Gil, named as the one who pays by" in shown and "marta@gil.example" in shown
    assert mail.text.partition("\n")[0] in shown
    assert (await house.http.get(f"{about}0", headers=headers)).status_code == 404


async def test_the_mail_to_a_payer_is_in_the_lists_of_messages_without_a_contact(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.send(house.link("RIB-1"), "payer", name="Marta Gil", email="marta@gil.example")
    (mail,) = house.mail_to_payers()
    monkeypatch.setenv("DATABASE_URL", house.database.url)
    for about in ([], ["--invoice", "RIB-1"]):
        told = CliRunner().invoke(starter.app, ["outbox", "--json", *about], catch_exceptions=False).output
        (one,) = [row for row in json.loads(told) if row["message_id"] == mail.message_id]
        assert (one["to"], one["state"], one["invoices"]) == ("marta@gil.example", "accepted", ["RIB-1"])
        assert "contact" not in one and one["step"] == "payer-mail"
    with house.database.reading() as session:
        pages: list[str] = []
        after: Place | None = None
        while found := message_page(session, None, after, 1):
            ((after, facts),) = found
            pages.append(facts["message_id"])
        assert pages == [one["message_id"] for one in messages(session)] and mail.message_id in pages
