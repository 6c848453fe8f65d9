"""A ladder file: its grammar, and how a parsed TOML mapping becomes a policy or a list of all its faults."""

import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from types import MappingProxyType
from typing import Literal

from dunwell.domain.calls import DAY_CLOSES, DAY_OPENS, CallRules, Wait
from dunwell.domain.channels import Channel
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.ladder_law import check_law
from dunwell.domain.ladder_plan import nominal_plans, with_distance
from dunwell.domain.ladder_problems import PolicyError, Report
from dunwell.domain.ladder_rules import check_anchor, check_ladder, check_parts
from dunwell.domain.ladder_table import Table
from dunwell.domain.model import Value
from dunwell.domain.policy import (
    DATES,
    WHEN_FORMS,
    Fee,
    GraceRules,
    Needs,
    PlanRules,
    Policy,
    PromiseRules,
    Reactions,
    ReplyRules,
    Step,
    Trait,
    When,
    time_of_day,
)
from dunwell.domain.spelling import hint
from dunwell.domain.terms import AccessoryRule, Late, Level, Role, Stage

_POLICY_KEYS = (
    *("name", "version", "title", "language", "warnings_before_restriction", "window", "gap_days"),
    *("contacts_per_week", "calls_per_week", "silence_days", "spread_minutes"),
    *(
        "hold",
        "unknown_email",
        "floor",
        "restriction_floor",
        "tolerance",
        "dispute_days",
        "pause_days",
        "named_only",
        "jurisdictions",
        "pay_days",
        "accessory",
        "accessory_floor",
        "copies",
        "promises",
        "plans",
        "reactions",
        "calls",
        "grace",
        "replies",
        "step",
    ),
)
_STEP_KEYS = (
    *("id", "when", "to", "by", "message", "copies", "once", "late"),
    *("access", "needs", "announces", "stage", "ends", "approval"),
    *("interest", "lump_sum", "fee", "interest_notice"),
)

_QUIET = ("paid", "restored", "promise_made", "dispute_opened", "nothing_to_pay", "grace_granted")
"""Reactions at which asking for money would be wrong."""

_WRONG_ACCESSORY = {
    True: "asks for what is left once the invoice is paid: only the reaction accessory_left may name it",
    False: "does not ask for what is left once the invoice is paid: name a message that does",
}
"""What is wrong with a message that has, or lacks, the mark `accessory`."""

_UNREADABLE = When(anchor="")
"""Stands for a `when` that was refused, so that the other checks can go on without it."""

_NEEDS = re.compile(r"(?P<count>\d{1,2}) delivered warnings?, (?P<days>\d{1,3}) days? apart")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_STEP_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_FEE = re.compile(r"(?P<amount>\d{1,6}(?:\.\d{1,3})?) (?P<currency>[A-Z]{3})")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def parse_policy(
    data: Mapping[str, object],
    file: str,
    messages: Mapping[str, Trait],
    laws: Mapping[str, Jurisdiction] = MappingProxyType({}),
) -> Policy:
    """Turn a parsed TOML file into a checked policy.

    file: its path, used in error messages and for the name. messages: the catalogue's keys and traits.
    laws: those of the countries that a ladder may name, by code.
    Raises PolicyError with every problem of the file at once.
    """
    report = Report(file)
    head = _read_head(Table(data, report, None, _POLICY_KEYS))
    promises = _read_promises(data.get("promises", {}), report)
    plans_alone = _read_plans(data.get("plans", {}), report, "plan_agreed" in _keys(data.get("reactions")))
    reactions = _read_reactions(data.get("reactions", {}), report, messages)
    calls = _read_calls(data.get("calls", {}), report)
    grace = _read_grace(data["grace"], report) if "grace" in data else GraceRules()
    replies = _read_replies(data.get("replies", {}), report)
    steps = _read_steps(data.get("step"), report, messages, head.window)
    plans = nominal_plans(steps, head.window)
    policy = head.model_copy(
        update={
            "promises": promises,
            "plans": plans_alone,
            "reactions": reactions,
            "calls": calls,
            "grace": grace,
            "replies": replies,
            "steps": tuple(_with_copies(with_distance(step, plans), head.copies) for step in steps),
        }
    )
    check_ladder(policy, plans, report, messages)
    check_law(policy, laws, report)
    if report.problems:
        raise PolicyError(tuple(report.problems))
    return policy


def _with_copies(step: Step, everywhere: tuple[Role, ...]) -> Step:
    """The step with the copies of the head; who is written to anyway gets none."""
    if not step.copied:
        return step
    more = (role for role in everywhere if role not in (*step.to, *step.copies))
    return step.model_copy(update={"copies": (*step.copies, *more)})


def _read_head(table: Table) -> Policy:
    """The policy without its tables: its steps, promises and reactions are still empty."""
    name = _read_name(table)
    language = table.text("language") or "en"
    if not _LANGUAGE.fullmatch(language):
        table.bad("language", f'{language!r} is no language tag: write "en" or "pt-BR"')
    if "version" not in table.data:
        table.bad("version", "is missing: write version = 1, and count up with every edit")
    asked = table.text("unknown_email")
    if asked not in (None, "ask"):
        table.bad("unknown_email", f'{asked!r} is unknown: only "ask" (a person decides) is safe')
    return Policy(
        name=name,
        version=table.whole("version", 1, 1, 1_000_000),
        title=table.text("title") or name.replace("-", " "),
        language=language,
        warnings_before_restriction=table.whole("warnings_before_restriction", 2, 1, 20),
        window=_read_window(table),
        gap_days=table.whole("gap_days", 1, 1, 60),
        contacts_per_week=table.whole("contacts_per_week", 4, 1, 20),
        calls_per_week=table.whole("calls_per_week", 7, 1, 7),
        silence_days=table.whole("silence_days", 2, 1, 14),
        spread_minutes=table.whole("spread_minutes", 0, 0, 240),
        hold=table.word("hold", (Level.WORK,)),
        floor=_read_floor(table, "floor"),
        restriction_floor=_read_floor(table, "restriction_floor"),
        tolerance=table.whole("tolerance", 50, 0, 10_000),
        dispute_days=table.whole("dispute_days", 14, 1, 90),
        pause_days=table.whole("pause_days", 30, 1, 180),
        named_only=table.flag("named_only"),
        jurisdictions=_read_jurisdictions(table),
        pay_days=table.whole("pay_days", 7, 1, 30),
        accessory=table.word("accessory", tuple(AccessoryRule)) or AccessoryRule.WAIVE,
        accessory_floor=_read_floor(table, "accessory_floor"),
        copies=table.words("copies", tuple(Role)),
        steps=(),
    )


def _read_name(table: Table) -> str:
    stem = PurePath(table.report.file).stem
    name = table.text("name")
    if name is None:
        table.bad("name", f'is missing: write name = "{stem}"')
        return stem
    if not _NAME.fullmatch(name):
        table.bad("name", f"{name!r} may hold small letters, digits and hyphens only, 60 at most")
    elif name != stem:
        table.bad("name", f'{name!r} differs from the file\'s name: write name = "{stem}" or rename the file')
    return name


def _read_window(table: Table) -> tuple[time, time]:
    text = table.text("window") or "09:00-17:00"
    found = re.fullmatch(r"(\d{2}:\d{2})\s*-\s*(\d{2}:\d{2})", text)
    try:
        if found is None:
            raise ValueError(f'{text!r} is not understood: write "09:00-17:00"')
        opens, closes = time_of_day(found[1]), time_of_day(found[2])
        if not DAY_OPENS <= opens <= DAY_CLOSES or not DAY_OPENS <= closes <= DAY_CLOSES:
            raise ValueError(f"{text!r} leaves the hours in which people may be contacted: stay in 08:00-21:00")
        if _minutes(closes) - _minutes(opens) < 60:
            raise ValueError(f"{text!r} is too short: open for an hour at least, the earlier time first")
    except ValueError as error:
        table.bad("window", str(error))
        return time(9), time(17)
    return opens, closes


def _read_floor(table: Table, key: str) -> Decimal | None:
    value = table.data.get(key)
    if value is None:
        return None
    try:
        # A TOML float has lost its exact digits already, so only text and whole numbers are taken.
        if isinstance(value, (bool, float)):
            raise InvalidOperation
        floor = Decimal(str(value))
        if not floor.is_finite() or floor <= 0 or "E" in str(value).upper():
            raise InvalidOperation
    except InvalidOperation:
        table.bad(key, f'must be a positive amount in quotes, such as "100.00", not {value!r}')
        return None
    return floor


def _read_jurisdictions(table: Table) -> tuple[str, ...]:
    countries = table.texts("jurisdictions")
    for country in countries:
        if not _COUNTRY.fullmatch(country):
            table.bad("jurisdictions", f'{country!r} is no country code: write two capital letters such as "DE"')
    return countries


def _section(data: object, name: str, rules: type[Value], report: Report) -> Table:
    """The table [name] of the file, whose keys are the fields of `rules`."""
    if not isinstance(data, Mapping):
        report.add(None, f"{name} must be a table: write [{name}] and its keys below")
    return Table(data, report, None, tuple(rules.model_fields))


def _read_promises(data: object, report: Report) -> PromiseRules:
    table = _section(data, "promises", PromiseRules, report)
    usual = PromiseRules()
    return PromiseRules(
        limit=table.whole("limit", usual.limit, 0, 10),
        max_days=table.whole("max_days", usual.max_days, 1, 90),
        grace_days=table.whole("grace_days", usual.grace_days, 0, 10),
    )


def _read_plans(data: object, report: Report, confirmed: bool) -> PlanRules:
    table = _section(data, "plans", PlanRules, report)
    usual = PlanRules()
    rules = PlanRules(
        most=table.whole("most", usual.most, 0, 24),
        max_days=table.whole("max_days", usual.max_days, 7, 730),
        least=_read_floor(table, "least"),
    )
    if rules.most == 1:
        table.bad("most", "1 is no plan: write 2 or more, or 0 to let a person answer")
    if rules.most > 1 and not confirmed:
        table.bad("most", 'grants plans, but [reactions] has no plan_agreed: name a message, such as "plan-agreed"')
    return rules


def _keys(data: object) -> frozenset[str]:
    return frozenset(map(str, data)) if isinstance(data, Mapping) else frozenset()


def _read_reactions(data: object, report: Report, messages: Mapping[str, Trait]) -> Reactions:
    table = _section(data, "reactions", Reactions, report)
    chosen = {event: _read_message(table, event, messages) for event in Reactions.model_fields}
    for event, key in chosen.items():
        trait = messages.get(key or "", Trait())
        if trait.asks and event in _QUIET:
            table.bad(
                event,
                f"{key!r} asks for payment, which is wrong at that moment: name a message that does not",
            )
        if trait.accessory != (event == "accessory_left") and key in messages:
            table.bad(event, f"{key!r} {_WRONG_ACCESSORY[trait.accessory]}")
        if event == "grace_granted":
            if not trait.announces and key in messages:
                table.bad(event, f"{key!r} does not say that the restriction comes back: name a message that does")
        elif trait.announces or trait.states:
            table.bad(event, f"{key!r} speaks of a consequence, and a reaction has none: name another message")
    return Reactions.model_validate(chosen)


def _read_calls(data: object, report: Report) -> CallRules:
    table = _section(data, "calls", CallRules, report)
    usual = CallRules()
    return CallRules(
        attempts=table.whole("attempts", usual.attempts, 1, 7),
        retry=_read_wait(table, "retry", usual.retry),
        payment_wait_days=table.whole("payment_wait_days", usual.payment_wait_days, 1, 10),
        rest_after_conversation_days=table.whole(
            "rest_after_conversation_days", usual.rest_after_conversation_days, 0, 30
        ),
        escalate_after_hours=table.whole("escalate_after_hours", usual.escalate_after_hours, 1, 80),
    )


def _read_grace(data: object, report: Report) -> GraceRules:
    table = _section(data, "grace", GraceRules, report)
    return GraceRules(days=table.whole("days", 3, 1, 14), times=table.whole("times", 1, 1, 5))


def _read_replies(data: object, report: Report) -> ReplyRules:
    table = _section(data, "replies", ReplyRules, report)
    return ReplyRules(manager_after_days=table.whole("manager_after_days", ReplyRules().manager_after_days, 1, 20))


def _read_wait(table: Table, key: str, usual: Wait) -> Wait:
    text = table.text(key)
    if text is None:
        return usual
    try:
        return Wait.read(text)
    except ValueError as error:
        table.bad(key, str(error))
        return usual


def _read_message(table: Table, field: str, messages: Mapping[str, Trait]) -> str | None:
    key = table.text(field)
    if key is not None and key not in messages:
        table.bad(field, f"{key!r} is in no catalogue{hint(key, messages)}")
    return key


def _read_steps(data: object, report: Report, messages: Mapping[str, Trait], window: tuple[time, time]) -> list[Step]:
    if isinstance(data, Mapping):
        report.add(None, "step must be written [[step]], with two brackets: a ladder has many steps")
        return []
    if not isinstance(data, list) or not data or not all(isinstance(item, Mapping) for item in data):
        report.add(None, "step is missing: a ladder needs at least one [[step]] table")
        return []
    if len(data) > 60:
        report.add(None, f"has {len(data)} steps: 60 are the most")
        return []
    labels = [_label(item, position) for position, item in enumerate(data, start=1)]
    steps = []
    for position, (label, item) in enumerate(zip(labels, data, strict=True)):
        if label in labels[:position]:
            report.add(label, "id is used by a step above too: give each step its own")
        table = Table(item, report, label, _STEP_KEYS)
        step = _read_step(table, label, messages)
        if step.when != _UNREADABLE:
            check_anchor(step, position, labels, report)
        check_parts(step, table, window)
        steps.append(step)
    return steps


def _label(item: Mapping[str, object], position: int) -> str:
    """The id of a step, or its number where it has none that can be shown."""
    value = item.get("id")
    return value if isinstance(value, str) and value else str(position)


def _read_step(table: Table, label: str, messages: Mapping[str, Trait]) -> Step:
    if table.text("id") is None:
        table.bad("id", 'is missing: write a short name such as id = "first-reminder"')
    elif not _STEP_ID.fullmatch(label) or label in DATES:
        table.bad("id", f"{label!r} cannot be used: small letters, digits, hyphens; not due, not issued")
    message = _read_message(table, "message", messages)
    return Step(
        id=label,
        when=_read_when(table),
        to=table.words("to", tuple(Role)),
        by=table.words("by", tuple(Channel)),
        message=message,
        copies=table.words("copies", tuple(Role)),
        once=_read_once(table),
        approval=table.flag("approval"),
        late=table.word("late", tuple(Late)) or Late.SEND,
        access=table.word("access", tuple(Level)),
        needs=_read_needs(table),
        announces=table.texts("announces"),
        stage=table.word("stage", (Stage.LEGAL,)),
        ends=table.word("ends", (Stage.HANDED_OVER, Stage.WRITTEN_OFF)),
        interest=_read_interest(table),
        lump_sum=table.flag("lump_sum"),
        fee=_read_fee(table),
        interest_notice=table.flag("interest_notice"),
        asks=messages.get(message, Trait(asks=True)).asks if message else False,
    )


def _read_once(table: Table) -> Literal["customer"] | None:
    text = table.text("once")
    if text not in (None, "customer"):
        table.bad("once", f'{text!r} is unknown: write once = "customer", or leave it out')
    return "customer" if text == "customer" else None


def _read_interest(table: Table) -> Literal["statutory"] | None:
    text = table.text("interest")
    if text not in (None, "statutory"):
        table.bad(
            "interest", f'{text!r} is unknown: write interest = "statutory"; an agreed rate stands in the invoice'
        )
    return "statutory" if text == "statutory" else None


def _read_fee(table: Table) -> Fee | None:
    text = table.text("fee")
    if text is None:
        return None
    found = _FEE.fullmatch(text.strip())
    if found is None or not Decimal(found["amount"]):
        table.bad("fee", f'{text!r} is not understood: write an amount and its currency, such as "5.00 EUR"')
        return None
    return Fee(amount=Decimal(found["amount"]), currency=found["currency"])


def _read_when(table: Table) -> When:
    text = table.text("when")
    if text is None:
        if "when" not in table.data:
            table.bad("when", f"is missing: {WHEN_FORMS}")
        return _UNREADABLE
    try:
        return When.read(text)
    except ValueError as error:
        table.bad("when", str(error))
        return _UNREADABLE


def _read_needs(table: Table) -> Needs | None:
    text = table.text("needs")
    if text is None:
        return None
    found = _NEEDS.fullmatch(text.strip())
    if found is None or int(found["count"]) < 1 or int(found["days"]) < 1:
        table.bad("needs", f'{text!r} is not understood: write "2 delivered warnings, 3 days apart", 1 or more')
        return None
    return Needs(delivered_warnings=int(found["count"]), days=int(found["days"]))


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute
