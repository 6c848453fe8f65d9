"""Writes a page and a picture of every policy from its file: python -m dunwell.local.ladder_pages

docs/ladders/<name>.md and <name>.svg describe policies/<name>.toml for people who choose a policy.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dunwell.bootstrap import MESSAGES
from dunwell.domain.ladder import PreviewLine
from dunwell.domain.policy import Policy, Step
from dunwell.domain.terms import Late, Role
from dunwell.intake.policy_files import FOLDER, read_ladders, traits_of
from dunwell.texts.catalogue import Catalogue
from dunwell.views.ladder_picture import days_from_due, picture, sample

PAGES = Path(__file__).parents[2] / "docs" / "ladders"

_LATE = {
    Late.SEND: "comes all the same",
    Late.SKIP: "is left out",
    Late.SHIFT: "comes, and the rest moves",
}
_DOES = {
    "restricted": "access is **restricted**",
    "suspended": "access is **suspended**",
    "work": "the next stage of the work **waits**",
    "legal": "the case goes to the **legal department**",
    "handed_over": "the case is **handed over**, and ends",
    "written_off": "the rest is **written off**, and the case ends",
}
_NOTE = re.compile(r"((?:^#[^\n]*\n)+)\[\[step\]\]\nid = \"([^\"]+)\"", re.MULTILINE)


def pages(ladders: Mapping[str, Policy], folder: Path = FOLDER) -> dict[str, str]:
    """Return the text of each file of docs/ladders, by file name."""
    made = {}
    for name, policy in ladders.items():
        source = (folder / f"{name}.toml").read_text(encoding="utf-8")
        made[f"{name}.md"] = "\n".join(_page(policy, source)) + "\n"
        made[f"{name}.svg"] = picture(policy)
    return made


def _page(policy: Policy, source: str) -> Iterator[str]:
    lines = sample(policy)
    yield f"# {policy.title}"
    yield f"\n{_comment(source[: source.index('name =')])}\n"
    file = f"policies/{policy.name}.toml"
    yield f"Made by `make docs` from [{file}](../../{file}), version {policy.version}.\n"
    yield f"![The steps of {policy.name} on an axis of days]({policy.name}.svg)\n"
    yield "## Its rules\n"
    yield from (f"- {rule}" for rule in _rules(policy))
    yield "\n## Its steps\n"
    yield "Days are counted from the due date, for an invoice due on a Monday, without holidays.\n"
    yield "| day | step | when | who | how | message | what happens | if late |"
    yield "|--:|---|---|---|---|---|---|---|"
    yield from (_row(policy.step(line.step), line) for line in lines)
    notes = [(step, _comment(text)) for text, step in _NOTE.findall(source)]
    if notes:
        yield "\n## Why\n"
        yield from (f"- **{step}**: {text}" for step, text in notes)


def _rules(policy: Policy) -> Iterator[str]:
    opens, closes = policy.window
    yield f"People are contacted on business days from {opens:%H:%M} to {closes:%H:%M} in their own time zone."
    yield (
        f"Between two requests lie {_count(policy.gap_days, 'day')} at least; nobody gets more than "
        f"{_count(policy.contacts_per_week, 'message')} and {_count(policy.calls_per_week, 'call')} in seven days."
    )
    if policy.named_only:
        yield "Whom a step does not name is never contacted, even when those it names cannot be reached."
    calls = policy.calls
    rest = calls.rest_after_conversation_days
    after = f", and after a conversation no call comes for {_count(rest, 'day')}" if rest else ""
    yield f"A call that nobody answers is tried {_count(calls.attempts, 'time')}, {calls.retry} apart{after}."
    promises = policy.promises
    yield (
        f"A date may be promised {_count(promises.limit, 'time')}, at most {_count(promises.max_days, 'day')} ahead, "
        f"with {_count(promises.grace_days, 'day')} of grace."
    )
    if any(step.restricts for step in policy.steps):
        needed = _count(policy.warnings_before_restriction, "written warning")
        yield f"Nothing is restricted before {needed} are known to have arrived."
    if policy.hold:
        yield "The next stage of the work waits from the start until the invoice is paid."
    if policy.restriction_floor is not None:
        yield f"Below {policy.restriction_floor} open nothing is restricted, and nothing threatens it."
    if policy.floor is not None:
        yield f"Below {policy.floor} open nothing is handed over, and nothing threatens it; a person decides."
    if policy.tolerance:
        yield f"Once something was paid, a rest of {policy.tolerance} minor units (cents, or yen) counts as paid."
    if policy.copies:
        yield f"Every written step is copied to {_roles(policy.copies)}."


def _row(step: Step, line: PreviewLine) -> str:
    when = f"{step.when}" + (f"; needs {_needs(step)}" if step.needs else "")
    who = _roles(step.to) or "nobody"
    copies = [role for role in step.copies if role is not Role.ACCOUNT_MANAGER]
    if copies:
        who += f"; copy to {_roles(tuple(copies))}"
    happens = _DOES[step.does] if step.does else ""
    if step.approval:
        happens += ", once our manager has said yes"
    if step.announces:
        happens = "announces: " + ", ".join(step.announces)
    if step.once:
        happens = "once a customer"
    if claimed := _claimed(step):
        happens = "; ".join(filter(None, (happens, claimed)))
    how = ", else ".join(step.by)
    cells = (f"{days_from_due(line):+d}", f"**{step.id}**", when, who, how, step.message or "", happens)
    return f"| {' | '.join(cells)} | {_LATE[step.late]} |"


def _claimed(step: Step) -> str:
    """What the step asks for beside the invoice."""
    heads = [
        *(["interest"] if step.interest else []),
        *(["the fixed sum"] if step.lump_sum else []),
        *([f"a fee of {step.fee}"] if step.fee else []),
    ]
    if step.interest_notice:
        return "says that interest accrues"
    return f"claims {' and '.join(heads)}" if heads else ""


def _needs(step: Step) -> str:
    if step.needs is None:
        return ""
    warnings = _count(step.needs.delivered_warnings, "delivered warning")
    return f"{warnings}, the last {_count(step.needs.days, 'day')} before"


def _roles(roles: tuple[Role, ...]) -> str:
    words = {Role.ACCOUNT_MANAGER: "our account manager"}
    return ", ".join(words.get(role, role.value.replace("_", " ")) for role in roles)


def _comment(text: str) -> str:
    return " ".join(line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def main() -> None:
    PAGES.mkdir(exist_ok=True)
    for name, text in pages(read_ladders(traits_of(Catalogue.load(MESSAGES)))).items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
