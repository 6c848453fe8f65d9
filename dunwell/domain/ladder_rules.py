"""The rules a ladder must keep: every step can be reached, nothing is taken away before the promised number of
written warnings, and no message threatens what the ladder does not do.

Each rule reports what it finds and goes on, so that a file's faults are all named at once.
"""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta

from dunwell.domain.ladder_plan import Plan
from dunwell.domain.ladder_problems import Report
from dunwell.domain.ladder_table import Table
from dunwell.domain.policy import DATES, Needs, Policy, Step, Trait
from dunwell.domain.spelling import hint
from dunwell.domain.terms import AccessoryRule, Late

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def check_anchor(step: Step, position: int, labels: Sequence[str], report: Report) -> None:
    """A step counts from due, issued or a step above. `labels` are the ids of the whole file in order."""
    anchor, above = step.when.anchor, (*DATES, *labels[:position])
    if anchor in above:
        return
    if anchor == step.id:
        reason = "counts from itself: count from due, issued or a step above"
    elif anchor in labels:
        reason = f"counts from {anchor!r}, a step below, so it can never be reached: move {anchor!r} up"
    else:
        reason = f"counts from {anchor!r}, which is not due, issued or a step above{hint(anchor, above)}"
    report.add(step.id, f"when {reason}")


def check_parts(step: Step, table: Table, window: tuple[time, time]) -> None:
    """The parts of one step fit together, and its clock time lies inside the window."""
    at = step.when.at
    if at is not None and not window[0] <= at < window[1]:
        table.bad("when", f"at {at:%H:%M} is outside the window {_span(window)}: choose a time inside it")
    parts = {key for key in ("to", "by", "message") if table.data.get(key)}
    missing = sorted({"to", "by", "message"} - parts)
    if parts and missing:
        table.bad(" and ".join(missing), "is missing: a contact needs to, by and message, all three")
    changes = [key for key in ("access", "stage", "ends") if table.data.get(key)]
    if len(changes) > 1:
        table.bad(" and ".join(changes), "on one step: a step changes one thing, so write two steps")
    if not parts and not changes:
        table.bad("message", "is missing, and nothing else happens here: say what the step does")
    if step.needs and not step.consequence:
        table.bad("needs", "guards nothing here: it belongs on a step that restricts or hands over")
    _check_copies(step, table)
    _check_once(step, table)
    _check_claims(step, table)
    if step.approval and not step.does:
        table.bad("approval", "guards nothing here: it belongs on a step with access, stage or ends")
    elif step.approval and step.late is Late.SKIP:
        table.bad("late", 'must not be "skip" with approval: waiting for a yes makes a step late')
    if step.ends and step.late is Late.SKIP:
        table.bad("late", 'must not be "skip" on the end, or the case would stay open for ever')


def _check_copies(step: Step, table: Table) -> None:
    both = [role for role in step.copies if role in step.to]
    if both:
        table.bad("copies", f"names {both[0].value!r}, who is in to already: once is enough")
    if step.copies and not step.copied:
        table.bad("copies", "has nothing to copy here: it belongs on a step that writes to the debtor")


def _check_once(step: Step, table: Table) -> None:
    if step.once is None:
        return
    if step.message is None:
        table.bad("once", "needs a message that is told once")
    elif step.asks or step.does or step.announces:
        table.bad("once", "would leave out a request or a consequence: it belongs on a step that only informs")


def _check_claims(step: Step, table: Table) -> None:
    """What is owed beside the principal is claimed from the customer, in a message that asks."""
    for key in ("interest", "lump_sum", "fee", "interest_notice"):
        if not table.data.get(key):
            continue
        if not (step.asks and step.written and step.reaches_debtor):
            table.bad(key, "belongs on a written step to the customer whose message asks for payment")
    if step.interest_notice and step.interest:
        table.bad("interest_notice", "and interest on one step: what is claimed already needs no notice")


def check_ladder(policy: Policy, plans: Mapping[str, Plan], report: Report, messages: Mapping[str, Trait]) -> None:
    """Check the ladder as a whole: its order, its ends, its proof of warnings and its threats."""
    _check_order(policy.steps, plans, report)
    _check_ends(policy, report)
    _check_proof(policy, plans, report)
    _check_threats(policy, report, messages)
    _check_interest(policy, report)
    _check_accessory(policy, report, messages)
    _check_grace(policy, report)


def _check_order(steps: Sequence[Step], plans: Mapping[str, Plan], report: Report) -> None:
    above: Step | None = None
    for step in steps:
        plan = plans.get(step.id)
        if plan is None:
            continue
        before = plans[above.id] if above else None
        if above and before and before.root == "due" and plan.root == "issued":
            report.add(step.id, f"when counts from issued below {above.id!r}, which counts from due: move it up")
        elif above and before and before.root == plan.root:
            for weekday, (mine, theirs) in enumerate(zip(plan.places, before.places, strict=True)):
                if mine.paper < theirs.paper:
                    example = f"(for an invoice {plan.root} on a {_WEEKDAYS[weekday]})"
                    report.add(
                        step.id,
                        f'when "{step.when}" comes before {above.id!r} above it {example}: '
                        "move the step up or plan it later",
                    )
                    break
        above = step


def _check_ends(policy: Policy, report: Report) -> None:
    ended: Step | None = None
    for step in policy.steps:
        if ended:
            report.add(step.id, f"stands below {ended.id!r}, which ends the case: it can never be reached")
        ended = ended or (step if step.ends else None)
        if (step.consequence or step.ends) and not step.chasing:
            report.add(step.id, f"{step.does} must come after the due date: count from due or from a later step")


def _check_proof(policy: Policy, plans: Mapping[str, Plan], report: Report) -> None:
    """Report steps that restrict access before the promised number of written and delivered warnings."""
    wanted = policy.warnings_before_restriction
    for position, step in enumerate(policy.steps):
        earlier = policy.steps[:position]
        # A warning that is left out for amounts for which the step is meant is no sure one.
        sure = [one for one in earlier if one.warning and policy.least(one) <= policy.least(step)]
        if step.consequence:
            for one in earlier:
                if one.late is Late.SKIP and (one.warning or one.announces):
                    report.add(one.id, f'late must not be "skip": it is a warning on the way to {step.id!r}')
        if step.needs:
            _check_needs(step, step.needs, sure, plans, report)
        if not step.restricts:
            continue
        if len(sure) < wanted:
            report.add(
                step.id,
                f"access {str(step.access)!r} after {_count(len(sure), 'written warning')} past due, but "
                f"warnings_before_restriction is {wanted}: add steps above whose message asks for payment",
            )
        if step.needs is None:
            report.add(step.id, f'needs is missing: write needs = "{wanted} delivered warnings, 3 days apart"')
        elif step.needs.delivered_warnings < wanted:
            report.add(
                step.id,
                f"needs only {_count(step.needs.delivered_warnings, 'delivered warning')}, but "
                f"warnings_before_restriction is {wanted}: ask for {wanted} or more",
            )


def _check_needs(
    step: Step, needs: Needs, warnings: Sequence[Step], plans: Mapping[str, Plan], report: Report
) -> None:
    """What `needs` asks must be possible: enough warnings above, and far enough above."""
    if needs.delivered_warnings > len(warnings):
        report.add(
            step.id,
            f"needs {_count(needs.delivered_warnings, 'delivered warning')}, but only {len(warnings)} stand "
            "above it, so it could never happen: add warnings or ask for fewer",
        )
        return
    mine, last = plans.get(step.id), plans.get(warnings[-1].id)
    if mine is None or last is None or mine.root != last.root:
        return
    distance = min(one.at - other.at for one, other in zip(mine.places, last.places, strict=True))
    if distance < timedelta(days=needs.days):
        report.add(
            step.id,
            f"needs {_count(needs.days, 'day')} after the last warning, but is planned "
            f"{_count(distance.days, 'full day')} after {warnings[-1].id!r}: plan it later",
        )


def _check_threats(policy: Policy, report: Report, messages: Mapping[str, Trait]) -> None:
    """Whatever is announced is done by a step, and whatever a step does was announced: no empty threats."""
    announced: set[str] = set()
    ids = [step.id for step in policy.steps]
    for position, step in enumerate(policy.steps):
        _check_announcement(step, position, policy, report, messages)
        _check_statement(step, report, messages)
        if step.consequence and step.id not in announced:
            report.add(
                step.id,
                f"{step.does} comes unannounced: a written step above needs announces = "
                f'["{step.id}"] and a message that announces it',
            )
        if step.written and step.reaches_debtor:
            announced.update(name for name in step.announces if name in ids[position + 1 :])


def _check_announcement(
    step: Step, position: int, policy: Policy, report: Report, messages: Mapping[str, Trait]
) -> None:
    trait = messages.get(step.message or "")  # None too when the message is unknown, which is reported already
    if trait and trait.announces and not step.announces:
        report.add(
            step.id,
            f"message {step.message!r} announces a consequence, but the step names none: add announces = "
            '["<id of the step that does it>"] or choose another message',
        )
    if step.announces and trait and not trait.announces:
        report.add(step.id, f"announces needs a message that says so, and {step.message!r} does not")
    if step.announces and step.message is None:
        report.add(step.id, "announces needs a message that says so, and the step has none")
    later = {one.id: one for one in policy.steps[position + 1 :]}
    for name in step.announces:
        if name not in later:
            report.add(step.id, f"announces {name!r}, which is no step below it{hint(name, later)}")
        elif not later[name].consequence:
            report.add(
                step.id,
                f"announces {name!r}, which takes nothing away, an empty threat: give {name!r} a consequence "
                'such as access = "restricted", or announce nothing',
            )


def _check_statement(step: Step, report: Report, messages: Mapping[str, Trait]) -> None:
    states = messages.get(step.message or "", Trait()).states
    if states and states != step.does:
        done = f"does {step.does}" if step.does else "changes nothing"
        report.add(step.id, f"message {step.message!r} says that {states} has happened, but the step {done}")
    elif step.restricts and not states and (step.message is None or step.message in messages):
        report.add(
            step.id,
            f"access {str(step.access)!r} without a word about it: add a message that states {step.access}",
        )


def _check_interest(policy: Policy, report: Report) -> None:
    """Nothing is claimed before it is late; announced interest is claimed later; a fee has a law to be checked by."""
    for position, step in enumerate(policy.steps):
        if (step.claims or step.interest_notice) and not step.chasing:
            report.add(
                step.id, "claims more than the invoice before it is late: count from due, a day or more after it"
            )
        if step.interest_notice and not any(one.interest for one in policy.steps[position + 1 :]):
            report.add(
                step.id,
                "interest_notice says that interest accrues, and no step below claims it, an empty threat: "
                'write interest = "statutory" on a step below, or leave the notice out',
            )
        if step.fee and not policy.jurisdictions:
            report.add(
                step.id,
                'fee depends on a country\'s law: name it at the top of the file, such as jurisdictions = ["DE"]',
            )


def _check_accessory(policy: Policy, report: Report, messages: Mapping[str, Trait]) -> None:
    """What is left once the invoice is paid is asked for by its own message, and only above a floor."""
    message = policy.reactions.accessory_left
    if policy.accessory is AccessoryRule.ASK_ONCE:
        if message is None:
            report.add(
                None,
                'accessory = "ask_once" needs the message that asks: add accessory_left = "accessory-request" '
                "under [reactions]",
            )
        if policy.accessory_floor is None:
            report.add(
                None,
                'accessory = "ask_once" needs accessory_floor, such as accessory_floor = "10.00": nobody is asked '
                "for a few cents",
            )
        if not any(step.claims for step in policy.steps):
            report.add(
                None,
                'accessory = "ask_once" asks for what no step claims: write interest = "statutory", lump_sum = true '
                "or a fee on a step, or leave it out",
            )
    elif message is not None:
        report.add(None, f'accessory_left is never sent with accessory = "{policy.accessory}": write "ask_once"')
    for step in policy.steps:
        if messages.get(step.message or "", Trait()).accessory:
            report.add(
                step.id,
                f"message {step.message!r} asks for what is left once the invoice is paid: only the reaction "
                "accessory_left may name it",
            )


def _check_grace(policy: Policy, report: Report) -> None:
    """Grace lifts a restriction, and its confirmation names the day on which that comes back (G6)."""
    if policy.grace.times == 0:
        if policy.reactions.grace_granted is not None:
            report.add(None, "grace_granted is never sent without [grace]: add it, or leave the reaction out")
        return
    if policy.reactions.grace_granted is None:
        report.add(
            None,
            "[grace] needs the message that names the day on which the restriction comes back: add grace_granted = "
            '"grace-confirmed" under [reactions]',
        )
    if not any(step.restricts for step in policy.steps):
        report.add(None, "[grace] lifts what no step restricts: leave it out")


def _span(window: tuple[time, time]) -> str:
    return f"{window[0]:%H:%M}-{window[1]:%H:%M}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
