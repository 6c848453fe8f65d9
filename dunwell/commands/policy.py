"""Commands about policies: the check of a file, and the move of running cases to another version."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dunwell.bootstrap import MESSAGES, NotReady, make_dependencies
from dunwell.client.policy_moves import MoveResult, PolicyMoves, as_seen, read_ref, read_seen
from dunwell.commands.common import (
    REFUSED,
    By,
    Json,
    OnlyInvoice,
    check_set_up,
    known_ladders,
    opened_database,
    with_cases,
)
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.commands.principal import current_principal
from dunwell.domain.ladder import NextAction
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.policy import Policy
from dunwell.domain.policy_move import Move
from dunwell.intake.policy_files import FOLDER, read_ladder, read_ladders, traits_of
from dunwell.settings import load_settings
from dunwell.store import policies
from dunwell.texts.catalogue import Catalogue


def check_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ladder, written in TOML.")], as_json: Json = False
) -> None:
    """Say whether a ladder can be used, or all that is wrong with it."""
    catalogue = Catalogue.load(MESSAGES)
    try:
        policy = read_ladder(file, traits_of(catalogue))
        known = _known(policy)
    except PolicyError as error:
        problems = [one.model_dump(mode="json") for one in error.problems]
        _refuse(str(error), problems, as_json=as_json)
    except policies.PolicyChanged as changed:
        problem = {"file": str(file), "step": None, "reason": str(changed)}
        _refuse(f"{file}: {changed}", [problem], as_json=as_json)
    steps, start = len(policy.steps), _what_start_says(file, policy, catalogue, known=known)
    if as_json:
        facts = {"ok": True, "name": policy.name, "version": policy.version, "steps": steps, "problems": []}
        print_json(facts | {"start": start})
    else:
        say(f"ok: {policy.name}@{policy.version}, {steps} {'step' if steps == 1 else 'steps'}")
        say(f"start: {start}")


def _refuse(text: str, problems: list[dict[str, Any]], *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"ok": False, "problems": problems})
    else:
        warn(text)
    raise typer.Exit(REFUSED)


def _known(policy: Policy) -> bool | None:
    """Return whether cases use this version; None without a database. Raises PolicyChanged as `start` does."""
    try:
        with opened_database(load_settings()) as database, database.reading() as session:
            return policies.is_registered(session, policy)
    except NotReady:
        return None


def _what_start_says(file: Path, policy: Policy, catalogue: Catalogue, *, known: bool | None) -> str:
    """Return in one line whether `start` would use this policy."""
    if file.resolve() != (FOLDER / f"{policy.name}.toml").resolve():
        return f"does not see it yet, for it lies elsewhere: put it at policies/{policy.name}.toml"
    try:
        read_ladders(traits_of(catalogue))
    except PolicyError as error:
        return f"stops at another ladder of the folder: {error.problems[0]}"
    if known is None:
        return "takes it; there is no database here to compare it with"
    return (
        "takes it, and cases go by this version already" if known else "takes it, as a version that no case has yet"
    )


def move_policy(
    old: Annotated[str, typer.Option("--from", metavar="NAME@N", help="The version the cases are on.")],
    new: Annotated[str, typer.Option("--to", metavar="NAME@N", help="The version they shall go on by.")],
    invoice: OnlyInvoice = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Do it. Without this, it is only shown.")] = False,
    seen: Annotated[
        Path | None,
        typer.Option("--seen", metavar="FILE", help="With --confirm: only as in this preview, kept with --json."),
    ] = None,
    by: By = "operator",
    as_json: Json = False,
) -> None:
    """Show what another version of its ladder changes for each running case; with --confirm, move them.

    Nothing is sent by a move. A case that has changed since it was looked at refuses.
    """
    if seen is not None and not confirm:
        raise typer.BadParameter("--seen only goes with --confirm")
    settings = load_settings()
    deps = make_dependencies(settings)
    check_set_up(deps.database)
    moving = PolicyMoves(deps, known_ladders(deps.catalogue), read_ref("from", old), read_ref("to", new))
    shown = moving.preview(by, invoice)
    moves, results = as_seen(shown, read_seen(seen)) if seen else (shown, list[MoveResult]())
    if confirm:
        can = [move for move in moves if move.refused is None]
        principal = current_principal(deps.database)
        results += with_cases(settings, lambda case_client: moving.confirm(case_client, can, principal))
    deps.database.close()
    _show_moves(moves, results, confirmed=confirm, as_json=as_json)
    if any(move.refused for move in moves) or any(one.refused for one in results):
        raise typer.Exit(REFUSED)


def _show_moves(moves: list[Move], results: list[MoveResult], *, confirmed: bool, as_json: bool) -> None:
    answers = {move.invoice_id: "not moved" for move in moves if confirmed}
    answers |= {one.invoice_id: one.refused or "moved" for one in results}
    if as_json:
        print_json({"moves": [_move_facts(move) for move in moves]} | ({"results": answers} if confirmed else {}))
        return
    rows = [
        (
            move.invoice_id,
            _coming(move.before),
            _coming(move.after) if move.refused is None else f"refused: {move.refused}",
            ", ".join(move.vanish) or "-",
            ", ".join(move.appear) or "-",
            ", ".join(move.passed) or "-",
            answers.pop(move.invoice_id) if confirmed else move.event.fingerprint,
        )
        for move in moves
    ]
    last = "result" if confirmed else "fingerprint"
    heads = ("invoice", "next before (UTC)", "next after (UTC)", "vanishes", "appears", "left out", last)
    print_table(heads, rows, "No running case is on this version.")
    changed = [(move.invoice_id, one.step, what) for move in moves for one in move.changes for what in one.what]
    if changed:
        say("")
        print_table(("invoice", "step", "changes"), changed)
    for rule in dict.fromkeys(rule for move in moves for rule in move.rules):
        say(f"for the whole ladder: {rule}")
    for invoice_id, answer in answers.items():
        warn(f"{invoice_id}: {answer}")
    if moves and not confirmed:
        say("Nothing was changed. To move them, say the same with --confirm.")


def _coming(action: NextAction | None) -> str:
    return f"{action.name} at {action.at:%Y-%m-%d %H:%M} ({action.why})" if action else "waits for a person"


def _move_facts(move: Move) -> dict[str, Any]:
    return move.model_dump(exclude={"event"}) | {"fingerprint": move.event.fingerprint}
