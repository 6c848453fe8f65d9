"""What customers do on their page: accepted, refused with what is possible, and carried out once."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import select, update
from temporalio.client import Client

from dunwell.client import payer_mail
from dunwell.client.cases import Cases
from dunwell.client.payer_mail import PayerMail
from dunwell.domain.principals import Principal, PrincipalKind
from dunwell.domain.principals import Role as PrincipalRole
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, PayerState
from dunwell.services import payers as payer_decisions
from dunwell.services import replies as replies_service
from dunwell.store import invoices, payers, replies, sent_files
from dunwell.store.tables import AuditRow, Base, PayerRow, PaymentRow, ReplyRow, RequestRow
from dunwell.views.work_list import open_work
from tests.web.customer.conftest import NOW, PDF, House

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40 + b"IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 40 + b"\xff\xd9"


def heif(*brands: bytes) -> bytes:
    """A picture in boxes, as telephones write it, without its picture."""
    boxes = [(b"ftyp", brands[0] + bytes(4) + b"".join(brands)), (b"meta", bytes(30)), (b"mdat", bytes(50))]
    return b"".join((len(inside) + 8).to_bytes(4) + name + inside for name, inside in boxes)


HEIC = heif(b"heic", b"mif1", b"MiHB", b"miaf", b"heic")


# What it shows ---------------------------------------------------------------------------------------------


async def test_the_page_shows_the_message_s_invoices_alone(house: House) -> None:
    """A forwarded link tells nothing of the customer's other invoices, and no address whole."""
    page = await house.page(house.link("RIB-1"))
    assert "RIB/1" in page and "RIB/2" in page and "RIB/3" not in page
    assert "1.200,00" in page and "DE89 3704 0044 0532 0130 00" in page and "https://pay.example/RIB-1" in page
    assert "915550119" not in page and "lucia@ribera.example" not in page and "+34 ••• 19" in page


async def test_get_changes_nothing(house: House) -> None:
    path = house.link("RIB-1")
    before = house.everything()
    for address in (path, f"{path}?done=promise_done", f"{path}/promise", f"{path}/stop", f"{path}/invoice/0"):
        await house.http.get(address)
    assert house.everything() == before and house.engine.told == []


async def test_the_invoice_is_a_pdf_behind_the_link_alone(house: House) -> None:
    path = house.link("RIB-1")
    answer = await house.http.get(f"{path}/invoice/0")
    assert answer.content == PDF and answer.headers["content-type"] == "application/pdf"
    assert (await house.http.get(f"{path}/invoice/1")).status_code == 404  # RIB-2 has none
    assert (await house.http.get(f"{path}/invoice/9")).status_code == 404
    assert (await house.http.get(f"/i/{'a' * 22}/invoice/0")).status_code == 404


async def test_only_a_private_customer_reads_about_privacy(house: House) -> None:
    business, consumer = await house.page(house.link("RIB-1")), await house.page(house.link("PET-1"))
    assert "https://dunwell.example/privacy" not in business
    assert "https://dunwell.example/privacy" in consumer and "Вашите данни" in consumer


@pytest.mark.parametrize("language", ["de", "ru"])
async def test_the_language_is_the_customer_s_until_another_is_chosen(house: House, language: str) -> None:
    path = house.link("RIB-1")
    assert '<html lang="es' in await house.page(path)
    answer = await house.http.post(f"{path}/language", data={"language": language})
    assert answer.status_code == 303 and answer.headers["location"] == path
    assert "httponly" in answer.headers["set-cookie"].lower() and path not in answer.headers["set-cookie"]
    assert f'<html lang="{language}' in await house.page(path)
    await house.http.post(f"{path}/language", data={"language": "tlh"})
    assert f'<html lang="{language}' in await house.page(path)


PLURAL = {"bg": "Фактури", "de": "Rechnungen", "en": "Invoices", "es": "Facturas", "fr": "Factures", "id": "Faktur"}
PLURAL |= {"it": "Fatture", "pt-BR": "Faturas", "ru": "Счета"}


async def test_several_invoices_are_called_so_in_each_language(house: House) -> None:
    both, one = house.link("RIB-1"), house.link("RIB-3")
    assert set(PLURAL) == set(house.deps.catalogue.languages)
    for language, several in PLURAL.items():
        await house.http.post(f"{both}/language", data={"language": language})
        assert f"<title>{several} RIB/1, RIB/2" in (page := await house.page(both))
        assert f'<h1 id="bill-one">{several} <bdi>' in page
        single = house.deps.catalogue.labels(language)["invoice"]
        assert f'<h1 id="bill-one">{single} <bdi>RIB/3' in await house.page(one)


async def test_a_settled_invoice_says_so_and_takes_nothing(house: House) -> None:
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    house.pay("RIB-3", "80.00")
    page = await house.page(path)
    assert "Esta factura está saldada" in page and "<form" in page and f"{path}/promise" not in page
    answer = await house.send(path, "promise", form_id=form_id, day="2027-04-02")  # a page loaded before
    assert answer.status_code == 422 and "la factura ha cambiado" in answer.text
    assert house.told("promise_to_pay") == []


async def test_where_nothing_is_open_nobody_reads_that_the_invoice_stays_open(house: House) -> None:
    path = house.link("RIB-3")
    assert "La factura sigue pendiente" in await house.page(path)
    house.pay("RIB-3", "80.00")
    page = await house.page(path)
    assert "La factura sigue pendiente" not in page and f'action="{path}/stop"' in page


async def test_the_address_of_a_form_leads_back_to_its_page(house: House) -> None:
    """A browser shows it after a refusal, and opens it with GET when somebody keeps or enters it."""
    path = house.link("RIB-3")
    for action in re.findall(r'<form[^>]* action="([^"]+)"', await house.page(path)):
        for method in ("GET", "HEAD"):
            answer = await house.http.request(method, action)
            assert (answer.status_code, answer.headers["location"]) == (303, path), action
    assert (await house.http.get(f"{path}/other")).status_code == 404


# What was done ---------------------------------------------------------------------------------------------


async def test_only_what_was_done_is_confirmed(house: House) -> None:
    path, thanks = house.link("RIB-3"), 'id="done"'
    answer = await house.send(path, "promise", day="2027-04-02")
    done = answer.headers["location"]
    for _ in range(2):  # a reload says it again
        assert thanks in await house.page(done)
    proof = done.partition("proof=")[2]
    other = house.link("RIB-1")
    for address in (
        f"{path}?done=promise_done",
        f"{path}?done=paid_done&proof={proof}",
        f"{path}?done=promise_done&proof={'0' * 32}",
        f"{path}?done=promise_done&proof=%C3%A9%FF",
        f"{other}?done=promise_done&proof={proof}",
    ):
        assert thanks not in await house.page(address), address
    house.app.state.clock = lambda: NOW.replace(day=25)
    assert thanks not in await house.page(done)


async def test_what_one_form_did_does_not_confirm_another(house: House) -> None:
    """Of a page that was opened once, a promise is sent, and then a form with a mistake."""
    path = house.link("RIB-3")
    page = await house.page(path)
    ids = dict(re.findall(r'action="[^"]+/(\w+)"[^>]*>\s*<input type="hidden" name="form_id" value="(\w+)"', page))
    assert (await house.send(path, "promise", form_id=ids["promise"], day="2027-04-02")).status_code == 303
    for act in ("paid", "payer", "stop", "call"):
        assert (await house.send(path, act, form_id=ids[act])).status_code == 422, act


@pytest.mark.parametrize(
    ("event", "content", "says"),
    [
        ("cancel", {"reason": "duplicate", "by": "billing"}, "fue anulada"),
        ("write_off", {"reason": "small", "by": "manager-1"}, "Ya no reclamamos"),
    ],
)
async def test_an_ended_invoice_says_how(house: House, event: str, content: dict[str, str], says: str) -> None:
    path = house.link("RIB-3")
    house.engine.apply("RIB-3", event, content)
    page = await house.page(path)
    assert says in page and f"{path}/promise" not in page and "DE89" not in page


async def test_money_that_the_database_has_counts_before_the_case_has_heard_of_it(house: House) -> None:
    path = house.link("RIB-3")
    row = {
        "invoice_id": "RIB-3",
        "payment_id": "bank-1",
        "amount": Decimal(80),
        "currency": "EUR",
        "received_at": NOW,
    }
    with house.database.writing("ribera") as session:
        session.add(PaymentRow(**row))
    page = await house.page(path)
    assert "Esta factura está saldada" in page and f"{path}/promise" not in page and "DE89" not in page


# Promise ---------------------------------------------------------------------------------------------------


async def test_a_promise_is_the_event_that_a_clerk_s_form_sends(house: House) -> None:
    path = house.link("RIB-3")
    answer = await house.send(path, "promise", day="2027-04-02")
    assert answer.status_code == 303 and answer.headers["location"].startswith(f"{path}?done=promise_done&")
    promise = house.case("RIB-3").agreements.promise
    assert promise is not None and promise.amount == Decimal("80.00")
    assert promise.promised_by == "link of accounts_payable.1"
    assert promise.answer is not None  # the message that confirms it
    page = await house.page(answer.headers["location"])
    assert "Hemos anotado su promesa" in page and "2 de abril de 2027" in page
    with house.database.reading() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.action == "promise_to_pay")).one()
    assert row.kind == PrincipalKind.LINK and row.principal == "ribera.accounts_payable.1"


async def test_one_promise_for_all_invoices_of_the_message(house: House) -> None:
    path = house.link("RIB-1")
    answer = await house.send(path, "promise", which="all", day="2027-04-02")
    assert answer.status_code == 303
    assert [house.case(one).agreements.promise is not None for one in ("RIB-1", "RIB-2", "RIB-3")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("ended", "status"), [(["RIB-2"], 303), (["RIB-1", "RIB-2"], 422)])
async def test_what_the_other_cases_take_counts_when_one_has_just_ended(
    house: House, monkeypatch: pytest.MonkeyPatch, ended: list[str], status: int
) -> None:
    path, apply = house.link("RIB-1"), house.engine.apply

    def applied(invoice_id: str, *told: Any) -> Any:
        if invoice_id in ended:
            raise Refused("stage", "the case has ended (paid)")
        return apply(invoice_id, *told)

    monkeypatch.setattr(house.engine, "apply", applied)
    assert (await house.send(path, "promise", which="all", day="2027-04-02")).status_code == status
    assert (house.case("RIB-1").agreements.promise is not None) is (status == 303)


async def test_a_part_is_promised_of_one_invoice_and_not_of_all(house: House) -> None:
    path = house.link("RIB-1")
    answer = await house.send(path, "promise", which="all", day="2027-04-02", amount="100")
    assert answer.status_code == 422 and "Elija una opción." in answer.text and house.engine.told == []
    assert (await house.send(path, "promise", which="RIB-2", day="2027-04-02", amount="100,50")).status_code == 303
    promise = house.case("RIB-2").agreements.promise
    assert promise is not None and promise.amount == Decimal("100.50")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({}, "Elija un día."),
        ({"day": "el viernes"}, "Esto no es un día"),
        ({"day": "2027-03-23"}, "Elija un día del"),
        ({"day": "2027-09-01"}, "Elija un día del"),
        ({"day": "2027-04-02", "amount": "mucho"}, "Esto no es un importe"),
        ({"day": "2027-04-02", "amount": "81"}, "Quedan por pagar"),
        ({"day": "2027-04-02", "amount": "-1"}, "Esto no es un importe"),
    ],
)
async def test_a_promise_is_refused_beside_its_field_with_what_is_possible(
    house: House, typed: Mapping[str, str], says: str
) -> None:
    answer = await house.send(house.link("RIB-3"), "promise", **typed)
    assert answer.status_code == 422 and says in answer.text and 'aria-invalid="true"' in answer.text
    assert '<details id="promise" name="answer" open>' in answer.text
    for value in typed.values():  # what was typed is kept
        assert f'value="{value}"' in answer.text
    assert house.engine.told == []


async def test_a_double_click_promises_once(house: House) -> None:
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    both = await asyncio.gather(*(house.send(path, "promise", form_id=form_id, day="2027-04-02") for _ in range(2)))
    assert [one.status_code for one in both] == [303, 303]
    assert len(house.told("promise_to_pay")) == 1
    other = await house.send(path, "promise", form_id=form_id, day="2027-04-03")
    assert other.status_code == 422 and "ya se envió con otros datos" in other.text
    assert len(house.told("promise_to_pay")) == 1


async def test_a_promise_that_nobody_could_confirm_counts_when_it_is_sent_again_after_its_day(house: House) -> None:
    """Its case had taken the first sending, and had not written it yet."""
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    house.engine.slow = True
    assert (await house.send(path, "promise", form_id=form_id, day="2027-04-02")).status_code == 503
    house.engine.slow = False
    house.app.state.clock = house.engine.clock = lambda: datetime(2027, 4, 5, 10, tzinfo=UTC)
    answer = await house.send(path, "promise", form_id=form_id, day="2027-04-02")
    assert answer.status_code == 303 and "?done=promise_done&" in answer.headers["location"]
    assert len(house.told("promise_to_pay")) == 1
    fresh = await house.send(path, "promise", day="2027-04-02")
    assert fresh.status_code == 422, "a form of now is read as of now"


async def test_a_form_whose_case_has_not_answered_yet_is_not_refused_for_what_has_changed(house: House) -> None:
    """It may be taken in a moment. Five minutes later its case has refused it, and nobody was there to hear it."""
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    house.engine.slow = True
    assert (await house.send(path, "promise", form_id=form_id, day="2027-04-02")).status_code == 503
    house.engine.apply("RIB-3", "dispute_opened", {"reason": "price", "opened_by": "agent-3"})
    again = await house.send(path, "promise", form_id=form_id, day="2027-04-02")
    assert again.status_code == 503 and "cuenta una sola vez" in again.text
    with house.database.writing() as session:
        session.execute(update(RequestRow).values(first_at=datetime.now(UTC) - timedelta(minutes=6)))
    assert (await house.send(path, "promise", form_id=form_id, day="2027-04-02")).status_code == 422
    with house.database.writing() as session:
        session.execute(update(RequestRow).values(taken_at=NOW))
    taken = await house.send(path, "promise", form_id=form_id, day="2027-04-02")
    assert "?done=promise_done&" in taken.headers["location"]


@pytest.mark.parametrize("refused", [False, True])
async def test_what_a_case_has_and_may_still_refuse_is_not_confirmed(house: House, refused: bool) -> None:
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    house.engine.undecided = True
    assert (await house.send(path, "promise", form_id=form_id, day="2027-04-02")).status_code == 503
    house.engine.undecided = False
    if refused:
        house.engine.apply("RIB-3", "dispute_opened", {"reason": "price", "opened_by": "agent-3"})
        with house.database.writing() as session:
            session.execute(update(RequestRow).values(first_at=datetime.now(UTC) - timedelta(minutes=6)))
    answer = await house.send(path, "promise", form_id=form_id, day="2027-04-02")
    assert answer.status_code == (422 if refused else 303)
    assert len(house.told("promise_to_pay")) == (0 if refused else 1)


@pytest.mark.parametrize(
    ("act", "typed"),
    [
        ("instalments", {"wish": "40 ahora y 40 en mayo"}),
        ("payer", {"name": "Marta Gil", "email": "marta@grupo.example"}),
        ("stop", {"sure": "yes"}),
    ],
)
async def test_a_form_that_the_service_did_not_finish_is_not_confirmed(
    house: House, act: str, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service ended between the form's own row and what the form says; then the form became impossible."""
    path = house.link("RIB-3")
    form_id = await house.form_id(path)

    async def ended(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("dunwell.web.customer.sending._do", ended)
        with pytest.raises(asyncio.CancelledError):
            await house.send(path, act, form_id=form_id, **typed)
    assert house.count("submissions") == 1
    house.pay("RIB-3", "80.00")
    before = house.everything()
    answer = await house.send(path, act, form_id=form_id, **typed)
    if act == "stop":  # possible whatever was paid
        assert "?done=stop_done&" in answer.headers["location"] and house.everything() != before
    else:
        assert answer.status_code == 422 and house.everything() == before


WRONG = {"reason": "price", "text": "no es el precio"}


async def test_a_form_about_an_invoice_that_is_no_longer_possible_is_about_no_other(house: House) -> None:
    """The second form was loaded before the first was sent: RIB-2 is the only one that is left to dispute."""
    path = house.link("RIB-1")
    form_id = await house.form_id(path)
    assert (await house.send(path, "wrong", which="RIB-1", **WRONG)).status_code == 303
    for which in ("RIB-1", "RIB-3", ""):
        answer = await house.send(path, "wrong", form_id=form_id, which=which, **WRONG)
        assert answer.status_code == 422 and "la factura ha cambiado" in answer.text, which
    assert [one for one, _ in house.told("dispute_opened")] == ["RIB-1"]
    assert house.case("RIB-2").agreements.dispute is None


async def test_a_form_about_the_only_possible_invoice_says_which(house: House) -> None:
    """Later it is another one, of which the form never spoke."""
    path = house.link("RIB-1")
    await house.send(path, "wrong", which="RIB-1", **WRONG)
    form = re.search(r'<form[^>]* action="[^"]+/wrong"[^>]*>(.*?)</form>', await house.page(path), re.S)
    assert form is not None and '<input type="hidden" name="which" value="RIB-2">' in form[1]
    assert (await house.send(path, "wrong", **WRONG)).status_code == 422
    assert (await house.send(path, "wrong", which="RIB-2", **WRONG)).status_code == 303


@pytest.mark.parametrize(
    ("act", "typed", "other"),
    [
        ("wrong", {"which": "RIB-1", **WRONG}, {"which": "RIB-2"}),
        ("wrong", {"which": "RIB-1", **WRONG}, {"text": "otra cosa"}),
        ("promise", {"which": "RIB-1", "day": "2027-04-02"}, {"which": "RIB-2"}),
        ("promise", {"which": "all", "day": "2027-04-02"}, {"which": "RIB-2", "day": "2027-04-03"}),
        ("payer", {"name": "Marta Gil", "email": "marta@grupo.example"}, {"email": "otra@grupo.example"}),
    ],
)
async def test_a_form_that_was_carried_out_is_refused_with_other_words(
    house: House, act: str, typed: dict[str, str], other: dict[str, str]
) -> None:
    path = house.link("RIB-1")
    form_id = await house.form_id(path)
    assert (await house.send(path, act, form_id=form_id, **typed)).status_code == 303
    told, before = list(house.engine.told), house.everything()
    answer = await house.send(path, act, form_id=form_id, **(typed | other))
    assert answer.status_code == 422 and "ya se envió con otros datos" in answer.text
    assert house.engine.told == told and house.everything() == before
    assert (await house.send(path, act, form_id=form_id, **typed)).status_code == 303  # a double click


async def test_a_form_that_was_refused_may_be_sent_again_with_other_words(house: House) -> None:
    """Nothing of it was carried out: a browser that goes back has the same id."""
    path = house.link("RIB-1")
    form_id = await house.form_id(path)
    refused = await house.send(path, "payer", form_id=form_id, name="Ana", email="ana@dunwell.example")
    assert refused.status_code == 422
    assert (await house.send(path, "payer", form_id=form_id, name="Ana", email="ana@x.example")).status_code == 303


async def test_a_form_of_another_site_or_without_an_id_is_not_taken(house: House) -> None:
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    headers = {"Sec-Fetch-Site": "cross-site"}
    data = {"form_id": form_id, "day": "2027-04-02"}
    assert (await house.http.post(f"{path}/promise", data=data, headers=headers)).status_code == 422
    assert (await house.http.post(f"{path}/promise", data={"day": "2027-04-02"})).status_code == 422
    assert house.engine.told == []


async def test_nobody_answers_now_and_the_same_form_counts_once_later(house: House) -> None:
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    house.engine.away = True
    answer = await house.send(path, "promise", form_id=form_id, day="2027-04-02")
    assert answer.status_code == 503 and form_id in answer.text and "cuenta una sola vez" in answer.text
    house.engine.away = False
    assert (await house.send(path, "promise", form_id=form_id, day="2027-04-02")).status_code == 303
    assert len(house.told("promise_to_pay")) == 1


async def test_a_link_to_read_takes_no_form_and_shows_none(house: House) -> None:
    path = house.link("RIB-3", only_see=True)
    page = await house.page(path)
    assert "80,00" in page and "/promise" not in page and "/call" not in page and "DE89" not in page
    for act in ("promise", "split", "instalments", "wrong", "paid", "payer", "call", "stop"):
        assert (await house.http.post(f"{path}/{act}", data={"form_id": "0" * 32})).status_code == 404
    assert (await house.http.post(f"/i/{'a' * 22}/promise", data={"form_id": "0" * 32})).status_code == 404


async def test_a_scanner_that_presses_every_button_does_nothing(house: House) -> None:
    """It sends the forms as they stand on the page: with their ids, and no day, choice or text."""
    path = house.link("RIB-1")
    before = house.everything()
    forms = re.findall(r'<form[^>]* action="([^"]+)"[^>]*>(.*?)</form>', await house.page(path), re.S)
    assert len(forms) == 8
    for action, form in forms:
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        answer = await house.http.post(action, data=fields)
        assert answer.status_code == (303 if action.endswith("/language") else 422), action
    assert house.everything() == before and house.engine.told == []


# Instalments -----------------------------------------------------------------------------------------------


async def test_1200_in_three_parts(house: House) -> None:
    path = house.link("RIB-1")
    assert "3" in await house.page(path)
    answer = await house.send(path, "split", which="RIB-1", parts="3", first="2027-03-31", every="month")
    assert answer.status_code == 303, answer.text
    plan = house.case("RIB-1").agreements.plan
    assert plan is not None and plan.by == "link of accounts_payable.1" and plan.answer is not None
    assert [(f"{one.date}", str(one.amount)) for one in plan.instalments] == [
        ("2027-03-31", "400.00"),
        ("2027-04-30", "400.00"),
        ("2027-05-31", "400.00"),
    ]
    assert "30 de abril de 2027" in await house.page(path)


async def test_beside_a_plan_a_transfer_is_of_its_next_instalment(house: House) -> None:
    path = house.link("RIB-1")
    await house.send(path, "split", which="RIB-1", parts="3", first="2027-03-31", every="month")
    assert _transfers(await house.page(path)) == [
        ["400,00\xa0€", "31 de marzo de 2027", "1.200,00\xa0€"],
        ["640,50\xa0€"],
    ]
    house.pay("RIB-1", "500.00")
    assert _transfers(await house.page(path))[0] == ["300,00\xa0€", "30 de abril de 2027", "700,00\xa0€"]


def _transfers(page: str) -> list[list[str]]:
    """The amounts and days of each transfer, between the account and the reference."""
    found = re.findall(r"COBADEFFXXX</bdi></dd></div>(.*?)<dt>[^<]*</dt><dd><bdi>RF", page, re.S)
    return [re.findall(r"<bdi>([^<]+)</bdi>", one) for one in found]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"parts": "4"}, "Elija una opción."),
        ({"every": ""}, "Elija una opción."),
        ({"first": ""}, "Elija un día."),
        ({"first": "2027-03-01"}, "Elija un día del"),
        ({"first": "2027-06-20"}, "Elija un día del"),
    ],
)
async def test_a_plan_beyond_the_policy_is_refused(house: House, typed: Mapping[str, str], says: str) -> None:
    fields = {"which": "RIB-1", "parts": "3", "first": "2027-04-01", "every": "month"} | dict(typed)
    answer = await house.send(house.link("RIB-1"), "split", **fields)
    assert answer.status_code == 422 and says in answer.text
    assert house.engine.told == []


async def test_a_policy_without_plans_offers_none(house: House) -> None:
    path = house.link("RIB-3")  # key-account
    assert f"{path}/split" not in await house.page(path)
    answer = await house.send(path, "split", parts="2", first="2027-04-01", every="month")
    assert answer.status_code == 422 and house.engine.told == []


async def test_a_wish_that_the_policy_does_not_grant_is_a_reply_that_a_person_answers(house: House) -> None:
    path = house.link("RIB-3")  # key-account
    assert (await house.send(path, "instalments", wish=" ")).status_code == 422
    form_id = await house.form_id(path)
    for _ in range(2):
        answer = await house.send(path, "instalments", form_id=form_id, wish="40 ahora y 40 en mayo")
        assert "?done=split_asked&" in answer.headers["location"]
    with house.database.reading() as session:
        (reply,) = session.scalars(select(ReplyRow)).all()
        assert (reply.text, reply.subject, reply.channel.value) == (
            "40 ahora y 40 en mayo",
            "Instalments for invoice RIB/3",
            "page",
        )
        assert [one.reply_id for one in replies.open_for(session, "ribera")] == [reply.reply_id]
    assert await house.app.state.service.dispatcher.send_pending() == 1
    assert house.case("RIB-3").agreements.replies and house.case("RIB-1").agreements.replies
    page = await house.page(path)
    assert "Hemos recibido su mensaje" in page and f"{path}/instalments" not in page
    assert "40 ahora" not in str(house.engine.told)
    again = await house.send(path, "instalments", form_id=form_id, wish="40 ahora y 40 en mayo")
    assert "?done=split_asked&" in again.headers["location"]  # its case knows by now, and takes no other wish
    assert (await house.send(path, "instalments", form_id=form_id, wish="otra")).status_code == 422


# Something is wrong ----------------------------------------------------------------------------------------


async def test_a_part_is_disputed_with_a_photograph(house: House) -> None:
    path = house.link("RIB-1")
    fields = {"which": "RIB-1", "reason": "quality", "amount": "300", "text": "La mesa llegó rota."}
    answer = await house.send(path, "wrong", file=("../mesa rota.png", PNG), **fields)
    assert answer.status_code == 303, answer.text
    dispute = house.case("RIB-1").agreements.dispute
    assert dispute is not None and dispute.amount == Decimal(300) and dispute.reason == "quality"
    assert dispute.by == "link of accounts_payable.1" and dispute.answer is not None
    assert house.notes("RIB-1") == ["La mesa llegó rota."]
    assert [one.reason for one in house.timeline("RIB-1") if one.kind == "file"] == [
        "a file came with what is disputed, by link of accounts_payable.1"
    ]
    with house.database.reading() as session:
        (row,) = sent_files.of_invoice(session, "RIB-1")
        assert (row.content, row.media_type, row.given_name) == (PNG, "image/png", "../mesa rota.png")
        assert re.fullmatch(r"RIB-1-[0-9a-f]{8}\.png", row.name)
    page = await house.page(path)
    assert "No pedimos" in page and "300,00" in page


@pytest.mark.parametrize("content", [PDF, PNG, JPEG, HEIC, heif(b"mif1", b"miaf")])
async def test_files_of_these_kinds_are_taken(house: House, content: bytes) -> None:
    fields = {"which": "RIB-1", "reason": "other", "text": "ver archivo"}
    answer = await house.send(house.link("RIB-1"), "wrong", file=("x.exe", content), **fields)
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"MZ\x90\x00", "no es un PDF"),
        (b"<script>alert(1)</script>", "no es un PDF"),
        (PNG[:20], "no es un PDF"),
        (HEIC[:-1], "no es un PDF"),
        (heif(b"isom", b"mp42"), "no es un PDF"),
        (PNG[:-8] + b"\x00" * (5 * 1024 * 1024) + PNG[-8:], "5 MB"),
        (b"\x00" * (6 * 1024 * 1024), "5 MB"),
    ],
    ids=["program", "script", "torn", "torn-heic", "film", "too-large", "far-too-large"],
)
async def test_other_files_are_refused_and_nothing_is_told(house: House, content: bytes, says: str) -> None:
    fields = {"which": "RIB-1", "reason": "other", "text": "ver archivo"}
    answer = await house.send(house.link("RIB-1"), "wrong", file=("x.png", content), **fields)
    assert answer.status_code == 422 and says in answer.text
    assert ">ver archivo</textarea>" in answer.text and 'id="wrong-file-error"' in answer.text
    assert house.engine.told == [] and house.count("sent_files") == 0


async def test_a_form_of_which_only_the_beginning_is_read_is_never_taken(house: House) -> None:
    path, text = house.link("RIB-1"), "x" * 900_000  # before a file that is no larger than is taken
    fields = {"which": "RIB-1", "reason": "other", "text": "ver", "more": text}
    answer = await house.send(path, "wrong", file=("x.png", PNG[:-8] + b"\0" * 5_000_000 + PNG[-8:]), **fields)
    assert answer.status_code == 413 and "5 MB" in answer.text
    answer = await house.send(path, "wrong", file=("x.png", bytes(31 * 1024 * 1024)), reason="other", text="ver")
    assert answer.status_code == 413 and "5 MB" in answer.text
    assert house.engine.told == [] and house.count("sent_files") == 0


async def test_a_form_that_was_carried_out_is_not_refused_for_what_it_did(house: House) -> None:
    """By a double click, or because the service ended before it answered: a second dispute would not be possible."""
    path = house.link("RIB-3")
    form_id = await house.form_id(path)
    for _ in range(2):
        answer = await house.send(path, "wrong", form_id=form_id, reason="price", text="80 y no 8")
        assert answer.status_code == 303 and "?done=wrong_done&" in answer.headers["location"]
    assert len(house.told("dispute_opened")) == 1


async def test_a_dispute_needs_words_and_a_second_one_waits(house: House) -> None:
    path = house.link("RIB-3")
    empty = await house.send(path, "wrong", reason="price", text="  ")
    assert empty.status_code == 422 and "Escriba unas palabras" in empty.text
    form_id = await house.form_id(path)
    assert (await house.send(path, "wrong", reason="price", text="80 y no 8")).status_code == 303
    again = await house.send(path, "wrong", form_id=form_id, reason="twice", text="y otra vez", file=("a.png", PNG))
    assert again.status_code == 422 and "Ya estamos revisando" in again.text
    assert house.count("sent_files") == 0 and house.notes("RIB-3") == ["80 y no 8"]


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ({"outcome": "rejected"}, "La factura queda como está"),
        ({"outcome": "adjusted", "new_amount": "60.00"}, "La factura es ahora de"),
        ({"outcome": "upheld"}, "tenía usted razón"),
    ],
)
async def test_what_came_of_a_dispute_stands_on_the_same_link(
    house: House, outcome: Mapping[str, Any], says: str
) -> None:
    path = house.link("RIB-3")
    await house.send(path, "wrong", reason="price", amount="20", text="caro")
    house.engine.apply("RIB-3", "dispute_resolved", {**outcome, "by": "agent-3"})
    page = await house.page(path)
    assert says in page and "24 de marzo de 2027" in page and "agent-3" not in page


# Paid already, and calls -----------------------------------------------------------------------------------


async def test_a_payment_is_announced(house: House) -> None:
    path = house.link("RIB-1")
    fields = {"which": "all", "day": "2027-03-22", "from": "BBVA, transferencia"}
    answer = await house.send(path, "paid", **fields)
    assert answer.status_code == 303, answer.text
    told = dict(house.told("payment_announced"))
    assert told.keys() == {"RIB-1", "RIB-2"}
    assert told["RIB-1"]["by"] == "link of accounts_payable.1" and told["RIB-1"]["paid_on"] == "2027-03-22"
    assert house.notes("RIB-1") == ["BBVA, transferencia"] and "BBVA" not in str(told)
    assert "Estamos buscando el pago" in await house.page(path)


@pytest.mark.parametrize(
    ("typed", "says"), [({}, "Elija un día."), ({"day": "2027-03-25"}, "Elija un día hasta hoy.")]
)
async def test_a_payment_of_tomorrow_is_a_promise(house: House, typed: Mapping[str, str], says: str) -> None:
    answer = await house.send(house.link("RIB-3"), "paid", **typed)
    assert answer.status_code == 422 and says in answer.text


async def test_nobody_floods_a_case(house: House) -> None:
    path = house.link("RIB-3")
    fields = {"day": "2027-03-22"}
    answers = [await house.send(path, "paid", form_id=f"{number:032x}", **fields) for number in range(22)]
    assert [one.status_code for one in answers] == [303] * 20 + [422] * 2
    assert "mucho para un solo día" in answers[-1].text and len(house.told("payment_announced")) == 20
    assert (await house.send(path, "paid", form_id=f"{3:032x}", **fields)).status_code == 303  # it was taken before


async def test_a_call_at_a_number_that_was_typed(house: House) -> None:
    path = house.link("RIB-1")
    fields = {"where": "other", "number": "600 123 456", "at": "2027-03-25T11:30"}
    assert (await house.send(path, "call", **fields)).status_code == 303
    ((invoice_id, content),) = house.told("call_requested")
    assert content["at"] == "2027-03-25T10:30:00Z" and "600" not in str(content)
    assert house.notes(invoice_id) == ["+34600123456"]
    assert "le llamaremos" in await house.page(path)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({}, "Elija una opción."),
        ({"where": "other"}, "no es un número de teléfono"),
        ({"where": "other", "number": "abc"}, "no es un número de teléfono"),
        ({"where": "on-file", "at": "2027-03-23T11:30"}, "Elija una hora"),
        ({"where": "on-file", "at": "2028-03-23T11:30"}, "Elija una hora"),
        ({"where": "on-file", "at": "mañana"}, "Elija una hora"),
    ],
)
async def test_a_call_is_refused(house: House, typed: Mapping[str, str], says: str) -> None:
    answer = await house.send(house.link("RIB-3"), "call", **typed)
    assert answer.status_code == 422 and says in answer.text and house.engine.told == []


async def test_who_has_no_number_on_file_gives_one(house: House) -> None:
    path = house.link("PET-1")
    assert "on-file" not in await house.page(path)
    assert (await house.send(path, "call", where="on-file")).status_code == 422


# Someone else pays -----------------------------------------------------------------------------------------


async def test_a_business_names_who_pays_and_they_get_one_mail_that_names_no_debt(house: House) -> None:
    path = house.link("RIB-1")
    fields = {"name": "Marta Gil", "email": "marta@grupo.example"}
    for _ in range(2):
        assert (await house.send(path, "payer", **fields)).status_code == 303
    mail = house.mail_to_payers()
    assert len(mail) == 1
    assert "Lucía Ferrer" in mail[0].text and "Marta Gil" in mail[0].text and mail[0].to == "marta@grupo.example"
    for word in ("RIB", "1.200", "1200", "640", "factura", "pag", "deuda", "Ribera"):
        assert word not in f"{mail[0].subject} {mail[0].text}"
    assert house.mail_to_payers() == []
    assert [one.reason for one in house.timeline("RIB-1") if one.kind == "payer"][-1].startswith("whoever was named")


async def test_nobody_names_more_than_two_people_by_a_link(house: House) -> None:
    path = house.link("RIB-1")
    for number in (1, 2):
        fields = {"name": f"Persona {number}", "email": f"p{number}@grupo.example"}
        assert (await house.send(path, "payer", **fields)).status_code == 303
    third = await house.send(path, "payer", name="Otra", email="p3@grupo.example")
    assert third.status_code == 422 and "no se puede indicar a nadie más" in third.text
    assert len(house.mail_to_payers()) == 2


async def test_the_page_says_who_was_named_and_offers_the_form_while_one_more_may_be_named(house: House) -> None:
    path = house.link("RIB-1")
    await house.send(path, "payer", name="Marta Gil", email="p1@grupo.example")
    text = re.sub("</?bdi>", "", await house.page(path))
    assert "Ya indicado: Marta Gil." in text and 'id="payer-email"' in text and "p1@grupo.example" not in text
    house.app.state.clock = lambda: NOW + timedelta(minutes=1)
    await house.send(path, "payer", name="Ana Gil", email="p2@grupo.example")
    text = re.sub("</?bdi>", "", await house.page(path))
    assert "Ya indicado: Marta Gil, Ana Gil." in text
    assert 'id="payer-email"' not in text and "no se puede indicar a nadie más" in text


@pytest.mark.parametrize(
    ("kind", "said"),
    [(DebtorKind.CONSUMER, "a private customer named"), (None, "a customer, who may be a private person, named")],
)
async def test_the_task_about_a_payer_names_them_and_waits_for_the_decision(
    house: House, kind: DebtorKind | None, said: str
) -> None:
    with house.database.writing("petrova") as session:
        invoices.customer_row(session, "petrova").kind = kind
    await house.send(house.link("PET-1"), "payer", name="Иван Петров", email="ivan@petrov.example")
    with house.database.reading() as session:
        (row,) = payers.of_invoice(session, "PET-1")
        (task,) = [one for one in open_work(session, "PET-1") if one["payer"]]
        assert task["payer"] == {"payer_id": row.payer_id, "name": "Иван Петров", "email": "ivan@petrov.example"}
        assert task["reason"].startswith(said)
        with pytest.raises(Refused, match="whether that person is written to"):
            payer_decisions.check_decided(session, task["task_id"])
    clerk = Principal(PrincipalKind.PERSON, id="agent-3", name="Ana", role=PrincipalRole.AGENT)
    with pytest.raises(Refused, match="waits for a decision"):
        content = {"task_id": task["task_id"], "outcome": "done", "by": "agent-3"}
        await Cases(cast(Client, house.engine), house.database).tell(
            "PET-1", "call_outcome", content, principal=clerk
        )
    with house.database.writing("petrova") as session:
        payer_decisions.decide(session, row.payer_id, clerk, NOW, write=False)
        payer_decisions.check_decided(session, task["task_id"])
        assert not [one for one in open_work(session, "PET-1") if one["payer"]]


@pytest.mark.parametrize(
    "name", ["Klick http://evil.example", "www.evil.example", "evil.com", "marta@evil.example", "gane.ya.com/x"]
)
async def test_the_name_of_a_payer_holds_no_link(house: House, name: str) -> None:
    """The mail to the payer repeats it."""
    answer = await house.send(house.link("RIB-1"), "payer", name=name, email="marta@grupo.example")
    assert answer.status_code == 422 and 'id="payer-name-error">Esto no es un nombre' in answer.text
    assert house.count("payers") == 0


@pytest.mark.parametrize("email", ["ana@dunwell.example", "Ana@Dunwell.Example"])
async def test_a_payer_is_not_ourselves(house: House, email: str) -> None:
    answer = await house.send(house.link("RIB-1"), "payer", name="Ana", email=email)
    assert answer.status_code == 422 and 'id="payer-email-error">' in answer.text
    assert house.count("payers") == 0 and house.mail_to_payers() == []


@pytest.mark.parametrize(("write", "mails"), [(True, 1), (False, 0)])
async def test_for_a_private_customer_a_person_decides_first(house: House, write: bool, mails: int) -> None:
    path = house.link("PET-1")
    answer = await house.send(path, "payer", name="Иван Петров", email="ivan@petrov.example")
    assert "?done=payer_asked&" in answer.headers["location"]
    assert house.mail_to_payers() == []
    with house.database.writing("petrova") as session:
        (row,) = payers.of_invoice(session, "PET-1")
        clerk = Principal(PrincipalKind.PERSON, id="agent-3", name="Ana", role=PrincipalRole.AGENT)
        payer_decisions.decide(session, row.payer_id, clerk, NOW, write=write)
    assert len(house.mail_to_payers()) == mails
    assert "agent-3" in str(house.timeline("PET-1"))


async def test_a_payer_is_not_written_to_once_the_invoice_is_paid(house: House) -> None:
    path = house.link("RIB-3")
    await house.send(path, "payer", name="Marta Gil", email="marta@grupo.example")
    house.pay("RIB-3", "80.00")
    assert house.mail_to_payers() == []
    with house.database.reading() as session:
        assert session.scalars(select(PayerRow.state)).one() is PayerState.WITHHELD


async def test_a_payer_is_not_written_to_while_a_reply_of_the_customer_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payer_mail, "_AT_ONCE", 1)
    await house.send(house.link("RIB-1"), "payer", name="Marta Gil", email="marta@grupo.example")
    await house.send(house.link("PET-1"), "payer", name="Иван Петров", email="ivan@petrov.example")
    with house.database.writing("petrova") as session:
        for row in payers.of_invoice(session, "PET-1"):
            row.state, row.named_at = PayerState.DUE, NOW + timedelta(seconds=1)
    with house.database.writing("ribera") as session:
        received = replies_service.from_page(session, "f" * 32, "ribera", None, "RIB-2", "Please wait with that", NOW)
    assert house.mail_to_payers() == []
    with house.database.writing("ribera") as session:
        reply = replies.get(session, received.reply_id)
        assert reply is not None
        reply.handled_at = NOW
    later = NOW + timedelta(minutes=10)
    assert [one.to for one in house.mail_to_payers()] == ["ivan@petrov.example"]  # who waits lets others pass
    assert [one.to for one in house.mail_to_payers(later)] == ["marta@grupo.example"]


async def test_a_call_under_way_is_waited_for_before_it_counts_as_lost(house: House) -> None:
    """Another process has claimed the e-mail a moment ago, and talks to the provider."""
    await house.send(house.link("RIB-1"), "payer", name="Marta Gil", email="marta@grupo.example")
    with house.database.writing("ribera") as session:
        row = session.scalars(select(PayerRow)).one()
        payers.claim(session, row, "subject", "body", NOW)
    mail = PayerMail(house.deps, lambda: NOW)
    mail._send(row.payer_id, "ribera", NOW)  # it was due when this process looked
    with house.database.reading() as session:
        assert session.scalars(select(PayerRow.state)).one() is PayerState.CLAIMED
    assert house.mail_to_payers(NOW + timedelta(hours=1)) == []
    with house.database.reading() as session:
        assert session.scalars(select(PayerRow.state)).one() is PayerState.UNKNOWN


async def test_a_payer_is_not_written_to_at_night(house: House) -> None:
    await house.send(house.link("RIB-1"), "payer", name="Marta Gil", email="marta@grupo.example")
    assert house.mail_to_payers(NOW.replace(hour=23)) == []
    assert len(house.mail_to_payers(NOW.replace(day=25))) == 1


# Stop e-mails ----------------------------------------------------------------------------------------------


async def test_e_mails_stop_when_a_person_is_sure(house: House) -> None:
    path = house.link("RIB-1")
    assert (await house.send(path, "stop")).status_code == 422
    assert house.closed("lucia@ribera.example") is None
    assert (await house.send(path, "stop", sure="yes")).status_code == 303
    assert house.closed("lucia@ribera.example") == "stopped"
    assert f"{path}/stop" not in await house.page(path)
    with house.database.reading() as session:
        assert session.scalars(select(AuditRow.kind).where(AuditRow.action == "mail_stopped")).one() == "link"


# Personal data ---------------------------------------------------------------------------------------------

MARK = "qzxplanted"


async def test_what_people_type_is_found_in_the_database_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    path, other = house.link("RIB-1"), house.link("RIB-3")
    answers = [
        await house.send(path, "wrong", which="RIB-1", reason="other", text=f"{MARK}1", file=(f"{MARK}2.png", PNG)),
        await house.send(path, "payer", name=f"{MARK}3", email=f"{MARK}4@grupo.example"),
        await house.send(other, "promise", day=f"{MARK}5"),
    ]
    assert [one.status_code for one in answers] == [303, 303, 422]
    for told in house.engine.told:
        assert MARK not in str(told)
    for entry in (*house.timeline("RIB-1"), *house.timeline("RIB-3")):
        assert MARK not in str(entry)
    logged = [record for record in caplog.records if not record.name.startswith(("aiosqlite", "sqlalchemy"))]
    assert MARK not in str([record.getMessage() for record in logged])
    assert all(MARK not in str(one.headers) for one in answers)
    with house.database.reading() as session:
        found = {
            table.name for table in Base.metadata.sorted_tables if MARK in str(session.execute(select(table)).all())
        }
    assert found == {"notes", "sent_files", "payers"}


# What was agreed -------------------------------------------------------------------------------------------


async def test_a_promise_shows_what_is_left_of_it_after_a_part_came(house: House) -> None:
    path = house.link("RIB-1")
    await house.send(path, "promise", which="RIB-1", day="2027-04-02", amount="900,00")
    house.pay("RIB-1", "10.00")
    (said,) = re.findall(r"<li>(Usted pagará .*?)</li>", await house.page(path))
    assert "900,00" in said and "890,00" in said


async def test_a_promise_that_came_whole_is_not_shown_as_standing(house: House) -> None:
    path = house.link("RIB-1")
    await house.send(path, "promise", which="RIB-1", day="2027-04-02", amount="900,00")
    with house.database.writing("ribera") as session:  # the case has not heard of it yet
        facts = {"payment_id": "p9", "invoice_id": "RIB-1", "amount": Decimal(900), "currency": "EUR"}
        session.add(PaymentRow(**facts, received_at=NOW, recorded_at=NOW))
    assert "Usted pagará" not in await house.page(path)


@pytest.mark.parametrize("rests", [False, True], ids=["chased", "after-a-promise"])
async def test_all_that_was_agreed_is_listed(house: House, rests: bool) -> None:
    """Also what does not change how the case rests: a payment and a call announced while a promise runs."""
    path = house.link("RIB-3")
    if rests:
        await house.send(path, "promise", day="2027-04-02")
    await house.send(path, "paid", day="2027-03-23", amount="30,00")
    await house.send(path, "call", where="on-file", at="2027-03-30T11:00")
    await house.send(path, "wrong", reason="price", amount="20,00", text="80 y no 8")
    listed = await house.page(path)
    said = re.sub(r"<.*?>|\s+", " ", listed[listed.index('class="noted"') : listed.index('aria-labelledby="pay"')])
    said = " ".join(said.split())
    assert ("Usted pagará" in said) == rests
    assert "24 de marzo de 2027 nos dijo que ya había pagado 30,00 €" in said
    assert "le llamaremos el 30 de marzo de 2027 a las 11:00" in said
    assert "No pedimos 20,00 €" in said


@pytest.mark.parametrize(("amount", "left"), [("200,00", ["400,00", "400,00", "200,00"]), (None, [])])
async def test_the_instalments_ask_for_no_more_than_the_page(
    house: House, amount: str | None, left: list[str]
) -> None:
    path = house.link("RIB-1")
    await house.send(path, "split", which="RIB-1", parts="3", first="2027-03-30", every="week")
    await house.send(
        path, "wrong", which="RIB-1", reason="price", text="no", **({"amount": amount} if amount else {})
    )
    listed = re.search(r'class="noted".*?</section>', await house.page(path), re.DOTALL)
    assert listed is not None
    assert re.findall(r"</bdi>: <bdi>([\d.,]+)\s€</bdi>", listed[0]) == left and "No pedimos" in listed[0]


async def test_a_call_whose_hour_has_come_is_not_promised_for_it(house: House) -> None:
    path = house.link("RIB-3")
    await house.send(path, "call", where="on-file", at="2027-03-30T11:00")
    house.app.state.clock = lambda: NOW.replace(day=31)
    page = await house.page(path)
    assert "le llamaremos." in page and "11:00" not in page
