"""The command line for the billing system and for agents: starts cases and sends them events.

Server and database are those of the environment or of `.env`, else those of a running `make up`.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from dunwell.commands import (
    agreements,
    approval,
    approvals,
    audit,
    claim,
    customers,
    decisions,
    evidence,
    figures,
    keys,
    letters,
    links,
    matching,
    messages,
    outbox,
    payments,
    policy,
    rates,
    reconcile,
    replies,
    standstill,
    start,
    statements,
    status,
    stripe,
    tasks,
    users,
    waiting,
    webhooks,
)
from dunwell.commands.common import NOT_READY, WithAmounts, error_text
from dunwell.commands.output import warn
from dunwell.process import leave
from dunwell.store.private_files import keep_to_owner

app = typer.Typer(
    help=__doc__,
    epilog="Example: python starter.py start docs/examples/invoices.jsonl",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
Command = tuple[str, Callable[..., None], str]

COMMANDS: tuple[Command, ...] = (
    ("start", start.start, "invoices.csv"),
    ("pay", payments.pay, "INV-2026-0417 1200.00 --payment-id bank-7731"),
    ("reverse-payment", payments.reverse_payment, "INV-1 bank-7731 --reason bounced"),
    ("unmatched", matching.show_unmatched, "--json"),
    ("match", matching.match, "E1F2E3D4C5B6A INV-1=300.00 INV-2"),
    ("statement", statements.statement, "march.xml --book"),
    (
        "statement-layout",
        statements.statement_layout,
        "savings-bank --account DE02120300000000202051 "
        "--map 'Buchungstag=booked_on' --map 'Betrag=amount' --map 'Verwendungszweck=text' --dialect decimal-comma",
    ),
    ("apply-credit", payments.apply_credit, "INV-1 INV-2 --amount 300.00"),
    ("return-credit", payments.return_credit, "INV-1"),
    ("promise", agreements.promise, "INV-1 2027-03-12 --note 'Ms Vega called, pays on Friday'"),
    ("announce-payment", agreements.announce_payment, "INV-1 --paid-on 2027-03-10 --method transfer"),
    ("request-call", agreements.request_call, "INV-1 --at 2027-03-12T10:00+01:00"),
    ("grace", agreements.grace, "INV-1 2027-03-15"),
    ("dispute", agreements.dispute, "INV-1 --reason wrong-quantity --amount 300.00"),
    ("resolve-dispute", agreements.resolve_dispute, "INV-1 adjusted --new-amount 900.00"),
    ("plan", agreements.plan, "INV-1 2027-04-01=600.00 2027-05-01=600.00"),
    ("pause", decisions.pause, "INV-1 --reason hardship --until 2027-04-01"),
    ("resume", decisions.resume, "INV-1"),
    ("call-outcome", tasks.call_outcome, "INV-1 promise --promise-date 2027-03-12"),
    ("close-task", tasks.close_task, "INV-1.left.0 --by agent --note 'spoke with Ms Vega'"),
    ("settle-message", outbox.settle_message, "3f2c9b7e55c1562c8f0a1d2e3b4c5d6e delivered"),
    ("unsubscribe", outbox.unsubscribe, "3f2c9b7e55c1562c8f0a1d2e3b4c5d6e"),
    ("posted", letters.posted, "3f2c9b7e55c1562c8f0a1d2e3b4c5d6e"),
    ("amend", decisions.amend, "INV-1 --due-on 2027-04-15"),
    ("write-off", decisions.write_off, "INV-1 --reason small-balance"),
    ("replies", replies.show_replies, "--json"),
    ("approvals", approvals.show_approvals, "--json"),
    ("approve", approvals.approve, "approval-1f2e3d4c5b6a"),
    ("decline", approvals.decline, "approval-1f2e3d4c5b6a"),
    ("cancel", decisions.cancel, "INV-1 --reason credit-note-881"),
    ("status", status.status, "INV-2026-0417"),
    ("claim", claim.claim, "INV-2026-0417 --as-of 2027-03-31"),
    ("list", status.list_cases, "--stage chasing"),
    ("figures", figures.figures, "--as-of 2027-03-31 --currency EUR"),
    ("outbox", outbox.show_outbox, "--invoice INV-2026-0417"),
    ("letters", letters.letters, "--json"),
    ("tasks", tasks.show_tasks, "--kind call --due-by 2027-03-02T12:00Z"),
    ("task", tasks.show_task, "INV-1.promise-call.accounts_payable"),
    ("preview", start.show_preview, "invoices.csv --as-of 2027-03-01"),
    ("reconcile", reconcile.reconcile, "--apply"),
    ("move-policy", policy.move_policy, "--from gentle-saas@1 --to gentle-saas@2"),
    ("evidence", evidence.evidence, "INV-2026-0417 --out inv-2026-0417.evidence.jsonl"),
    ("audit", audit.audit, "--object invoice/INV-2026-0417"),
)
"""Name, what carries it out, and an example of its arguments; --help shows them in this order."""

for _name, _command, _example in COMMANDS:
    app.command(_name, cls=WithAmounts, epilog=f"Example: python starter.py {_name} {_example}")(_command)


def _group(name: str, about: str, *commands: Command, **options: Any) -> typer.Typer:
    """Add the commands `starter.py NAME ...`; the options are Typer's."""
    group = typer.Typer(help=about, rich_markup_mode=None, **({"no_args_is_help": True} | options))
    for command, carry_out, example in commands:
        group.command(command, epilog=f"Example: python starter.py {name} {command} {example}".rstrip())(carry_out)
    app.add_typer(group, name=name)
    return group


_group(
    "reply",
    "What a customer wrote to us, and our answer.",
    ("show", replies.show_reply, "r4f1e2d3c4b5a6978807"),
    ("answer", replies.answer, "r4f1e2d3c4b5a6978807 --phrase thanks-for-writing --phrase payment-found --preview"),
    ("handled", replies.handled, "r4f1e2d3c4b5a6978807"),
    ("writer", replies.writer, "r4f1e2d3c4b5a6978807 acme.accounts_payable.1"),
)
_group("policy", "Ladders.", ("check", policy.check_policy, "policies/gentle-saas.toml"))
_group(
    "messages",
    "Messages to debtors.",
    ("check", messages.check_messages, ""),
    ("whatsapp", approval.whatsapp_texts, "--language es"),
    ("preview", messages.preview_messages, "--language es"),
)
customer_group = _group(
    "customer",
    "A customer whole, and corrections of it: `customer CUSTOMER` shows, `customer set CUSTOMER` corrects.",
    cls=customers.ShowsByDefault,
)
customer_group.command("show", epilog="Example: python starter.py customer C-1")(customers.show_customer)
customer_group.command("set", epilog="Example: python starter.py customer set C-1 --language de --by agent-7")(
    customers.set_customer
)
_group(
    "contact",
    "The people at a customer.",
    ("set", customers.set_contact, "C-1.accounts_payable.1 --email ada@debtor.example --by agent-7"),
    ("add", customers.add_contact, "C-1 --role user --name 'Uma Berg' --email uma@debtor.example --by agent-7"),
    ("close", customers.close_contact, "C-1.accounts_payable.2 --reason left --by agent-7"),
    ("open", customers.open_contact, "C-1.accounts_payable.2 --by agent-7"),
)
_group(
    "hold",
    "Stop every message and every consequence of all cases.",
    ("on", standstill.begin, "--by ops --reason restore"),
    ("off", standstill.end, "--by ops --reason restored"),
)
_group(
    "user",
    "Who may sign in to the console.",
    ("add", users.add_user, "ada@example.com --role agent --name 'Ada Lopez'"),
    ("list", users.list_users, "--json"),
    ("link", users.make_link, "ada@example.com"),
    ("role", users.set_role, "ada@example.com --role manager"),
    ("disable", users.disable_user, "ada@example.com"),
    ("enable", users.enable_user, "ada@example.com"),
    ("digest", users.set_digest, "ada@example.com on --time-zone Europe/Madrid"),
    ("allow-own-approval", users.allow_own_approval, "on"),
)
_group(
    "key",
    "Keys of programs that use the HTTP API.",
    ("create", keys.create_key, "--role billing --name billing --expires 365"),
    ("list", keys.list_keys, "--json"),
    ("revoke", keys.revoke_key, "key-1f2e3d4c5b6a"),
)
_group(
    "rates",
    "Until when the law and the base rates are known, how surely, and who confirmed it.",
    ("values", rates.values, "DE"),
    ("confirm", rates.confirm, "AT lump_sum.business --by legal --source https://www.ris.bka.gv.at"),
    ("check", rates.check, "--all"),
    ("withdraw", rates.withdraw, "ecb-mro --by treasury"),
    ("import", rates.import_rates, "ecb-mro ecb.csv --known-until 2026-12-17 --apply --by treasury"),
    callback=rates.rates,
    invoke_without_command=True,
    no_args_is_help=False,
    epilog="Example: python starter.py rates",
)
_group(
    "webhook",
    "Other programs that are told of events as they happen.",
    ("add", webhooks.add_webhook, "https://billing.example.com/dunwell --events paid,access_changed"),
    ("list", webhooks.list_webhooks, ""),
    ("remove", webhooks.remove_webhook, "sub_5f0e3a91c2d4b687"),
    ("test", webhooks.try_webhook, "sub_5f0e3a91c2d4b687"),
    ("deliveries", webhooks.show_deliveries, "--state failed"),
    ("resend", webhooks.resend_failed, "sub_5f0e3a91c2d4b687"),
)
_group(
    "link",
    "Links by which customers act without a login.",
    ("list", links.list_links, "C-1"),
    ("revoke", links.revoke_links, "--contact C-1.user.1 --reason forwarded"),
    ("show", links.show_link, "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e"),
)
_group(
    "waiting",
    "What Stripe and other programs reported and no case has got.",
    ("list", waiting.list_waiting, "--json"),
    ("assign", waiting.assign, "stripe pi_3Pgc6t INV-1"),
    ("dismiss", waiting.dismiss, "stripe pi_3Pgc6t --reason not-ours"),
)
_group(
    "stripe",
    "Stripe as the billing system: its open invoices.",
    ("preview", stripe.preview, "--steps"),
    ("backfill", stripe.backfill, ""),
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 refused, 2 not ready or a wrong command line."""
    keep_to_owner()
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="starter.py")
    except Exception as error:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        known = error_text(error)
        if known:
            warn(known[0])
            sys.exit(known[1])
        # Only its type and place are printed, because its text may hold a secret or personal data.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        warn(f"Unexpected {type(error).__name__} at {where}: this is a fault of the program; please report it.")
        sys.exit(NOT_READY)
    sys.exit(0)


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        leave(int(end.code or 0))
