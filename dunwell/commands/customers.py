"""Commands about customers and contacts: showing, correcting, closing and pausing them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dunwell.bootstrap import NotReady, make_dependencies
from dunwell.client.cases import Cases
from dunwell.client.customers import Changed, Customers, tell
from dunwell.client.server import ServerAway
from dunwell.commands.common import (
    By,
    Json,
    check_set_up,
    day_given,
    from_database,
    in_plain_letters,
    with_cases,
    without_none,
)
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.commands.principal import current_principal
from dunwell.domain.keys import StepId
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind
from dunwell.services.account_statement_letter import statement_letter
from dunwell.services.account_statements import statement_of
from dunwell.settings import Settings, load_settings
from dunwell.views.customer import customer_facts
from dunwell.views.facts import Facts

CustomerId = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id of the invoice file.")]
ContactId = Annotated[str, typer.Argument(metavar="CONTACT", help="The contact's id, by `customer`.")]
Name = Annotated[str | None, typer.Option("--name", help="The name.")]
Email = Annotated[str | None, typer.Option("--email", help='The e-mail address; "" takes it away.')]
OptIn = Annotated[
    str | None,
    typer.Option("--whatsapp-opt-in", help='Consent to WhatsApp, as "2027-01-15 order form"; "" takes it back.'),
]
Phone = Annotated[str | None, typer.Option("--phone", help='The telephone number; "" takes it away.')]
Post = Annotated[str | None, typer.Option("--post", help='The postal address, its lines separated by "\\n".')]


class ShowsByDefault(TyperGroup):
    """`customer ACME` is short for `customer show ACME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


def show_customer(
    customer: CustomerId,
    statement: Annotated[
        Path | None,
        typer.Option("--statement", metavar="FILE", help="Write the statement of account to this file, as PDF."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DAY", help="The day of the statement. Default: the customer's today."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a customer whole: invoices, people with their standing, credit, holds, tasks, messages.

    With --statement, write the statement of account that the customer may have: open invoices, payments, credit, and
    what is confirmed of interest and costs.
    """
    if statement is not None:
        _write_statement(customer, statement, as_of)
        return
    if as_of is not None:
        raise typer.BadParameter("--as-of only goes with --statement")
    facts = from_database(load_settings(), lambda session: customer_facts(session, customer))
    if as_json:
        print_json(facts)
        return
    _print(facts)


def _write_statement(customer: str, file: Path, as_of: str | None) -> None:
    day, deps = day_given("--as-of", as_of), make_dependencies(load_settings())
    check_set_up(deps.database)
    with deps.database.reading() as session:
        found = statement_of(session, deps, customer, day, datetime.now(UTC))
        content = statement_letter(session, deps, found).content
    deps.database.close()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Refused("statement", f"{file} cannot be written: {error.strerror or type(error).__name__}") from None
    say(f"{file}: the statement of {customer} as of {found.as_of}, {len(found.invoices)} open")


def set_customer(
    customer: CustomerId,
    name: Name = None,
    country: Annotated[str | None, typer.Option("--country", help="ISO 3166, such as DE.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Such as en or pt-BR.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Such as Europe/Berlin.")] = None,
    kind: Annotated[
        DebtorKind | None, typer.Option("--kind", help="Who owes: it decides what may be claimed.")
    ] = None,
    interest: Annotated[str | None, typer.Option("--interest", help="statutory, none or a rate such as 8.5.")] = None,
    lump_sum: Annotated[str | None, typer.Option("--lump-sum", help="statutory or none.")] = None,
    by: By = "agent",
) -> None:
    """Correct a customer. It stands until the billing system's own value changes: an old export does not undo it."""
    given = {"name": name, "country": country, "language": language, "time_zone": time_zone}
    facts = without_none(given | {"kind": kind, "interest": interest, "lump_sum": lump_sum})
    change(load_settings(), lambda customers: customers.set_customer(customer, facts, by))


def set_contact(
    contact: ContactId,
    name: Name = None,
    email: Email = None,
    phone: Phone = None,
    post: Post = None,
    whatsapp_opt_in: OptIn = None,
    by: By = "agent",
) -> None:
    """Correct a contact. It stands until the billing system's own value changes: an old export does not undo it."""
    facts = _contact_facts(name, email, phone, post, whatsapp_opt_in)
    change(load_settings(), lambda customers: customers.set_contact(contact, facts, by))


def add_contact(
    customer: CustomerId,
    role: Annotated[str, typer.Option("--role", help="accounts_payable, user, manager, executive, account_manager.")],
    name: Name = None,
    email: Email = None,
    phone: Phone = None,
    post: Post = None,
    whatsapp_opt_in: OptIn = None,
    by: By = "agent",
) -> None:
    """Add somebody whom no record names. Is written to about every invoice of the customer, until closed."""
    facts = _contact_facts(name, email, phone, post, whatsapp_opt_in)
    change(load_settings(), lambda customers: customers.add_contact(customer, role, facts, by))


def close_contact(
    contact: ContactId,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            callback=in_plain_letters,
            help="A short code, such as left or wrong-person; not with --calls.",
        ),
    ] = None,
    calls: Annotated[
        bool, typer.Option("--calls", help="Only calls: they want no more of them, and are still written to.")
    ] = False,
    by: By = "agent",
) -> None:
    """Write to a contact no more, whatever records say. Calls to them go to somebody else, or are called off."""
    if calls:
        if reason is not None:
            raise typer.BadParameter("--reason does not go with --calls: the reason is that they want no more calls")
        change(load_settings(), lambda customers: customers.stop_calls(contact, by))
        return
    if reason is None:
        raise typer.BadParameter("--reason is missing: say why, such as --reason left; or --calls to end calls alone")
    change(load_settings(), lambda customers: customers.close_contact(contact, reason, by))


def open_contact(
    contact: ContactId,
    calls: Annotated[
        bool, typer.Option("--calls", help="Only calls: they wanted no more, and have asked for them now.")
    ] = False,
    by: By = "agent",
) -> None:
    """Write to a contact again, also where mail bounced or the number was wrong. A STOP stays."""
    if calls:
        change(load_settings(), lambda customers: customers.allow_calls(contact, by))
        return
    change(load_settings(), lambda customers: customers.open_contact(contact, by))


def change(settings: Settings, act: Callable[[Customers], Changed]) -> None:
    """Make a change, print it, and notify the cases. Without a server they read it at their next step."""
    deps = make_dependencies(settings)
    check_set_up(deps.database)
    principal = current_principal(deps.database)
    changed = act(Customers(deps, principal))
    deps.database.close()
    for line in changed.said:
        say(line)
    tell_cases(settings, [changed], principal)


def tell_cases(settings: Settings, found: Sequence[Changed], principal: Principal) -> None:
    """Notify the cases of what was changed in the database. Warns when that cannot be done."""
    concerned = sum(len(changed.invoices) for changed in found)
    if not concerned:
        return

    async def ask(case_client: Cases) -> int:
        return sum([await tell(case_client, changed, principal) for changed in found])

    try:
        missed = with_cases(settings, ask)
    except (NotReady, ServerAway):
        missed = concerned
    if missed:
        warn(
            f"{missed} of {concerned} cases could not be told, for the server does not answer. Nothing leaves "
            "against this; say the same again once it does, so that their status shows it."
        )


def _contact_facts(
    name: str | None, email: str | None, phone: str | None, post: str | None, whatsapp_opt_in: str | None
) -> dict[str, str]:
    lines = post.replace("\\n", "\n") if post is not None else None
    return without_none(
        {"name": name, "email": email, "phone": phone, "post": lines, "whatsapp_opt_in": whatsapp_opt_in}
    )


def _print(facts: Facts) -> None:
    mark = "  REHEARSAL" if facts["rehearsal"] else ""
    say(f"{facts['customer_id']}: {facts['name']}{mark}")
    say(f"where    {facts['country']}, {facts['time_zone']}, written to in {facts['language']}")
    for one in facts["corrected"]:
        say(f"         {_correction(one)}")
    work = ", work on hold" if facts["work_on_hold"] else ""
    say(f"access   {facts['access']}{work}")
    if facts["pause"]:
        pause = facts["pause"]
        end = f"until {pause['until']}" if pause["until"] else "until resumed"
        say(f"RESTS    {end}: {pause['reason']}, by {pause['by']}, since {pause['since']:%Y-%m-%d}")
    for one in facts["credit"]:
        say(f"credit   {one['amount']} {one['currency']} of {one['invoice_id']}")
    for one in facts["holds"]:
        say(f"hold     {one['level']} since {one['since']:%Y-%m-%d}: {one['reason']}")
    say("")
    print_table(
        ("contact", "role", "name", "addresses", "state"), [_person(one) for one in facts["contacts"]], "Nobody."
    )
    say("")
    rows = [
        (
            one["invoice_id"],
            one["stage"] or "-",
            f"{one['amount_due']} {one['currency']}",
            f"{one['due_on']}",
            StepId.parse(one["next_step"] or "-").name,
            f"{one['next_at']:%Y-%m-%d %H:%M}" if one["next_at"] else "-",
            ", ".join(one["contacts"]) or "nobody",
        )
        for one in facts["invoices"]
    ]
    print_table(("invoice", "stage", "open", "due on", "next step", "at (UTC)", "about it"), rows, "No invoices.")
    say("")
    work_rows = [
        (f"{one['due_at']:%Y-%m-%d %H:%M}", one["kind"], one["reason"], one["task_id"]) for one in facts["tasks"]
    ]
    print_table(("due (UTC)", "task", "why", "id"), work_rows, "No open tasks.")
    say("")
    message_rows = [
        (f"{one['at']:%Y-%m-%d %H:%M}", one["step"], one["channel"], one["to"], one["state"], one["subject"] or "")
        for one in facts["messages"]
    ]
    print_table(("when (UTC)", "step", "by", "to", "state", "words"), message_rows, "No messages.")


def _person(one: Facts) -> tuple[str, ...]:
    places = [value.replace("\n", ", ") for value in (one["email"], one["phone"], one["post"]) if value]
    state = one["state"]
    if one["state"] != "current":
        state += f" since {one['since']:%Y-%m-%d}" + (f" by {one['by']}: {one['reason']}" if one["by"] else "")
    marks = [f"{channel} {why}" for channel, why in one["addresses_closed"].items()]
    agreed = one["whatsapp_opt_in"]
    marks += [f"agreed to WhatsApp on {agreed['on']} ({agreed['source']})"] if agreed else []
    marks += [_correction(correction) for correction in one["corrected"]]
    marks += [f"added by {one['added_by']}"] if one["added_by"] else []
    return one["contact_id"], one["role"], one["name"], "; ".join(places), "; ".join([state, *marks])


def _correction(one: dict[str, Any]) -> str:
    said = one["exported"] or "none"
    return f"{one['field']} corrected by {one['by']} on {one['at']:%Y-%m-%d}; its record says {said}"
