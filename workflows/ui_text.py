"""The texts of a case in the Temporal UI: ids, dates, amounts and step names, and no personal data."""

import re

from dunwell.domain.case import Case
from dunwell.domain.cleaning import one_line
from dunwell.domain.contact_labels import with_roles
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.timeline import Entry

_LAST_DECISIONS = 12
_MARKS = re.compile(r"([\\`*_\[\]<>|#~!$&])")


def summary(case: Case, number: str) -> str:
    """Return the line of a case in the UI's list."""
    mark = "REHEARSAL " if is_rehearsal(case.customer_id) else ""
    ladder = f"{case.policy.name}@{case.policy.version}"
    text = f"{mark}{number}: {case.money.amount} {case.currency}, due {case.due_on}, {ladder}"
    return plain(text)[:200].rstrip("\\")


def details(case: Case, timeline: list[Entry], sealed: int = 0) -> str:
    """Return Markdown: the stage, what comes next and why, promises, and the last decisions.

    sealed: how many signals wait for their key.
    It has lists and no table, because the UI shows a table without space between its columns.
    """
    lines = ["**REHEARSAL**: nobody is reached", ""] if is_rehearsal(case.customer_id) else []
    lines += [
        f"**{case.stage.value}**: {case.open_amount} {case.currency} open of {case.money.amount}, due {case.due_on}"
        + (f"; credit {case.credit} {case.currency}" if case.credit else ""),
        f"Access: **{case.account_access.value}**"
        + (f", held by this invoice: {', '.join(case.own_holds)}" if case.own_holds else ""),
        f"Ladder: {case.policy.name}@{case.policy.version}",
        "",
        _next(case),
    ]
    if sealed:
        lines.append(f"**{sealed} signal(s) wait for the key that they are sealed with**: see the tasks")
    for whose, pause in (
        ("this invoice", case.agreements.pause),
        ("the whole customer", case.agreements.customer_pause),
    ):
        if pause is not None:
            end = pause.until or "resumed"
            lines.append(f"Paused, {whose}: {plain(pause.reason)}, by {plain(pause.by)}, until {end}")
    for reply in case.agreements.replies:
        lines.append(f"A reply of {case.today(reply.at)} waits for a person; nothing is sent meanwhile")
    if case.agreements.call is not None:
        lines.append(f"They asked for a call: {plain(case.agreements.call.task)}")
    if case.agreements.grace is not None:
        grace = case.agreements.grace
        lines.append(f"Grace until {grace.until}, by {plain(grace.by)}; then it is restricted again")
    if case.agreements.promises:
        lines += ["", "Promises:"]
        lines += [
            f"- {p.amount} {case.currency} for {p.date} by {plain(p.promised_by)}: {p.state}"
            for p in case.agreements.promises
        ]
    lines += ["", "Last decisions (UTC):"]
    for entry in timeline[-_LAST_DECISIONS:]:
        lines.append(
            f"- {entry.at:%Y-%m-%d %H:%M} **{entry.kind}** {plain(with_roles(entry.reason, case.customer_id))}"
        )
    return "\n".join(lines)


def plain(text: str) -> str:
    """Return `text`, which comes from outside, as Markdown that shows it unchanged, on one line."""
    return _MARKS.sub(r"\\\1", one_line(text))


def _next(case: Case) -> str:
    action = case.next_action
    if action is not None:
        return f"Next: **{plain(action.name)}** at {action.at:%Y-%m-%d %H:%M} UTC ({plain(action.why)})"
    return "Next: nothing, the case has ended" if case.ended else "Next: waits for a person"
