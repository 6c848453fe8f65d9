"""A ladder of reminders as data: its values, its grammar, and the reasons why one is refused.

A policy that passes `parse_policy` can be run without surprises: every step can be reached, nothing is taken
away before the promised number of written warnings, and no message threatens what the ladder does not do.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import PurePath
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from domain.calendar import BusinessCalendar
from domain.model import Value
from domain.terms import Channel, Late, Level, Role, Stage

Unit = Literal["days", "business_days", "hours"]
_Word = TypeVar("_Word", bound=StrEnum)

DATES = ("due", "issued")
"""Anchors that are days of the invoice; any other anchor is the id of a step above."""

EARLIEST, LATEST = time(8), time(21)
"""The hours in which people may be contacted at all; a window lies inside them."""

_WHEN = re.compile(
    r"(?P<anchor>[a-z][a-z0-9-]*)"
    r"(?:\s+(?P<sign>[+-])\s*(?P<count>\d{1,4})\s+(?P<unit>business\s+days?|days?|hours?))?"
    r"(?:\s+at\s+(?P<at>\d{2}:\d{2}))?"
)
_WHEN_FORMS = (
    'write "due + 1 business day at 10:00", "due - 3 business days", "due at 12:00", "issued", '
    '"first-reminder + 14 days" or "first-call + 26 hours"'
)
_NEEDS = re.compile(r"(?P<count>\d{1,2}) delivered warnings?, (?P<days>\d{1,3}) days? apart")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_STEP_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MAX_OFFSET = {"days": 730, "business_days": 500, "hours": 720}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class When(Value):
    """A moment relative to an anchor: "due", "issued" or the id of a step above.

    `at` is a local clock time; None means the opening of the window. Hours count from the exact
    moment the anchor was done.
    """

    anchor: str
    offset: int = 0
    unit: Unit = "days"
    at: time | None = None

    @classmethod
    def read(cls, text: str) -> "When":
        """Read the form used in ladder files. Raises ValueError that shows the allowed forms."""
        found = _WHEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not understood: {_WHEN_FORMS}")
        unit: Unit = _unit(found["unit"])
        offset = int(f"{found['sign'] or '+'}{found['count'] or 0}")
        if abs(offset) > _MAX_OFFSET[unit]:
            words = unit.replace("_", " ")
            raise ValueError(f"{text!r} is too far away: {_MAX_OFFSET[unit]} {words} are the most")
        if offset < 0 and found["anchor"] != "due":
            raise ValueError(f"{text!r} lies before its anchor: only due may be counted back from")
        if unit == "hours" and (found["anchor"] in DATES or found["at"]):
            raise ValueError(f'{text!r}: hours count from a step and take no "at"; from a date use days')
        return cls(anchor=found["anchor"], offset=offset, unit=unit, at=found["at"] and _clock(found["at"]))

    def day(self, anchor: date, calendar: BusinessCalendar) -> date:
        """The day meant, counted from the anchor's day; not yet moved to a business day. Not for hours."""
        if self.unit == "business_days":
            return calendar.add_business_days(anchor, self.offset)
        return anchor + timedelta(days=self.offset)

    def __str__(self) -> str:
        words = self.unit.replace("_", " ")
        words = words[:-1] if abs(self.offset) == 1 else words
        count = f" {'-' if self.offset < 0 else '+'} {abs(self.offset)} {words}" if self.offset else ""
        return f"{self.anchor}{count}" + (f" at {self.at:%H:%M}" if self.at else "")


class Needs(Value):
    """Proof asked before a consequence: `delivered_warnings` distinct earlier warning steps whose written
    message was delivered, and `days` full days since the last of those deliveries."""

    delivered_warnings: int
    days: int


class PromiseRules(Value):
    """How often a date may be promised, how many days ahead, and how many days late a payment may come in."""

    limit: int = 2
    max_days: int = 14
    grace_days: int = 1


class Reactions(Value):
    """The message sent when something happens; None sends nothing."""

    paid: str | None = None
    part_paid: str | None = None
    promise_made: str | None = None
    promise_broken: str | None = None
    dispute_opened: str | None = None
    dispute_closed: str | None = None
    plan_agreed: str | None = None
    instalment_missed: str | None = None
    restored: str | None = None


_QUIET = ("paid", "restored", "promise_made", "dispute_opened")
"""Reactions at which asking for money would be wrong."""


class Trait(Value):
    """What a message of the catalogue does: asks for money, announces a consequence, or states one."""

    asks: bool = False
    announces: bool = False
    states: str | None = None


class Step(Value):
    """One rung. Who (`to`) hears what (`message`) on the first open channel of `by`, and what happens then.

    asks            the message asks for payment (taken from the catalogue when the ladder is loaded)
    days_after_due  the fewest days after the due date it is planned for; 0 or less means up to the due date,
                    None that it hangs on the issue date, so nobody can say
    """

    id: str
    when: When
    to: tuple[Role, ...] = ()
    by: tuple[Channel, ...] = ()
    message: str | None = None
    late: Late = Late.SEND
    access: Level | None = None
    needs: Needs | None = None
    announces: tuple[str, ...] = ()
    stage: Stage | None = None
    ends: Stage | None = None
    asks: bool = False
    days_after_due: int | None = None

    @property
    def contact(self) -> bool:
        """Whether somebody hears of it."""
        return self.message is not None

    @property
    def written(self) -> bool:
        """Whether it may reach people in writing."""
        return Channel.EMAIL in self.by or Channel.SMS in self.by

    @property
    def reaches_debtor(self) -> bool:
        """Whether it goes to anyone but our own account manager."""
        return any(role is not Role.ACCOUNT_MANAGER for role in self.to)

    @property
    def chasing(self) -> bool:
        """Whether it is planned after the due date, whatever weekday that is."""
        return self.days_after_due is not None and self.days_after_due > 0

    @property
    def warning(self) -> bool:
        """Whether it asks the debtor for payment, in writing, after the due date."""
        return self.asks and self.written and self.reaches_debtor and self.chasing

    @property
    def restricts(self) -> bool:
        """Whether it lowers access; stopping the next milestone (`work`) takes nothing away."""
        return self.access in (Level.RESTRICTED, Level.SUSPENDED)

    @property
    def grave(self) -> bool:
        """Whether it goes to lawyers or collectors: the steps that a floor amount guards."""
        return self.stage is not None or self.ends is Stage.HANDED_OVER

    @property
    def does(self) -> str | None:
        """What changes for the debtor: restricted, suspended, work, legal, handed_over or written_off."""
        return self.access or self.stage or self.ends

    @property
    def consequence(self) -> bool:
        """Whether it must be announced in writing by a step above."""
        return self.restricts or self.grave


class Policy(Value):
    """One version of a ladder. A running case keeps the very value it began with.

    window         local opening and closing time for contacts
    gap_days       the fewest days between two contacts of one case
    hold           placed when the case opens (only `work`)
    unknown_email  what to do when nobody can say whether an e-mail left: ask a person
    floor          below this open amount (currency of the invoice) nothing goes to lawyers or collectors
    """

    name: str
    version: int
    title: str
    language: str = "en"
    warnings_before_restriction: int = 2
    window: tuple[time, time] = (time(9), time(17))
    gap_days: int = 1
    hold: Level | None = None
    unknown_email: Literal["ask"] = "ask"
    floor: Decimal | None = None
    promises: PromiseRules = PromiseRules()
    reactions: Reactions = Reactions()
    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError naming policy, version and id."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(f"policy {self.name} version {self.version} has no step {step_id!r}")

    def applies(self, step: Step, open_amount: Decimal) -> bool:
        """Whether the step is meant for this open amount.

        Below the floor neither the grave steps apply nor those that announce nothing else: an announcement
        of something that will not happen is an empty threat.
        """
        if self.floor is None or open_amount >= self.floor:
            return True
        return not (step.grave or _announces_only_grave(step, self.steps))


class Problem(Value):
    """One reason why a ladder is refused. `step` is None when the whole file is meant."""

    file: str
    step: str | None
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}: step {self.step}" if self.step else self.file
        return f"{where}: {self.reason}"


class PolicyError(ValueError):
    """A ladder that cannot be used. `problems` holds all of its faults, str() gives a line each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def parse_policy(data: Mapping[str, object], file: str, messages: Mapping[str, Trait]) -> Policy:
    """Turn a parsed TOML file into a checked policy.

    file: its path, used in error messages and for the name. messages: the catalogue's keys and traits.
    Raises PolicyError with every problem of the file at once.
    """
    report = _Report(file)
    head = _read_head(_Table(data, report, None, _POLICY_KEYS))
    promises = _read_promises(data.get("promises", {}), report)
    reactions = _read_reactions(data.get("reactions", {}), report, messages)
    steps = _read_steps(data.get("step"), report, messages, head.window)
    plans = _nominal_plans(steps, head.window)
    policy = head.model_copy(
        update={
            "promises": promises,
            "reactions": reactions,
            "steps": tuple(_with_distance(step, plans) for step in steps),
        }
    )
    _check_order(steps, plans, report)
    _check_ends(policy, report)
    _check_proof(policy, plans, report)
    _check_threats(policy, report, messages)
    if report.problems:
        raise PolicyError(tuple(report.problems))
    return policy


# --- reading, one table of the file at a time ---------------------------------------------------------------


class _Report:
    """Gathers the problems of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, step: str | None, reason: str) -> None:
        problem = Problem(file=self.file, step=step, reason=reason)
        if problem not in self.problems:
            self.problems.append(problem)


class _Table:
    """One table of the file. A value of the wrong kind is reported, then read as if it were missing."""

    def __init__(self, data: object, report: _Report, step: str | None, keys: Sequence[str]) -> None:
        self.report, self.step = report, step
        self.data: Mapping[str, object] = data if isinstance(data, Mapping) else {}
        for key in self.data:
            if key not in keys:
                self.bad(str(key), f"is unknown{_meant(str(key), keys)}")

    def bad(self, key: str, reason: str) -> None:
        self.report.add(self.step, f"{key} {reason}")

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None:
            self._wrong(key, value, "a text in quotes")
        return None

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self.data.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._wrong(key, value, f"a whole number from {low} to {high}")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(key, value, 'a list of texts: ["...", "..."]')
            return ()
        for item in sorted({item for item in value if value.count(item) > 1}):
            self.bad(key, f"names {item!r} more than once: once is enough")
        return tuple(dict.fromkeys(value))

    def word(self, key: str, allowed: Sequence[_Word]) -> _Word | None:
        value = self.text(key)
        return None if value is None else self._known(key, value, allowed)

    def words(self, key: str, allowed: Sequence[_Word]) -> tuple[_Word, ...]:
        found = (self._known(key, value, allowed) for value in self.texts(key))
        return tuple(word for word in found if word is not None)

    def _known(self, key: str, value: str, allowed: Sequence[_Word]) -> _Word | None:
        for word in allowed:
            if word == value:
                return word
        self.bad(key, f"{value!r} is unknown: use {' or '.join(allowed)}{_meant(value, allowed)}")
        return None

    def _wrong(self, key: str, value: object, wanted: str) -> None:
        shown = repr(value)
        self.bad(key, f"must be {wanted}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")


_POLICY_KEYS = (
    *("name", "version", "title", "language", "warnings_before_restriction", "window", "gap_days"),
    *("hold", "unknown_email", "floor", "promises", "reactions", "step"),
)
_STEP_KEYS = (
    *("id", "when", "to", "by", "message", "late"),
    *("access", "needs", "announces", "stage", "ends"),
)


def _read_head(table: _Table) -> Policy:
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
        hold=table.word("hold", (Level.WORK,)),
        floor=_read_floor(table),
        steps=(),
    )


def _read_name(table: _Table) -> str:
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


def _read_window(table: _Table) -> tuple[time, time]:
    text = table.text("window") or "09:00-17:00"
    found = re.fullmatch(r"(\d{2}:\d{2})\s*-\s*(\d{2}:\d{2})", text)
    try:
        if found is None:
            raise ValueError(f'{text!r} is not understood: write "09:00-17:00"')
        opens, closes = _clock(found[1]), _clock(found[2])
        if not EARLIEST <= opens <= LATEST or not EARLIEST <= closes <= LATEST:
            raise ValueError(
                f"{text!r} leaves the hours in which people may be contacted: stay in 08:00-21:00"
            )
        if _minutes(closes) - _minutes(opens) < 60:
            raise ValueError(f"{text!r} is too short: open for an hour at least, the earlier time first")
    except ValueError as error:
        table.bad("window", str(error))
        return time(9), time(17)
    return opens, closes


def _read_floor(table: _Table) -> Decimal | None:
    value = table.data.get("floor")
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
        table.bad("floor", f'must be a positive amount in quotes, such as "100.00", not {value!r}')
        return None
    return floor


def _read_promises(data: object, report: _Report) -> PromiseRules:
    if not isinstance(data, Mapping):
        report.add(None, "promises must be a table: write [promises] and its keys below")
    table = _Table(data, report, None, tuple(PromiseRules.model_fields))
    usual = PromiseRules()
    return PromiseRules(
        limit=table.whole("limit", usual.limit, 0, 10),
        max_days=table.whole("max_days", usual.max_days, 1, 90),
        grace_days=table.whole("grace_days", usual.grace_days, 0, 10),
    )


def _read_reactions(data: object, report: _Report, messages: Mapping[str, Trait]) -> Reactions:
    if not isinstance(data, Mapping):
        report.add(None, "reactions must be a table: write [reactions] and its keys below")
    events = tuple(Reactions.model_fields)
    table = _Table(data, report, None, events)
    chosen = {event: _read_message(table, event, messages) for event in events}
    for event, key in chosen.items():
        trait = messages.get(key or "", Trait())
        if trait.asks and event in _QUIET:
            table.bad(
                event,
                f"{key!r} asks for payment, which is wrong at that moment: name a message that does not",
            )
        if trait.announces or trait.states:
            table.bad(
                event, f"{key!r} speaks of a consequence, and a reaction has none: name another message"
            )
    return Reactions.model_validate(chosen)


def _read_message(table: _Table, field: str, messages: Mapping[str, Trait]) -> str | None:
    key = table.text(field)
    if key is not None and key not in messages:
        table.bad(field, f"{key!r} is in no catalogue{_meant(key, messages)}")
    return key


def _read_steps(
    data: object, report: _Report, messages: Mapping[str, Trait], window: tuple[time, time]
) -> list[Step]:
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
        table = _Table(item, report, label, _STEP_KEYS)
        step = _read_step(table, label, messages)
        _check_anchor(step, position, labels, report)
        _check_parts(step, table, window)
        steps.append(step)
    return steps


def _label(item: Mapping[str, object], position: int) -> str:
    """The id of a step, or its number where it has none that can be shown."""
    value = item.get("id")
    return value if isinstance(value, str) and value else str(position)


def _read_step(table: _Table, label: str, messages: Mapping[str, Trait]) -> Step:
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
        late=table.word("late", tuple(Late)) or Late.SEND,
        access=table.word("access", tuple(Level)),
        needs=_read_needs(table),
        announces=table.texts("announces"),
        stage=table.word("stage", (Stage.LEGAL,)),
        ends=table.word("ends", (Stage.HANDED_OVER, Stage.WRITTEN_OFF)),
        asks=messages.get(message, Trait(asks=True)).asks if message else False,
    )


_UNREADABLE = When(anchor="")
"""Stands for a `when` that was refused, so that the other checks can go on without it."""


def _read_when(table: _Table) -> When:
    text = table.text("when")
    if text is None:
        if "when" not in table.data:
            table.bad("when", f"is missing: {_WHEN_FORMS}")
        return _UNREADABLE
    try:
        return When.read(text)
    except ValueError as error:
        table.bad("when", str(error))
        return _UNREADABLE


def _read_needs(table: _Table) -> Needs | None:
    text = table.text("needs")
    if text is None:
        return None
    found = _NEEDS.fullmatch(text.strip())
    if found is None or int(found["count"]) < 1 or int(found["days"]) < 1:
        table.bad(
            "needs", f'{text!r} is not understood: write "2 delivered warnings, 3 days apart", 1 or more'
        )
        return None
    return Needs(delivered_warnings=int(found["count"]), days=int(found["days"]))


# --- checks of one step -------------------------------------------------------------------------------------


def _check_anchor(step: Step, position: int, labels: Sequence[str], report: _Report) -> None:
    anchor, above = step.when.anchor, (*DATES, *labels[:position])
    if step.when == _UNREADABLE or anchor in above:
        return
    if anchor == step.id:
        reason = "counts from itself: count from due, issued or a step above"
    elif anchor in labels:
        reason = f"counts from {anchor!r}, a step below, so it can never be reached: move {anchor!r} up"
    else:
        reason = f"counts from {anchor!r}, which is not due, issued or a step above{_meant(anchor, above)}"
    report.add(step.id, f"when {reason}")


def _check_parts(step: Step, table: _Table, window: tuple[time, time]) -> None:
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
    if step.ends and step.late is Late.SKIP:
        table.bad("late", 'must not be "skip" on the end, or the case would stay open for ever')


# --- checks of the whole ladder -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Nominal:
    """Where a step would fall for one weekday of the due date, in a country without holidays.

    `paper` is counted as if people worked every day, `at` is moved to a business day as contacts are.
    """

    paper: datetime
    at: datetime


@dataclass(frozen=True)
class _Plan:
    """The seven nominal places of a step, one for each weekday of its root: "due" or "issued"."""

    root: str
    places: tuple[_Nominal, ...]


_MONDAY = date(2024, 1, 1)


def _nominal_plans(steps: Sequence[Step], window: tuple[time, time]) -> dict[str, _Plan]:
    """Where each step falls. Steps whose anchor is unknown are left out: they are refused already."""
    calendar = BusinessCalendar(zone=ZoneInfo("UTC"), opens=window[0], closes=window[1])
    plans: dict[str, _Plan] = {}
    for step in steps:
        anchor = step.when.anchor
        if step.id in plans or (anchor not in DATES and anchor not in plans):
            continue
        if anchor in DATES:
            roots = [_MONDAY + timedelta(days=shift) for shift in range(7)]
            starts = [_Nominal(calendar.at(day, window[0]), calendar.place(day, None)) for day in roots]
        else:
            starts = list(plans[anchor].places)
        root = anchor if anchor in DATES else plans[anchor].root
        plans[step.id] = _Plan(root, tuple(_nominal(step.when, start, calendar) for start in starts))
    return plans


def _nominal(when: When, start: _Nominal, calendar: BusinessCalendar) -> _Nominal:
    if when.unit == "hours":
        later = timedelta(hours=when.offset)
        return _Nominal(start.paper + later, calendar.next_open(start.at + later))
    paper = calendar.at(when.day(start.paper.date(), calendar), when.at or calendar.opens)
    counted_from = start.paper if when.anchor in DATES else start.at
    return _Nominal(paper, calendar.place(when.day(counted_from.date(), calendar), when.at))


def _with_distance(step: Step, plans: Mapping[str, _Plan]) -> Step:
    plan = plans.get(step.id)
    if plan is None:
        return step.model_copy(update={"days_after_due": 1})  # refused already; spare it further remarks
    if plan.root != "due":
        return step
    fewest = min((place.paper.date() - _MONDAY).days - weekday for weekday, place in enumerate(plan.places))
    return step.model_copy(update={"days_after_due": fewest})


def _check_order(steps: Sequence[Step], plans: Mapping[str, _Plan], report: _Report) -> None:
    above: Step | None = None
    for step in steps:
        plan = plans.get(step.id)
        if plan is None:
            continue
        before = plans[above.id] if above else None
        if above and before and before.root == "due" and plan.root == "issued":
            report.add(
                step.id, f"when counts from issued below {above.id!r}, which counts from due: move it up"
            )
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


def _check_ends(policy: Policy, report: _Report) -> None:
    ended: Step | None = None
    for step in policy.steps:
        if ended:
            report.add(step.id, f"stands below {ended.id!r}, which ends the case: it can never be reached")
        ended = ended or (step if step.ends else None)
        if (step.consequence or step.ends) and not step.chasing:
            report.add(
                step.id, f"{step.does} must come after the due date: count from due or from a later step"
            )


def _check_proof(policy: Policy, plans: Mapping[str, _Plan], report: _Report) -> None:
    """Nothing is taken away before the promised number of written warnings (and their proof)."""
    wanted = policy.warnings_before_restriction
    for position, step in enumerate(policy.steps):
        earlier = policy.steps[:position]
        # Below the floor a step that announces only a hand-over is left out, so it is no sure warning.
        sure = [
            one
            for one in earlier
            if one.warning
            and not (policy.floor and step.restricts and _announces_only_grave(one, policy.steps))
        ]
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
            report.add(
                step.id, f'needs is missing: write needs = "{wanted} delivered warnings, 3 days apart"'
            )
        elif step.needs.delivered_warnings < wanted:
            report.add(
                step.id,
                f"needs only {_count(step.needs.delivered_warnings, 'delivered warning')}, but "
                f"warnings_before_restriction is {wanted}: ask for {wanted} or more",
            )


def _check_needs(
    step: Step, needs: Needs, warnings: Sequence[Step], plans: Mapping[str, _Plan], report: _Report
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


def _check_threats(policy: Policy, report: _Report, messages: Mapping[str, Trait]) -> None:
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
    step: Step, position: int, policy: Policy, report: _Report, messages: Mapping[str, Trait]
) -> None:
    trait = messages.get(
        step.message or ""
    )  # None too when the message is unknown, which is reported already
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
            report.add(step.id, f"announces {name!r}, which is no step below it{_meant(name, later)}")
        elif not later[name].consequence:
            report.add(
                step.id,
                f"announces {name!r}, which takes nothing away, an empty threat: give {name!r} a consequence "
                'such as access = "restricted", or announce nothing',
            )


def _check_statement(step: Step, report: _Report, messages: Mapping[str, Trait]) -> None:
    states = messages.get(step.message or "", Trait()).states
    if states and states != step.does:
        done = f"does {step.does}" if step.does else "changes nothing"
        report.add(step.id, f"message {step.message!r} says that {states} has happened, but the step {done}")
    elif step.restricts and not states and (step.message is None or step.message in messages):
        report.add(
            step.id,
            f"access {str(step.access)!r} without a word about it: add a message that states {step.access}",
        )


# --- words --------------------------------------------------------------------------------------------------


def _announces_only_grave(step: Step, steps: Iterable[Step]) -> bool:
    announced = [one for one in steps if one.id in step.announces]
    return bool(announced) and all(one.grave for one in announced)


def _unit(word: str | None) -> Unit:
    if word is not None and word.startswith("business"):
        return "business_days"
    return "hours" if word is not None and word.startswith("hour") else "days"


def _clock(text: str) -> time:
    """A time written as 10:00. Raises ValueError naming the text."""
    hour, minute = int(text[:2]), int(text[3:])
    if hour > 23 or minute > 59:
        raise ValueError(f"{text!r} is no time of day: write hours and minutes such as 09:30")
    return time(hour, minute)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _span(window: tuple[time, time]) -> str:
    return f"{window[0]:%H:%M}-{window[1]:%H:%M}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {str(close[0])!r}?" if close else ""
