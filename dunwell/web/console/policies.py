"""The policies: each with its picture and its steps for a sample invoice, and the checker's words about a file."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy import func, select

from dunwell.client.previews import contact_hours, previewed
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.ladder import PreviewLine
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.policy import Policy
from dunwell.domain.principals import Principal, Right
from dunwell.domain.terms import ENDS, DebtorKind
from dunwell.domain.toml_text import TomlFault, parse_toml
from dunwell.intake import place_checks
from dunwell.intake.policy_files import read_ladder_text, traits_of
from dunwell.intake.refusals import InvalidValue
from dunwell.intake.time_zones import zones_of
from dunwell.intake.typed_amounts import sought_amount
from dunwell.services.opening import foreseen
from dunwell.store.tables import CaseRow, InvoiceRow
from dunwell.views.ladder_picture import picture
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, page
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/policies", route_class=ConsoleRoute, include_in_schema=False)

_AMOUNT = Decimal("1200.00")
_COUNTRY = "DE"

Short = Annotated[str, Query(max_length=20)]


@router.get("")
async def policies(
    request: Request, principal: Annotated[Principal, Depends(allowed(Right.POLICIES_READ))]
) -> Response:
    """Show the policies of the folder, with how many open cases go by each."""
    service = service_of(request)
    counts = await asyncio.to_thread(_open_cases, service)
    return page(request, "policies.html", principal, ladders=service.ladders, counts=counts, **_unchecked())


@router.post("/check")
async def check(request: Request, principal: Annotated[Principal, Depends(allowed(Right.POLICIES_READ))]) -> Response:
    """Say of a file's text whether it can be used as a policy, or all that is wrong with it. Keeps nothing."""
    service, text = service_of(request), (await read_form(request)).get("text", "")
    counts = await asyncio.to_thread(_open_cases, service)
    checked, problems = await asyncio.to_thread(_checked, service, text)
    facts = {"text": text, "checked": checked, "problems": problems, "drawn": _drawn(checked)}
    status = 422 if problems else 200
    return page(request, "policies.html", principal, status, ladders=service.ladders, counts=counts, **facts)


@router.get("/{name}")
async def policy(
    request: Request,
    name: str,
    principal: Annotated[Principal, Depends(allowed(Right.POLICIES_READ))],
    due: Short = "",
    country: Short = _COUNTRY,
    amount: Short = "",
) -> Response:
    """Show a policy, and when its steps would come for an invoice of this amount, due on that day."""
    service, at = service_of(request), now(request)
    if name not in service.ladders:
        raise Problem(404, "There is no policy of this name in the folder policies.")
    ladder, wrong = service.ladders[name], []
    day, zone = _day(due), _zone(country)
    wrong += [] if day or not due else ["The day is none: write it as 2027-04-12."]
    wrong += [] if zone else ["The country is none that is known: write two letters, such as DE."]
    day = day or at.date() + timedelta(days=14)
    owed = sought_amount(amount) or _AMOUNT
    lines = await asyncio.to_thread(_sample, service, ladder, day, country.upper(), zone, owed, at) if zone else ()
    facts = {
        "ladder": ladder,
        "hours": contact_hours(ladder),
        "drawn": _drawn(ladder),
        "lines": lines,
        "zone": zone or "UTC",
        "sample": {"due": day, "country": country.upper(), "amount": owed},
        "wrong": wrong,
    }
    return page(request, "policy.html", principal, 422 if wrong else 200, **facts)


def _unchecked() -> dict[str, Any]:
    return {"text": "", "checked": None, "problems": (), "drawn": ""}


def _drawn(ladder: Policy | None) -> Markup | str:
    return Markup(picture(ladder)) if ladder is not None else ""  # the picture escapes what it shows


def _open_cases(service: Service) -> dict[str, int]:
    query = (
        select(InvoiceRow.policy_name, func.count())
        .join(CaseRow, CaseRow.invoice_id == InvoiceRow.invoice_id)
        .where(CaseRow.rehearsal.is_(False), CaseRow.stage.not_in([stage.value for stage in ENDS]))
        .group_by(InvoiceRow.policy_name)
    )
    with service.database.reading() as session:
        return {str(name): number for name, number in session.execute(query)}


def _checked(service: Service, text: str) -> tuple[Policy | None, Sequence[str]]:
    """Return the policy, or what is wrong with it."""
    try:
        return read_ladder_text(text.encode(), _file_name(text), traits_of(service.deps.catalogue)), ()
    except PolicyError as error:
        return None, [f"Step {one.step}: {one.reason}" if one.step else one.reason for one in error.problems]


def _file_name(text: str) -> str:
    """Return the name that the file would have: that of the policy in it."""
    try:
        name = parse_toml(text.encode()).get("name")
    except TomlFault:
        name = None
    return f"{name}.toml" if isinstance(name, str) else "policy.toml"


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date(2000, 1, 1) < day < date(2100, 1, 1) else None


def _zone(country: str) -> str | None:
    """Return a time zone of a country; None for a country that is not known."""
    try:
        return next(iter(zones_of(place_checks.country(country.upper()))), None)
    except InvalidValue:
        return None


def _sample(
    service: Service, ladder: Policy, due: date, country: str, zone: str, amount: Decimal, at: datetime
) -> tuple[PreviewLine, ...]:
    customer = Customer(
        customer_id="sample",
        name="Sample",
        country=country,
        time_zone=zone,
        language="en",
        kind=DebtorKind.BUSINESS,
        contacts=(),
    )
    invoice = Invoice(
        invoice_id="sample",
        number="sample",
        customer=customer,
        amount=amount,
        currency="EUR",
        digits=2,
        issued_on=due - timedelta(days=30),
        due_on=due,
        policy=ladder.name,
    )
    begin = min(at, datetime.combine(invoice.issued_on, ladder.window[0], at.tzinfo))
    return previewed(service.deps, invoice, ladder, foreseen(invoice, ladder, begin), begin)
