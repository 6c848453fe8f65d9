"""Commands about users of the console, for administrators."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.bootstrap import make_dependencies
from dunwell.client.digests import Digests
from dunwell.commands.common import Json, check_set_up, opened_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.principals import Role
from dunwell.domain.refusal import Refused
from dunwell.services.users import LINK_LASTS, Users
from dunwell.settings import load_settings

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address, or user_id.")]
TheRole = Annotated[Role, typer.Option("--role", help="What the user may do; docs/security.md has the table.")]


def add_user(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")],
    role: TheRole,
    name: Annotated[str, typer.Option("--name", help="The name that colleagues see.")] = "",
    login: Annotated[
        str | None, typer.Option("--login", help="Their user name on this machine, if they run commands, too.")
    ] = None,
) -> None:
    """Add a user and print a link with which they choose a password, once, within 24 hours.

    Give them the link by a way that only they can read. With OIDC_ISSUER set they sign in there and need no link.
    """
    settings = load_settings()
    with opened_database(settings) as database:
        by = current_principal(database)
        user_id, token = Users(database).add(email, role, by, datetime.now(UTC), name=name, login=login)
    say(f"{user_id}: {role.value}. Link for one sign-in within {_hours()} hours:")
    say(link_address(settings.console_url, token, sets_password=True))


def list_users(as_json: Json = False) -> None:
    """Show every user with role and state: invited, active, disabled."""
    with opened_database(load_settings()) as database:
        found = Users(database).list()
    if as_json:
        print_json(found)
        return
    rows = [
        (one["email"], one["name"], one["role"], one["state"], one["login"] or "", one["user_id"]) for one in found
    ]
    print_table(("e-mail", "name", "role", "state", "login", "user"), rows, "No users: `starter.py user add`.")


def disable_user(email: Email) -> None:
    """End a user's sessions at once, and let them sign in no more."""
    with opened_database(load_settings()) as database:
        user_id = Users(database).disable(email, current_principal(database), datetime.now(UTC))
    say(f"{user_id}: disabled; their sessions have ended")


def enable_user(email: Email) -> None:
    """Let a disabled user sign in again."""
    with opened_database(load_settings()) as database:
        user_id = Users(database).enable(email, current_principal(database), datetime.now(UTC))
    say(f"{user_id}: may sign in again")


def set_role(email: Email, role: TheRole) -> None:
    """Give a user another role, from their next request on."""
    with opened_database(load_settings()) as database:
        user_id = Users(database).set_role(email, role, current_principal(database), datetime.now(UTC))
    say(f"{user_id}: {role.value}")


def make_link(email: Email) -> None:
    """Print a new link with which a user chooses a password: the first one, or one that was forgotten."""
    settings = load_settings()
    with opened_database(settings) as database:
        token = Users(database).link(email, current_principal(database), datetime.now(UTC))
    say(f"Link for one sign-in within {_hours()} hours; earlier ones have ended:")
    say(link_address(settings.console_url, token, sets_password=True))


def set_digest(
    email: Email,
    choice: Annotated[str, typer.Argument(metavar="on|off|show", help="show: print what they would be sent now.")],
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="Of their mornings, such as Europe/Berlin.")
    ] = None,
) -> None:
    """Send a user each morning what waits for them, by e-mail, or no more. They can switch it in the console, too."""
    if choice not in {"on", "off", "show"}:
        raise Refused("digest", f"{choice[:20]!r} is neither on, off nor show")
    settings = load_settings()
    deps = make_dependencies(settings)
    check_set_up(deps.database)
    known = Users(deps.database)
    if choice == "show":
        found = Digests(deps, settings.console_url).preview(*known.reader(email))
        say(f"{found.subject}\n\n{found.body}" if found.lines else "Nothing waits: no digest would be sent.")
    elif choice == "on" and time_zone is None:
        raise Refused("time_zone", "is missing: give --time-zone, such as Europe/Berlin")
    else:
        zone = time_zone if choice == "on" else None
        user_id = known.set_digest(email, zone, current_principal(deps.database), datetime.now(UTC))
        say(f"{user_id}: " + (f"a digest on business days after 7:00 in {zone}" if zone else "no digest"))
    deps.database.close()


def allow_own_approval(
    choice: Annotated[str, typer.Argument(metavar="on|off", help="on: for a house with a single manager.")],
) -> None:
    """Let one person both ask for something and approve it. It is recorded in the audit."""
    if choice not in {"on", "off"}:
        raise Refused("allow-own-approval", f"{choice[:20]!r} is neither on nor off")
    with opened_database(load_settings()) as database:
        Users(database).allow_own_approval(current_principal(database), datetime.now(UTC), on=choice == "on")
    say(
        f"{choice}: "
        + ("one may approve one's own request" if choice == "on" else "nobody approves their own request")
    )


def link_address(console: str, token: str, *, sets_password: bool) -> str:
    """Return the address of a one-use link."""
    return f"{console}/{'set-password' if sets_password else 'sign-in'}?link={token}"


def _hours() -> int:
    return int(LINK_LASTS.total_seconds() // 3600)
