"""The page of a customer: invoices, people, credit, holds, promises, messages, notes, and one timeline of all."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.client import credits
from dunwell.client.answers import TellOutcome
from dunwell.client.customers import Changed, ChangedMeanwhile, Customers
from dunwell.domain.closed_addresses import NO_CALLS
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.typed_amounts import typed_amount
from dunwell.intake.typed_codes import code_typed
from dunwell.services.account_statement_letter import statement_letter
from dunwell.services.account_statements import statement_of
from dunwell.store import cases, contacts, invoices, links, payers, timeline
from dunwell.store.tables import ContactRow
from dunwell.views.customer import customer_facts
from dunwell.views.facts import Facts
from dunwell.views.lookup import currency_of
from dunwell.views.names import Names
from dunwell.views.notes import notes_about
from dunwell.views.outbox import latest
from dunwell.views.replies import replies_of
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.changes import change
from dunwell.web.console.formats import PAYER_STATES
from dunwell.web.console.forms import (
    CONTACT_FORMS,
    CREDIT_FORMS,
    CUSTOMER_FORMS,
    Filled,
    Form,
    texts_of,
)
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, Position, file_response, page, redirect
from dunwell.web.posted_form import FORM_ID, read_form
from dunwell.web.repetition import answered_once
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PREFIX, route_class=ConsoleRoute, include_in_schema=False)

_ENTRIES, _MESSAGES, _INVOICES = 60, 40, 25
"""How many of the latest the page shows; the links below them lead to all."""
_PAGE = 200
"""Entries of the timeline on a page that shows all of them."""
_DONE: Mapping[str, str] = {
    "changed": "Saved. The open cases of this customer know it.",
    "unreached": "Saved. This contact has no address any more: nothing is sent to them, and calls go to others.",
    "nobody": "Saved. Nobody of this customer can be reached any more: a task asks for an address.",
    "untold": "Saved. Temporal does not answer just now, so the cases read it at their next step.",
    "credit": "The credit is booked.",
    "credit-sent": "Temporal keeps it, and it is not booked yet: reload in a minute. A refusal is in the timeline.",
}
_NOT_YET = frozenset({TellOutcome.SENT, TellOutcome.ACCEPTED})


@dataclass(frozen=True)
class Shown:
    """What the page shows in whole: "invoices", "timeline" from entry `first` on, or nothing."""

    all_of: str = ""
    first: int = 0


@router.get("/customers/{customer_id}")
async def customer(
    request: Request,
    customer_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CUSTOMERS_READ))],
    done: str = "",
    all_of: str = "",
    first: Position = 0,
) -> Response:
    """Show the customer. `all_of`: invoices or timeline, to show all of them, the timeline from entry `first` on."""
    shown = Shown(all_of, first)
    return await _shown(request, principal, customer_id, done=_DONE.get(done), shown=shown)


@router.get("/customers/{customer_id}/statement")
async def statement(
    request: Request,
    customer_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CUSTOMERS_READ))],
    as_of: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Answer the customer's statement of account on a day, by default today, as PDF."""
    service, moment = service_of(request), now(request)
    try:
        day = date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise Problem(422, "The day of the statement is none: write it as 2027-04-12.") from None

    def read() -> tuple[date, bytes]:
        with service.database.reading() as session:
            found = statement_of(session, service.deps, customer_id, day, moment)
            return found.as_of, statement_letter(session, service.deps, found).content

    known, content = await asyncio.to_thread(read)
    return file_response(content, f"statement-{known.isoformat()}.pdf", "application/pdf")


@router.post("/customers/{customer_id}/{action}")
async def change_customer(
    request: Request,
    customer_id: str,
    action: str,
    principal: Annotated[Principal, Depends(allowed(Right.CUSTOMERS_WRITE))],
) -> Response:
    """Pause, resume or correct the customer, or add a contact."""
    form, typed = _form(CUSTOMER_FORMS, action), await read_form(request)
    filled, by = Filled.sent(form, typed), principal.label
    given = {one.name: typed[one.name] for one in form.fields if typed.get(one.name)}

    def act(customers: Customers) -> Changed:
        match action:
            case "pause":
                return customers.pause(customer_id, code_typed(given.get("reason", "")), by, given.get("until"))
            case "resume":
                return customers.resume(customer_id, by)
            case "contacts":
                return customers.add_contact(customer_id, given.pop("role", ""), given, by)
            case "revoke-links":
                return customers.revoke_links(customer_id, code_typed(given.get("reason", "")), by)
        return customers.set_customer(customer_id, _corrected(filled), by, filled.was)

    return await _changed(request, principal, customer_id, filled, act, "")


@router.post("/contacts/{contact_id}/{action}")
async def change_contact(
    request: Request,
    contact_id: str,
    action: str,
    principal: Annotated[Principal, Depends(allowed(Right.CUSTOMERS_WRITE))],
) -> Response:
    """Correct, close or open a contact."""
    form, typed = _form(CONTACT_FORMS, action), await read_form(request)
    row = await asyncio.to_thread(_contact, service_of(request), contact_id)
    filled = Filled.sent(form, typed)

    def act(customers: Customers) -> Changed:
        match action:
            case "close":
                return customers.close_contact(contact_id, code_typed(typed.get("reason", "")), principal.label)
            case "stop-calls":
                return customers.stop_calls(contact_id, principal.label)
            case "allow-calls":
                return customers.allow_calls(contact_id, principal.label)
            case "open":
                return customers.open_contact(contact_id, principal.label)
            case "revoke-links":
                return customers.revoke_links_of(contact_id, code_typed(typed.get("reason", "")), principal.label)
        return customers.set_contact(contact_id, _corrected(filled), principal.label, filled.was)

    return await _changed(request, principal, row.customer_id, filled, act, contact_id)


@router.post("/credits/{invoice_id}/{action}")
async def use_credit(
    request: Request,
    invoice_id: str,
    action: str,
    principal: Annotated[Principal, Depends(allowed(Right.PAYMENTS_WRITE))],
) -> Response:
    """Apply credit to another invoice of the customer, or note that it was paid back."""
    service, typed = service_of(request), await read_form(request)
    form = _form(CREDIT_FORMS, action)
    customer_id = await asyncio.to_thread(_owner, service, invoice_id)
    done = "credit"
    try:
        if action == "apply":
            how = await _apply(service, principal, invoice_id, typed)
            done = "credit-sent" if how in _NOT_YET else done
        else:
            await asyncio.to_thread(_give_back, service, principal, invoice_id, typed)
    except Refused as refused:
        filled = Filled(form, typed, form_id=typed.get(FORM_ID, "")).refused(refused)
        return await _shown(request, principal, customer_id, filled, invoice_id, 422)
    return redirect(f"{PREFIX}/customers/{customer_id}", done=done)


# What the forms do ---------------------------------------------------------------------------------------


async def _changed(
    request: Request,
    principal: Principal,
    customer_id: str,
    filled: Filled,
    act: Callable[[Customers], Changed],
    about: str,
) -> Response:
    """Make the change and tell the cases. about: the contact or credit whose form it is, "" for the customer's."""
    try:
        untold = await change(request, principal, filled.values, act)
    except ChangedMeanwhile as meanwhile:
        facts = await asyncio.to_thread(_values, service_of(request), customer_id, about)
        overtaken = filled.overtaken(meanwhile.now, texts_of(facts))
        return await _shown(request, principal, customer_id, overtaken, about, 409)
    except Refused as refused:
        return await _shown(request, principal, customer_id, filled.refused(refused), about, 422)
    lost = await asyncio.to_thread(_lost, service_of(request), customer_id, about) if about else ""
    return redirect(f"{PREFIX}/customers/{customer_id}", done="untold" if untold else lost or "changed")


async def _apply(service: Service, principal: Principal, invoice_id: str, typed: Mapping[str, str]) -> TellOutcome:
    """Tell the case of the invoice that is paid, and return what became of it. Raises Refused, ServerAway."""
    taker, form_id = typed.get("to_invoice", ""), typed.get(FORM_ID) or None

    def fields() -> dict[str, Any]:
        with service.database.reading() as session:
            if not taker:
                raise Refused("to_invoice", "is missing: choose the invoice that it pays")
            amount = _amount(session, invoice_id, typed)
            return credits.to_apply(session, invoice_id, taker, amount, principal.label, form_id)

    content = await asyncio.to_thread(fields)
    await service.connection.ensure()
    answer = await answered_once(
        lambda: service.cases.tell(taker, "credit_applied", content, principal=principal, request_id=form_id)
    )
    return answer.how


def _give_back(service: Service, principal: Principal, invoice_id: str, typed: Mapping[str, str]) -> None:
    with service.database.reading() as session:
        content = credits.to_return(
            session, invoice_id, _amount(session, invoice_id, typed), principal.label, typed.get(FORM_ID) or None
        )
    credits.give_back(service.database, invoice_id, content, principal)


def _corrected(filled: Filled) -> Mapping[str, str]:
    """Return what somebody changed in a form that corrects. Raises Refused when that is nothing."""
    if not filled.corrected:
        raise Refused("form", "Nothing was changed: change a field first.")
    return filled.corrected


def _amount(session: Session, invoice_id: str, typed: Mapping[str, str]) -> str | None:
    """The amount that was typed, of the credit of this invoice; None for none. Raises Refused for what is none."""
    text, currency = typed.get("amount", ""), currency_of(session, invoice_id)
    return str(typed_amount("amount", text, currency)) if text else None


def _form(forms: Mapping[str, Form], action: str) -> Form:
    if action not in forms:
        raise Problem(404, "There is no such form.")
    return forms[action]


# What the page shows -------------------------------------------------------------------------------------


async def _shown(
    request: Request,
    principal: Principal,
    customer_id: str,
    filled: Filled | None = None,
    about: str = "",
    status: int = 200,
    done: str | None = None,
    shown: Shown = Shown(),
) -> Response:
    facts = await asyncio.to_thread(_facts, service_of(request), customer_id, shown, now(request))
    known = {"opened": filled, "about": about, "done": done, "first": shown.first, "size": _PAGE}
    return page(
        request,
        "customer.html",
        principal,
        status,
        filled_form=_filler(filled, about, facts),
        no_calls=NO_CALLS,
        **known,
        **facts,
    )


def _filler(filled: Filled | None, about: str, facts: Facts) -> Callable[..., Filled]:
    """Return what gives the template each form: as it was typed and refused, else with the values as they are."""
    takers = [one for one in facts["customer"]["invoices"] if one["amount_due"] and one["stage"]]

    def fill(kind: str, name: str, of: str = "", values: Mapping[str, Any] | None = None) -> Filled:
        form = {"customer": CUSTOMER_FORMS, "contact": CONTACT_FORMS, "credit": CREDIT_FORMS}[kind][name]
        made = filled if filled is not None and filled.form is form and about == of else None
        made = made or Filled.of(form, texts_of(values or {}))
        choices = tuple((one["invoice_id"], f"{one['number']}, {one['amount_due']} open") for one in takers)
        return replace(made, choices={"to_invoice": choices}) if kind == "credit" else made

    return fill


def _facts(service: Service, customer_id: str, shown: Shown, at: datetime) -> dict[str, Any]:
    with service.database.reading() as session:
        facts = customer_facts(session, customer_id)
        ids = [one["invoice_id"] for one in facts["invoices"]]
        numbers = {one["invoice_id"]: one["number"] for one in facts["invoices"]}
        names = Names(session, customer_id)
        entries = [
            (invoice_id, entry)
            for invoice_id, written in timeline.read_all(session, ids).items()
            for _, entry in written
        ]
        entries.sort(key=lambda pair: pair[1].at, reverse=True)
        whole = shown.all_of == "timeline"
        listed_entries = entries[shown.first : shown.first + _PAGE] if whole else entries[:_ENTRIES]
        listed = _listed(facts["invoices"])
        return {
            "customer": facts,
            "zone": facts["time_zone"],
            "numbers": numbers,
            "entries": [
                (invoice_id, entry.model_copy(update={"reason": names.within(entry.reason)}))
                for invoice_id, entry in listed_entries
            ],
            "entries_total": len(entries),
            "whole_timeline": whole,
            "invoices": listed if shown.all_of == "invoices" else listed[:_INVOICES],
            "messages": facts["messages"][::-1][:_MESSAGES],
            "messages_total": latest(session, None, None, customer_id, 0, 0)[1],
            "notes": notes_about(session, customer_id, ids),
            "replies": replies_of(session, customer_id, at),
            "payers": payers.of_customer(session, customer_id),
            "payer_states": PAYER_STATES,
            "promises": _promises(session, ids),
            "totals": _totals(facts["invoices"]),
            "links": links.holders(session, customer_id),
        }


def _listed(found: list[Facts]) -> list[Facts]:
    """Return the invoices with those of which something is open first, the latest due before others."""
    latest = sorted(found, key=lambda one: one["due_on"], reverse=True)
    return sorted(latest, key=lambda one: one["amount_due"] == 0)


def _promises(session: Session, invoice_ids: list[str]) -> list[tuple[str, str, Any]]:
    """Return invoice, currency and promise of all promises, the latest day first."""
    known = [case for invoice_id in invoice_ids if (case := cases.get(session, invoice_id)) is not None]
    found = [(case.invoice_id, case.currency, promise) for case in known for promise in case.agreements.promises]
    return sorted(found, key=lambda one: one[2].date, reverse=True)


def _totals(listed: list[Facts]) -> dict[str, Any]:
    """Return what is open, by currency."""
    totals: dict[str, Any] = {}
    for one in listed:
        totals[one["currency"]] = totals.get(one["currency"], 0) + one["amount_due"]
    return totals


def _lost(service: Service, customer_id: str, contact_id: str) -> str:
    """Return "unreached" for a contact without any address, "nobody" where no other has one either, else ""."""
    with service.database.reading() as session:
        people = contacts.people(session, [customer_id])[customer_id]
    if not any(one.contact_id == contact_id and one.open and not one.reachable for one in people):
        return ""
    return "unreached" if any(one.reachable for one in people) else "nobody"


def _values(service: Service, customer_id: str, contact_id: str) -> Facts:
    """Return what is known of a contact, or of the customer where contact_id is ""."""
    with service.database.reading() as session:
        facts = customer_facts(session, customer_id)
    return next((one for one in facts["contacts"] if one["contact_id"] == contact_id), facts)


def _contact(service: Service, contact_id: str) -> ContactRow:
    with service.database.reading() as session:
        row = session.get(ContactRow, contact_id)
    if row is None:
        raise Refused("contact", "is not known")
    return row


def _owner(service: Service, invoice_id: str) -> str:
    with service.database.reading() as session:
        row = invoices.get_row(session, invoice_id)
    if row is None:
        raise Refused("invoice", "is not registered")
    return row.customer_id
