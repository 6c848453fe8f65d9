"""Running cases and versions of their ladder: nothing changes until somebody moves them, and nothing is sent then."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from dunwell.client.cases import Cases
from dunwell.client.policy_moves import MoveResult, PolicyMoves, as_seen, read_ref, read_seen
from dunwell.client.registration import Registrar
from dunwell.domain.events import PolicyMoved
from dunwell.domain.evidence import verify
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.domain.policy_move import Move
from dunwell.domain.principals import SYSTEM
from dunwell.domain.refusal import Refused
from dunwell.intake.policy_files import FOLDER, read_ladder
from dunwell.store import cases, policies
from dunwell.store.database import Database
from dunwell.views.evidence import as_text, gather
from tests.builders import an_invoice, another_customer, sample_deps, the_ladders, the_traits
from tests.workflows.harness import AS_OF, CaseHarness

ONE, TWO = PolicyRef(name="gentle-saas", version=2), PolicyRef(name="gentle-saas", version=3)
NUDGE = """
[[step]]
id = "nudge"
when = "first-reminder + 3 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"
late = "send"

[[step]]
id = "second-reminder"
"""


@pytest.fixture
def edited(tmp_path: Path) -> dict[str, Policy]:
    """The folder of ladders after somebody edited gentle-saas: version 3 has a letter between the first two."""
    text = (FOLDER / "gentle-saas.toml").read_text(encoding="utf-8")
    text = text.replace("version = 2", "version = 3").replace('\n[[step]]\nid = "second-reminder"\n', NUDGE)
    path = tmp_path / "gentle-saas.toml"
    path.write_text(text, encoding="utf-8")
    return {**the_ladders(), "gentle-saas": read_ladder(path, the_traits())}


def moves_of(
    harness: CaseHarness, ladders: dict[str, Policy], old: PolicyRef = ONE, new: PolicyRef = TWO
) -> PolicyMoves:
    return PolicyMoves(harness.deps, ladders, old, new)


async def confirm(harness: CaseHarness, moving: PolicyMoves, moves: list[Move]) -> list[MoveResult]:
    return await moving.confirm(Cases(harness.env.client, harness.deps.database), moves, SYSTEM)


def steps_sent(harness: CaseHarness) -> list[str]:
    return list(dict.fromkeys(str(message["step"]) for message in harness.messages()))


async def test_a_moved_case_goes_on_by_the_new_version(harness: CaseHarness, edited: dict[str, Policy]) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    assert steps_sent(harness) == ["first-reminder"]
    moving = moves_of(harness, edited)
    (move,) = moving.preview("operator")
    assert (move.refused, move.appear, move.vanish, move.passed) == (None, ("nudge",), (), ())
    assert move.before is not None
    assert move.after is not None
    assert (move.before.step, move.after.step) == ("second-reminder", "nudge")

    assert await confirm(harness, moving, [move]) == [MoveResult("inv-1")]
    status = await harness.status()
    assert status.policy == TWO
    assert status.next_action is not None
    assert status.next_action.step == "nudge"
    assert steps_sent(harness) == ["first-reminder"]  # the move itself sends nothing
    assert ("policy_moved", "from gentle-saas@2 to @3 by operator") in harness.timeline()

    await harness.case.result()
    assert steps_sent(harness) == [
        "first-reminder",
        "nudge",
        "second-reminder",
        "restrict",
        "last-letter",
        "hand-over",
    ]
    assert harness.broken_laws() == []
    text = as_text(verify(gather(harness.deps.database, "inv-1")))
    assert "Ladder gentle-saas@2" in text
    assert "Ladder gentle-saas@3" in text


async def test_a_move_never_goes_back_to_an_earlier_letter(harness: CaseHarness, edited: dict[str, Policy]) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=23)
    assert steps_sent(harness) == ["first-reminder", "second-reminder"]
    moving = moves_of(harness, edited)
    (move,) = moving.preview("operator")
    assert move.passed == ("nudge",)
    await confirm(harness, moving, [move])
    await harness.case.result()
    assert steps_sent(harness) == ["first-reminder", "second-reminder", "restrict", "last-letter", "hand-over"]


async def test_a_case_that_changed_after_the_preview_is_not_moved(
    harness: CaseHarness, edited: dict[str, Policy]
) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    moving = moves_of(harness, edited)
    (move,) = moving.preview("operator")
    await harness.tell("payment_received", payment_id="p1", amount="100.00", currency="EUR")
    await harness.pass_time(hours=1)
    (told,) = await confirm(harness, moving, [move])
    assert "the case has changed since the preview" in str(told.refused)
    status = await harness.status()
    assert (status.policy, status.amount_due) == (ONE, an_invoice().amount - 100)


async def test_an_old_preview_kept_in_a_file_does_not_move_a_case_that_changed(
    harness: CaseHarness, edited: dict[str, Policy], tmp_path: Path
) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    moving, kept = moves_of(harness, edited), tmp_path / "seen.json"
    (move,) = moving.preview("operator")
    facts = {"invoice_id": "inv-1", "fingerprint": move.event.fingerprint, "refused": None}
    kept.write_text(json.dumps({"moves": [facts, facts | {"invoice_id": "inv-0"}]}), encoding="utf-8")
    await harness.tell("pause", reason="hardship", by="agent-7")
    await harness.pass_time(hours=1)

    moves, gone = as_seen(moving.preview("operator"), read_seen(kept))
    assert [one.invoice_id for one in gone] == ["inv-0"]
    (told,) = await confirm(harness, moving, moves)
    assert "the case has changed since the preview" in str(told.refused)
    assert (await harness.status()).policy == ONE


async def test_a_version_that_was_moved_to_can_be_left_again(harness: CaseHarness, edited: dict[str, Policy]) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    there = moves_of(harness, edited)
    await confirm(harness, there, there.preview("operator"))
    back = moves_of(harness, edited, TWO, ONE)
    assert await confirm(harness, back, back.preview("operator")) == [MoveResult("inv-1")]
    await harness.case.result()
    assert steps_sent(harness) == ["first-reminder", "second-reminder", "restrict", "last-letter", "hand-over"]


# A folder that changes under running cases ---------------------------------------------------------------


def a_hundred(registrar: Registrar) -> dict[str, str]:
    """Register a hundred invoices of ten customers, as the same file does each time; their cases as kept."""
    for number in range(100):
        customer = another_customer(f"c{number % 10}")
        registrar.register(an_invoice(invoice_id=f"inv-{number}", customer=customer), AS_OF)
    return kept(registrar._deps.database)


def kept(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {row.invoice_id: json.dumps(row.state, sort_keys=True) for row, _, _ in cases.rows(session)}


def test_a_hundred_running_cases_stay_as_they_are_when_the_file_changes(
    database: Database, edited: dict[str, Policy]
) -> None:
    deps = sample_deps(database)
    before = a_hundred(Registrar(deps, the_ladders()))
    assert len(before) == 100
    # the file has version 3 now; the same invoices are handed in again, and a new one
    registrar = Registrar(sample_deps(database), edited)
    assert a_hundred(registrar) == before
    new = registrar.register(an_invoice(invoice_id="inv-new", customer=another_customer("c0")), AS_OF)
    assert new.opening.case.policy == TWO
    # looking at a move changes nothing either
    moves = PolicyMoves(deps, edited, ONE, TWO).preview("operator")
    assert len(moves) == 100
    after = kept(database)
    assert {invoice: after[invoice] for invoice in before} == before


def test_a_ladder_edited_without_a_new_version_is_refused(database: Database, edited: dict[str, Policy]) -> None:
    before = a_hundred(Registrar(sample_deps(database), the_ladders()))
    same = {**edited, "gentle-saas": edited["gentle-saas"].model_copy(update={"version": 2})}
    with pytest.raises(Refused, match="raise its version to 3"):
        Registrar(sample_deps(database), same).register(an_invoice(invoice_id="inv-new"), AS_OF)
    assert kept(database) == before


def test_looking_keeps_no_version(database: Database, edited: dict[str, Policy]) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), AS_OF)
    PolicyMoves(sample_deps(database), edited, ONE, TWO).preview("operator")
    with database.reading() as session, pytest.raises(LookupError):
        policies.load(session, "gentle-saas", 3)


# What cannot be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["gentle-saas", "gentle-saas@", "gentle-saas@0", "@1", "a@1@2", "a b@1", "a@1\n", ""]
)
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="names no version of a ladder"):
        read_ref("from", text)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("gentle-saas@2", "gradual-pressure@2", "another ladder"),
        ("gentle-saas@2", "gentle-saas@2", "the version it comes from"),
        ("gentle-saas@7", "gentle-saas@3", "no case was ever started by gentle-saas@7"),
        ("gentle-saas@2", "gentle-saas@4", "gentle-saas.toml is version 3"),
    ],
)
def test_a_move_that_cannot_be_is_refused(
    database: Database, edited: dict[str, Policy], old: str, new: str, reason: str
) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), AS_OF)
    with pytest.raises(Refused, match=reason):
        PolicyMoves(sample_deps(database), edited, read_ref("from", old), read_ref("to", new))


def test_a_file_unlike_its_version_in_use_is_refused(database: Database, edited: dict[str, Policy]) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), AS_OF)
    Registrar(sample_deps(database), edited).register(an_invoice(invoice_id="inv-2"), AS_OF)
    other = {"gentle-saas": edited["gentle-saas"].model_copy(update={"gap_days": 3})}
    with pytest.raises(Refused, match="differs from version 3 that is in use"):
        PolicyMoves(sample_deps(database), other, ONE, TWO)
    # the same ladder read from its file and from the database are one
    assert PolicyMoves(sample_deps(database), edited, ONE, TWO).preview("operator") != []


def test_one_case_can_be_chosen_and_must_fit(database: Database, edited: dict[str, Policy]) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), AS_OF)
    Registrar(sample_deps(database), edited).register(an_invoice(invoice_id="inv-2"), AS_OF)
    moving = PolicyMoves(sample_deps(database), edited, ONE, TWO)
    assert [move.invoice_id for move in moving.preview("operator", "inv-1")] == ["inv-1"]
    with pytest.raises(Refused, match="inv-2 is on gentle-saas@3"):
        moving.preview("operator", "inv-2")
    with pytest.raises(Refused, match="'nobody' is not registered"):
        moving.preview("operator", "nobody")


@pytest.mark.parametrize("content", ["", "[]", '{"moves": [1]}', '{"moves": [{"invoice_id": "a"}]}', "\x00"])
def test_a_file_that_is_no_preview_is_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "seen.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Refused, match="is no preview"):
        read_seen(path)


async def test_a7_a_move_to_what_is_not_registered_is_refused_and_the_next_payment_is_written(
    harness: CaseHarness, edited: dict[str, Policy]
) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    moving = moves_of(harness, edited)
    (move,) = moving.preview("operator")
    content = move.event.model_dump(mode="json")
    with pytest.raises(WorkflowUpdateFailedError) as said:
        await harness.case.execute_update("policy_moved", content)
    assert "to_version: gentle-saas@3 is not registered; known are 2" in str(said.value.cause)
    await harness.case.signal("policy_moved", content)
    await harness.pass_time(hours=1)
    with harness.deps.database.writing() as session:
        policies.register(session, edited["gentle-saas"])
    for field, wrong in (("digest", "0" * 16), ("steps", ["first-reminder"]), ("promises", {"limit": 99})):
        event = PolicyMoved.model_validate(content | {field: wrong})
        with harness.deps.database.reading() as session:
            case = cases.get(session, "inv-1")
        assert case is not None
        forged = event.model_copy(update={"fingerprint": case.fingerprint(event)})
        with pytest.raises(WorkflowUpdateFailedError) as said:
            await harness.case.execute_update("policy_moved", forged.model_dump(mode="json"))
        assert field in str(said.value.cause)
    assert (await harness.status()).policy == ONE
    whole = content | {"to_version": 3.0}
    await harness.case.execute_update("policy_moved", whole)
    assert (await harness.status()).policy == TWO
    await harness.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
    await harness.case.result()
    assert ("refused", "policy_moved: to_version: gentle-saas@3 is not registered; known are 2") in harness.timeline()
