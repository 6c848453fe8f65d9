"""Ladders: the check of a file, and moving running cases to another version of theirs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from activities.wording import Catalogue
from commands.context import (
    REFUSED,
    By,
    Json,
    OnlyInvoice,
    check_set_up,
    known_ladders,
    with_cases,
)
from commands.printing import print_json, print_table, say, warn
from domain.ladder import NextAction
from domain.ladder_problems import PolicyError
from domain.moves import Move
from intake.ladders import read_ladder, traits_of
from intake.moves import Moves, Told, as_seen, read_ref, read_seen
from settings import load_settings
from worker import MESSAGES, make_desk


def check_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ladder, written in TOML.")], as_json: Json = False
) -> None:
    """Say whether a ladder can be used, or all that is wrong with it."""
    catalogue = Catalogue.load(MESSAGES)
    try:
        policy = read_ladder(file, traits_of(catalogue))
    except PolicyError as error:
        if as_json:
            print_json({"ok": False, "problems": [one.model_dump(mode="json") for one in error.problems]})
        else:
            warn(str(error))
        raise typer.Exit(REFUSED) from None
    if as_json:
        steps = len(policy.steps)
        print_json({"ok": True, "name": policy.name, "version": policy.version, "steps": steps, "problems": []})
    else:
        steps = len(policy.steps)
        say(f"ok: {policy.name}@{policy.version}, {steps} {'step' if steps == 1 else 'steps'}")


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
    desk = make_desk(settings)
    check_set_up(desk.database)
    moving = Moves(desk, known_ladders(desk.catalogue), read_ref("from", old), read_ref("to", new))
    shown = moving.preview(by, invoice)
    moves, told = as_seen(shown, read_seen(seen)) if seen else (shown, list[Told]())
    if confirm:
        can = [move for move in moves if move.refused is None]
        told += with_cases(settings, lambda talk: moving.confirm(talk, can))
    desk.database.close()
    _show_moves(moves, told, confirmed=confirm, as_json=as_json)
    if any(move.refused for move in moves) or any(one.refused for one in told):
        raise typer.Exit(REFUSED)


def _show_moves(moves: list[Move], told: list[Told], *, confirmed: bool, as_json: bool) -> None:
    answers = {move.invoice_id: "not moved" for move in moves if confirmed}
    answers |= {one.invoice_id: one.refused or "moved" for one in told}
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
