"""The command that shows the figures of receivables."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dunwell.bootstrap import NotReady
from dunwell.commands.common import Json, from_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.settings import load_settings
from dunwell.views.facts import Facts
from dunwell.views.figure_table import write_csv
from dunwell.views.figure_words import AFTER_STEPS, SALES, WORDS
from dunwell.views.figures import as_of_given, headline
from dunwell.views.figures import figures as figures_of


def figures(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DAY|TIME", help="Such as 2027-03-31, which is its end, or a time. Default: now."
        ),
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", metavar="CODE", help="Of this currency only, such as EUR.")
    ] = None,
    as_json: Json = False,
    to_csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write them to a CSV file.")] = None,
) -> None:
    """Show what is late, how late, whether it gets better, what promises are worth, and after which steps money came.

    Per currency, for the last three months, as everything recorded by now says about that instant. docs/figures.md
    says how each figure is computed.
    """
    instant = as_of_given(as_of, datetime.now(UTC))
    code = currency.strip().upper() if currency else None
    found = from_database(load_settings(), lambda session: figures_of(session, instant, code))
    if to_csv is not None:
        _write(to_csv, found)
    if as_json:
        print_json(found)
    elif to_csv is None:
        _show(found)


def _write(file: Path, found: Facts) -> None:
    try:
        with file.open("w", encoding="utf-8", newline="") as opened:
            write_csv(opened, found)
    except OSError as error:
        raise NotReady(f"{file} cannot be written: {error.strerror}") from None


def _show(found: Facts) -> None:
    if not found["figures"]:
        say("No invoice is known yet.")
    for one in found["figures"]:
        say(f"{headline(one)}, on {found['day']}")
        for line in _lines(one):
            say(line)
        for heads, rows in _tables(one):
            if rows:
                say("")
                print_table(heads, rows)
        say("")
    if found["figures"]:
        say(SALES)
        say(AFTER_STEPS)


def _lines(one: Facts) -> Iterator[str]:
    period = one["period"]
    yield f"  period     {period['from']} to {period['to']}, {period['days']} days"
    flow = one["roll_forward"]
    yield (
        f"  receivables {flow['opening']} + sales {flow['sales']} + amended {flow['amended']} - paid {flow['paid']} "
        f"- given up {flow['given_up']} = {flow['closing']}"
    )
    for name in ("dso", "count_back", "bpdso", "add", "cei", "average_days_late", "contact_to_cash"):
        yield f"  {WORDS[name].title:<26} {_shown(one[name], WORDS[name].unit):>12}"
    promises, risk = one["promises"], one["at_risk"]
    yield f"  {WORDS['at_risk'].title:<26} {_shown(risk['share'], '%'):>12}  {risk['at_risk']} of {risk['billed']}"
    for name, part, whole in (
        ("kept_share", "kept_amount", "due_amount"),
        ("kept_count_share", "kept", "due"),
    ):
        share = _shown(promises[name], WORDS[name].unit)
        yield f"  {WORDS[name].title:<26} {share:>12}  {promises[part]} of {promises[whole]}"
    yield f"  {'Open promises':<26} {promises['open']:>12}  {promises['open_amount']}"
    yield f"  {'Money of the period':<26} {one['cash']['payments']:>12}  {one['cash']['amount']}"
    yield f"  {'Credit':<26} {one['credits']['invoices']:>12}  {one['credits']['amount']}"
    money = one["unmatched"]
    oldest = "" if money["oldest_days"] is None else f", the oldest for {money['oldest_days']} days"
    yield f"  {'Unmatched money':<26} {money['payments']:>12}  {money['amount']}{oldest}"


def _tables(one: Facts) -> Iterator[tuple[Sequence[str], list[list[str]]]]:
    ageing = ("bucket", "open", "share", "invoices", "disputed", "handed_over")
    yield _table(("days late", "open", "%", "invoices", "disputed", "handed over"), one["ageing"], ageing)
    trend = ("day", "open", "late_share", "dso", "bpdso", "cei")
    yield _table(("end of month", "open", "late %", "DSO", "BPDSO", "CEI %"), one["trend"], trend)
    steps = ("policy", "step", "reached", "paid", "share", "payments", "amount")
    after = [*one["steps"], {"policy": "", "step": "by itself", **one["by_itself"]}]
    heads = ("policy", "after step", "cases reached", "of them paid", "%", "payments", "amount")
    yield _table(heads, after, steps)
    yield _table(("kind", "outcome", "number", "%"), one["calls"], ("kind", "result", "number", "share"))
    sent = ("channel", "sent", "delivered", "share", "bounced", "failed", "unconfirmed")
    heads = ("channel", "sent", "delivered", "%", "bounced", "failed", "unconfirmed")
    yield _table(heads, one["deliverability"], sent)


def _table(
    heads: Sequence[str], rows: Sequence[Facts], names: Sequence[str]
) -> tuple[Sequence[str], list[list[str]]]:
    return heads, [[_shown(row.get(name, "")) for name in names] for row in rows]


def _shown(value: object, unit: str = "") -> str:
    return "–" if value is None else f"{value} {unit}".rstrip()
