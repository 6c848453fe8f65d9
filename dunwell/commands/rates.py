"""Commands about the law and the base rates: what is known, who confirmed it, and newer rates."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from dunwell.commands.common import REFUSED, Json, day_given, from_database, opened_database
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.commands.principal import principal_in
from dunwell.domain.rate_import import Difference, RateImport
from dunwell.domain.refusal import Refused, refusal_of
from dunwell.domain.terms import DebtorKind
from dunwell.intake.rate_files import RateFile, RateFileError, read_rates
from dunwell.services import laws
from dunwell.services.laws import LawInUse
from dunwell.settings import load_settings
from dunwell.store import audit
from dunwell.store import rates as store
from dunwell.views.rates import rate_facts, stale_rates, value_facts

_FURTHEST = timedelta(days=366)

Subject = Annotated[str, typer.Argument(metavar="COUNTRY|SERIES", help="A country such as DE, or a series.")]
CheckedBy = Annotated[str, typer.Option("--by", help="Who checked it: a role or an id, never a person's name.")]


def rates(context: typer.Context, as_json: Json = False) -> None:
    """Show until when each base rate and each country's law is known, how surely, and who confirmed it."""
    if context.invoked_subcommand is not None:
        return
    facts = from_database(load_settings(), lambda session: rate_facts(session, _today()))
    if as_json:
        print_json(facts)
        return
    print_table(
        ("series", "known until", "latest", "from", "to confirm", "confirmed by", "imported"),
        [
            (
                one["series"],
                str(one["known_until"]),
                f"{one['rate']} %",
                str(one["rate_from"]),
                _count(one),
                _names(one["confirmed"]),
                _imported(one["imports"]),
            )
            for one in facts["series"]
        ],
    )
    say("")
    print_table(
        ("country", "", "rates known until", "to confirm", "confirmed by", "missing"),
        [
            (
                one["country"],
                one["name"],
                str(one["known_through"] or ("no rate that changes" if one["complete"] else "-")),
                _count(one),
                _names(one["confirmed"]),
                "; ".join(one["missing"]) or "-",
            )
            for one in facts["countries"]
        ],
    )


def values(subject: Subject, as_json: Json = False) -> None:
    """Show every value of a country or of a series, with its certainty and who confirmed it."""
    found = from_database(load_settings(), lambda session: value_facts(session, subject))
    if as_json:
        print_json(found)
        return
    print_table(
        ("field", "value", "certainty", "confirmed by", "source"),
        [
            (one["field"], one["value"], one["certainty"].value, one["confirmed_by"] or "", one["source"])
            for one in found
        ],
    )


def confirm(
    subject: Subject,
    by: CheckedBy,
    source: Annotated[str, typer.Option("--source", help="Where it was read: an address, or a book and page.")],
    field: Annotated[
        str, typer.Argument(metavar="[FIELD]", help="As `rates values` shows it, or its first words.")
    ] = "",
) -> None:
    """Record that somebody checked a value of the law, so that messages to customers may use it.

    The name of a value, as a claim gives it, may stand for both arguments: at.lump_sum.business+public.2016-01-01.
    It counts for the value as it is now: a value that changes later must be confirmed anew.
    """
    if not field:
        subject, _, field = subject.partition(".")
    if not field:
        raise typer.BadParameter(f"FIELD is missing: `starter.py rates values {subject}` lists what can be confirmed")
    with opened_database(load_settings()) as database, database.writing() as session:
        now = datetime.now(UTC)
        value = laws.confirm(session, subject, field, by, source, now)
        audit.append(session, principal_in(session), f"law/{value.key}"[:200], "confirmed", now, details={"by": by})
    say(f"{value.key}: {value.shown}: confirmed by {by}")


def check(
    everything: Annotated[bool, typer.Option("--all", help="Every country, not only those in use.")] = False,
    as_json: Json = False,
) -> None:
    """Exit with 1 when a base rate in use is not known for today. In use: by open invoices or by SENDER_COUNTRY."""
    settings = load_settings()

    def read(session: Any) -> tuple[list[str], list[dict[str, Any]]]:
        in_use = laws.laws_in_use(session, settings.sender_country)
        if everything:
            reasons = dict.fromkeys(laws.files(), "--all") | {code: one.reason for code, one in in_use.items()}
            in_use = {code: LawInUse(reason, set(DebtorKind)) for code, reason in reasons.items()}
        return sorted(in_use), stale_rates(session, _today(), in_use)

    codes, stale = from_database(settings, read)
    if as_json:
        print_json({"countries": codes, "stale": stale})
    else:
        for one in stale:
            warn(
                f"{one['country']} ({one['in_use']}): {one['series']} {one['why']}; "
                f"bring newer rates by `starter.py rates import {one['series']} FILE`"
            )
        if not stale:
            say(f"all rates are known for today: {', '.join(codes) or 'no law is in use'}")
    if stale:
        raise typer.Exit(REFUSED)


def import_rates(
    series: Annotated[str, typer.Argument(metavar="SERIES", help="The series, such as ecb-mro.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The publisher's file, or lines of day and rate.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Store it; without this, the difference is shown only.")
    ] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who imports it: a role or an id. Needed to apply.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the file is from, such as its address.")
    ] = None,
    known_until: Annotated[
        str | None,
        typer.Option(
            "--known-until", metavar="DAY", help="The day the file was published, if it lists changes only."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where the file has another rate than the one known.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a file of rates would change, and with --apply store it in the database, for every machine.

    It reads the CSV files of the ECB, the Bundesbank and the Bank of England, the XML archive of NBP, and lines
    such as 2026-09-16,2.65. In the days that the file speaks of, its rates stand in place of the known ones.
    """
    content, today = _content(file), _today()
    last = day_given("--known-until", known_until) or content.last
    if last < content.last:
        raise Refused("--known-until", f"lies before {content.last}, the last day that the file speaks of")
    if last > today + _FURTHEST:
        raise Refused("FILE", f"speaks of {last}, which is more than a year ahead: is it a forecast?")
    facts = {"series": series, "last": last, "rates": dict(content.rates), "source": source or file.name}
    try:
        imported = RateImport.model_validate(facts | {"by": by or "nobody", "at": datetime.now(UTC)})
    except ValidationError as error:
        raise refusal_of(error) from None
    if apply and by is None:
        raise Refused("--by", "is missing: say who imports the rates, a role or an id")
    with opened_database(load_settings()) as database, database.writing() as session:
        found = laws.import_rates(session, imported)
        changed = [one for one in found if one.before is not None and one.after is not None]
        stored = apply and (replace or not changed)
        if stored:
            store.add_import(session, imported)
            details, who = {"last": last, "rates": len(content.rates), "by": by}, principal_in(session)
            audit.append(session, who, f"rates/{series}"[:200], "imported", imported.at, details=details)
    if as_json:
        print_json({"series": series, "through": last, "applied": stored, "differences": found})
    else:
        _show(series, found, last)
    if apply and not stored:
        raise Refused(
            "FILE",
            f"has other rates than those known, {len(changed)} of them: is it this series? If so, add --replace",
        )
    if stored and not as_json:
        say(f"stored: {series} through {last}, by {by}")
    elif not apply and not as_json:
        say("nothing is stored: add --apply --by ROLE")


def withdraw(
    series: Annotated[str, typer.Argument(metavar="SERIES", help="The series, such as ecb-mro.")],
    by: Annotated[str, typer.Option("--by", help="Who withdraws it: a role or an id.")],
    number: Annotated[
        int | None, typer.Option("--import", metavar="NUMBER", help="As `rates --json` has it. Default: the latest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let an import of rates count no more, because it was wrong, and show what that changes.

    Claims are computed without it from now on. The import stays in the database, with who withdrew it.
    """
    with opened_database(load_settings()) as database, database.writing() as session:
        imported, found = laws.withdraw_import(session, series.lower(), number, by, datetime.now(UTC))
    if as_json:
        print_json({"series": imported.series, "withdrawn": imported.number, "differences": found})
        return
    rows = [(str(one.day), _percent(one.before), _percent(one.after)) for one in found]
    print_table(("from", "with it", "without it"), rows, f"{imported.series}: no rate changes")
    say(f"withdrawn: import {imported.number} of {imported.series}, {imported.first} to {imported.last}, by {by}")


def _show(series: str, found: Sequence[Difference], last: date) -> None:
    rows = [(str(one.day), _percent(one.before), _percent(one.after)) for one in found]
    print_table(("from", "known", "in the file"), rows, f"{series}: the file says what is known, through {last}")


def _percent(rate: Any) -> str:
    return "not known" if rate is None else f"{rate} %"


def _content(file: Path) -> RateFile:
    try:
        return read_rates(file.read_bytes())
    except OSError as error:
        raise Refused("FILE", f"{file.name} cannot be read: {error.strerror}") from None
    except RateFileError as error:
        raise Refused("FILE", f"{file.name} {error}") from None


def _today() -> date:
    return datetime.now(UTC).date()


def _count(facts: dict[str, Any]) -> str:
    return str(len(facts["unconfirmed"]) or "-")


def _names(confirmed: Sequence[dict[str, Any]]) -> str:
    return ", ".join(sorted({one["confirmed_by"] for one in confirmed})) or "-"


def _imported(imports: Sequence[dict[str, Any]]) -> str:
    return f"{imports[-1]['at']:%Y-%m-%d} by {imports[-1]['by']}" if imports else "-"
