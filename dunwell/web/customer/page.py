"""The page that the link of a message opens: what is open of its invoices, how to pay, and what its holder may say.

GET changes nothing, because scanners open every link before a person does. POST needs what only a person gives, such
as a day or a choice, and an id that makes it one sending, however often it comes in.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.links import LinkKind
from dunwell.domain.refusal import Refused
from dunwell.domain.self_service import Every, shares
from dunwell.intake.debt_advice_files import debt_advice
from dunwell.services.links import PATHS, Link
from dunwell.services.submissions import Submission
from dunwell.store import invoice_documents
from dunwell.texts.catalogue import in_country
from dunwell.views.customer_page import Bill, CustomerPage, read_page
from dunwell.web import clock
from dunwell.web.allowed_hosts import host_of
from dunwell.web.customer import acts
from dunwell.web.customer.error_pages import bad_link
from dunwell.web.customer.links import opened
from dunwell.web.customer.rendering import HEADERS, Writer, page
from dunwell.web.customer.sending import carry_out
from dunwell.web.customer.sent_once import EarlierSending, earlier_sending, first_sent
from dunwell.web.customer.typed import Fault, Reader, Sent, Unfit, read_sent
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PATHS[LinkKind.PAGE], include_in_schema=False)
Opened = Annotated[Link, Depends(opened(LinkKind.PAGE))]

LANGUAGE = "dunwell-language"
"""The cookie with the language that somebody chose on a page."""
_YEAR = 365 * 24 * 3600
_ADDRESSES = (*acts.ACTS, "language")
"""Where the forms of a page are sent to, below its own address."""


@router.get("/{token}/invoice/{place}")
async def document(request: Request, link: Opened, place: str) -> Response:
    """Answer the PDF of an invoice of the message, by its place among them."""
    row = await asyncio.to_thread(_document, service_of(request), link, place)
    if row is None:
        return bad_link(request, "bad_page_link")
    shown = {"Content-Disposition": f'inline; filename="{place}.pdf"'}
    return Response(row, media_type="application/pdf", headers=HEADERS | shown)


async def after_refusal(request: Request, link: Opened) -> Response:
    """Lead back from the address of a form, which a browser shows after a refusal, to the page. Changes nothing."""
    return _back(request)


for _address in _ADDRESSES:
    router.add_api_route(f"/{{token}}/{_address}", after_refusal, methods=["GET", "HEAD"])


@router.api_route("", methods=["GET", "HEAD"])
@router.api_route("/{token:path}", methods=["GET", "HEAD"])
async def show(request: Request, link: Opened, done: str = "", proof: str = "") -> Response:
    """Show the page, and what was just done if the address proves it. Changes nothing."""
    facts = await asyncio.to_thread(_read, service_of(request), link, clock.now(request))
    return _shown(request, link, facts, done=done if _is_proved(request, link, facts, done, proof) else None)


@router.post("/{token}/language")
async def speak(request: Request, link: Opened) -> Response:
    """Remember the language that was chosen, and show the page in it."""
    wanted = (await read_sent(request)).fields.get("language", "")
    response = _back(request)
    if wanted in service_of(request).deps.catalogue.languages:
        secure = request.url.scheme == "https" or service_of(request).public_url.startswith("https://")
        response.set_cookie(LANGUAGE, wanted, max_age=_YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    return response


@router.post("/{token}/{act}")
async def say(request: Request, link: Opened, act: str) -> Response:
    """Take in a form. Then the page is shown, or the form again with what is wrong and what is possible."""
    kind = acts.ACTS.get(act)
    if kind is None or kind.scope not in link.scopes:
        return bad_link(request, "bad_page_link")
    service, now = service_of(request), clock.now(request)
    facts = await asyncio.to_thread(_read, service, link, now)
    sent, form = Sent({}), None
    try:
        sent = await read_sent(request)
        if not sent.form_id or request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise Unfit({"form": Fault("problem")})
        form = Submission.of(link.link_id, sent.form_id, act, sent.said)
        then = await asyncio.to_thread(first_sent, service, form) or now
        page_then = facts if then == now else await asyncio.to_thread(_read, service, link, then)
        writer = Writer(service.deps.catalogue, _language(request, facts))
        reader = Reader(sent, writer.locale, facts.time_zone, facts.country)
        found = kind.read(acts.Form(reader, page_then, writer, link.principal.label, then))
        await carry_out(service, link, found, form, now)
    except Unfit as unfit:
        return await _unfit(request, link, facts, Refusal(act, sent.fields, unfit.faults), form)
    except Problem as problem:
        fault = Fault("big_file" if problem.status == 413 else "problem")
        return _shown(request, link, facts, refused=Refusal(act, {}, {"form": fault}), status=problem.status)
    except Refused as refused:
        fault = Fault("sent_before" if refused.field in {"request_id", "form"} else "not_now")
        facts = await asyncio.to_thread(_read, service, link, now)
        return _shown(request, link, facts, refused=Refusal(act, sent.fields, {"form": fault}), status=422)
    except (NoAnswer, ServerAway):
        return _try_again(request, link, facts, act, sent)
    return _confirmed(request, link, facts, found.done)


@dataclass(frozen=True)
class Refusal:
    """A form that was not taken, as the page shows it again. `form_id`: that of its next sending."""

    act: str
    typed: Mapping[str, str]
    faults: Mapping[str, Fault]
    form_id: str = field(default_factory=lambda: uuid4().hex)


async def _unfit(
    request: Request, link: Link, facts: CustomerPage, refused: Refusal, form: Submission | None
) -> Response:
    """Show what is wrong with a form, unless what makes it impossible now is an earlier sending of it.

    So it is with a double click, and when the service ended before it could answer the first sending.
    """
    kind, earlier = acts.ACTS[refused.act], EarlierSending.NEW
    if form is not None:
        earlier = await asyncio.to_thread(earlier_sending, service_of(request), link, form, kind.kept)
    if earlier is EarlierSending.UNDER_WAY:
        return _try_again(request, link, facts, refused.act, Sent(refused.typed))
    if earlier is EarlierSending.DONE:
        return _confirmed(request, link, facts, kind.done)
    return _shown(request, link, facts, refused=refused, status=422)


def _try_again(request: Request, link: Link, facts: CustomerPage, act: str, sent: Sent) -> Response:
    """Show the form with its own id: sent again, it is still the same form."""
    refused = Refusal(act, sent.fields, {"form": Fault("try_again")}, sent.form_id)
    return _shown(request, link, facts, refused=refused, status=503)


def _shown(
    request: Request,
    link: Link,
    facts: CustomerPage,
    *,
    done: str | None = None,
    refused: Refusal | None = None,
    status: int = 200,
) -> Response:
    service, language = service_of(request), _language(request, facts)
    deps = service.deps
    return page(
        deps,
        "invoices.html",
        language,
        status,
        page=facts,
        here=_path(request),
        scopes=link.scopes,
        done=done,
        host=host_of(service.public_url),
        address=deps.letterhead.address,
        advice=debt_advice().get(facts.country, ()),
        languages=[(code, deps.catalogue.name_of(code)) for code in deps.catalogue.languages],
        **_forms(facts, Writer(deps.catalogue, language), refused),
    )


def _forms(facts: CustomerPage, writer: Writer, refused: Refusal | None) -> dict[str, Any]:
    """What the forms of the page need: choices, and of the one that was refused what was typed and is wrong."""
    able = {name: acts.able_bills(facts, kind.able) for name, kind in acts.ACTS.items()}

    def faults(act: str) -> Mapping[str, Fault]:
        return refused.faults if refused is not None and refused.act == act else {}

    def typed(act: str, name: str) -> str:
        return refused.typed.get(name, "") if refused is not None and refused.act == act else ""

    def form_id(act: str) -> str:  # each form has its own: one that was sent does not stand for another
        return refused.form_id if refused is not None and refused.act == act else uuid4().hex

    def described(act: str, name: str, hint: str) -> Markup:
        wrong = name in faults(act)
        ids = [f"{act}-{name}-{part}" for part, there in (("hint", hint), ("error", wrong)) if there]
        said = {"aria-describedby": " ".join(ids) or None, "aria-invalid": "true" if wrong else None}
        return Markup().join(Markup(' {}="{}"').format(key, value) for key, value in said.items() if value)

    def numbers(act: str, several: bool) -> list[tuple[str, str]]:
        every = [(acts.ALL, writer.plain("which_all"))] if several else []
        return [*((bill.invoice_id, bill.number) for bill in able[act]), *every]

    return {
        "able": able,
        "refused": refused,
        "form_id": form_id,
        "faults": faults,
        "typed": typed,
        "described": described,
        "numbers": numbers,
        "reasons": [(code, writer.plain(word)) for code, word in acts.REASONS.items()],
        "every": [(one.value, writer.plain(f"split_{one.value}")) for one in Every],
        "parts": _parts(able["split"], writer),
    }


def _parts(bills: Sequence[Bill], writer: Writer) -> list[tuple[str, str]]:
    """The numbers of instalments that may be chosen; of a single invoice with their amounts."""
    if len(bills) == 1:
        return [(str(count), _shares(bills[0], count, writer)) for count in bills[0].counts]
    return [(str(count), str(count)) for count in sorted({count for bill in bills for count in bill.counts})]


def _shares(bill: Bill, count: int, writer: Writer) -> str:
    """The amounts of so many instalments: "2 × €333.33 + €333.34"."""
    *equal, last = shares(bill.open, count, bill.digits)
    written, rest = (writer.money(one, bill.currency, bill.digits) for one in (equal[0], last))
    return f"{count} × {written}" if equal[0] == last else f"{count - 1} × {written} + {rest}"


def _back(request: Request) -> RedirectResponse:
    """The redirect to the page."""
    return RedirectResponse(_path(request), 303, HEADERS)


def _confirmed(request: Request, link: Link, facts: CustomerPage, done: str) -> RedirectResponse:
    """The redirect to the page after a form was carried out. A reload says it again, until the day is over."""
    made = service_of(request).deps.links
    assert made is not None  # a link was opened
    proof = made.prove(link, f"{done}.{facts.today}")
    return RedirectResponse(f"{_path(request)}?done={done}&proof={proof}#done", 303, HEADERS)


def _is_proved(request: Request, link: Link, facts: CustomerPage, done: str, proof: str) -> bool:
    """Whether what the address of the page says was done is what this link was told today."""
    made = service_of(request).deps.links
    return made is not None and made.proves(link, f"{done}.{facts.today}", proof)


def _path(request: Request) -> str:
    return f"{PATHS[LinkKind.PAGE]}/{request.path_params['token']}"


def _language(request: Request, facts: CustomerPage) -> str:
    """The language that was chosen on a page, else the customer's."""
    catalogue = service_of(request).deps.catalogue
    chosen = request.cookies.get(LANGUAGE, "")
    wanted = chosen if chosen in catalogue.languages else facts.language
    return in_country(catalogue.spoken(wanted), facts.country)


def _read(service: Service, link: Link, now: datetime) -> CustomerPage:
    with service.database.reading() as session:
        return read_page(
            session,
            service.deps,
            link.customer_id,
            link.invoice_ids,
            link.contact_id,
            link.message_id,
            now,
            link_id=link.link_id,
        )


def _document(service: Service, link: Link, place: str) -> bytes | None:
    if not place.isascii() or not place.isdigit() or len(place) > 4 or int(place) >= len(link.invoice_ids):
        return None
    with service.database.reading() as session:
        row = invoice_documents.get(session, link.invoice_ids[int(place)])
        return row.content if row is not None else None
