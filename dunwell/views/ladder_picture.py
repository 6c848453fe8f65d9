"""Draws a policy's ladder as SVG: its steps on an axis of days, coloured by firmness.

    svg = picture(policy)

The sample invoice is issued on a Monday, due four weeks later, and never paid. There are no holidays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from zoneinfo import ZoneInfo

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.channels import BY_PERSON
from dunwell.domain.ladder import PreviewLine, Standing, preview
from dunwell.domain.policy import Policy, Step
from dunwell.domain.terms import Access

ISSUED, DUE = date(2024, 1, 1), date(2024, 1, 29)
_MUCH = Decimal(10) ** 9  # above every floor, so that no step is skipped

_WIDTH, _LEFT, _RIGHT = 960, 40, 40
_ROW, _TOP, _BELOW = 20, 44, 118
_LETTER = 7.4  # pixels for a character of a label, rounded up

_FIRMNESS = {
    "informs": "#7b8794",
    "asks before it is late": "#2f7fb8",
    "asks": "#2b8a5f",
    "warns": "#d9822b",
    "does": "#c0392b",
}
_BANDS = {Access.FULL: "#d5eee2", Access.RESTRICTED: "#f6d9b0", Access.SUSPENDED: "#efb8b0"}


def sample(policy: Policy) -> tuple[PreviewLine, ...]:
    """Return when each step is due for the sample invoice, with UTC as the customer's zone."""
    calendar = BusinessCalendar(zone=ZoneInfo("UTC"), opens=policy.window[0], closes=policy.window[1])
    standing = Standing(issued_on=ISSUED, due_on=DUE, open_amount=_MUCH)
    return preview(policy, standing, calendar, datetime.combine(ISSUED, policy.window[0], tzinfo=UTC))


def days_from_due(line: PreviewLine) -> int:
    """Return the days from the due date to the step; negative before the due date."""
    return (line.at.date() - DUE).days


def firmness(step: Step) -> str:
    """Return the entry of the legend for a step."""
    if step.does:
        return "does"
    if step.announces:
        return "warns"
    if not step.asks:
        return "informs"
    return "asks" if step.chasing else "asks before it is late"


def picture(policy: Policy) -> str:
    """Return the SVG text for a policy."""
    lines = sample(policy)
    scale = _Scale.of([days_from_due(line) for line in lines])
    labels = _placed(policy, lines, scale)
    axis = _TOP + _ROW * (max(label.row for label in labels) + 1) + 14
    height = axis + _BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="t" font-family="system-ui, sans-serif" font-size="12">',
        f'<title id="t">{escape(policy.title)}: {len(lines)} steps over {scale.last - scale.first} days</title>',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(_LEFT, 24, policy.title, size=15, weight="bold"),
        *_weekends(scale, axis),
        *_ticks(scale, axis),
        *(mark for label in labels for mark in label.drawn(axis)),
        *_access(policy, lines, scale, axis + 34),
        *_legend(axis + 96),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Scale:
    """Converts days to pixels."""

    first: int
    last: int

    @classmethod
    def of(cls, days: Sequence[int]) -> "_Scale":
        return cls(min(0, *days) - 2, max(0, *days) + 3)

    def x(self, day: float) -> float:
        room = _WIDTH - _LEFT - _RIGHT
        return round(_LEFT + room * (day - self.first) / (self.last - self.first), 1)


@dataclass(frozen=True)
class _Label:
    """The mark of a step on the axis and its name above it. `row` counts from the top."""

    text: str
    x: float
    start: float
    row: int
    colour: str
    by_person: bool

    def drawn(self, axis: float) -> Iterator[str]:
        y = _TOP + self.row * _ROW
        yield f'<path d="M{self.x} {y + 5}V{axis - 7}" stroke="{self.colour}" stroke-opacity=".45"/>'
        if self.by_person:
            diamond = f"M{self.x} {axis - 8}l8 8l-8 8l-8-8z"
            yield f'<path d="{diamond}" fill="{self.colour}"/>'
        else:
            yield f'<circle cx="{self.x}" cy="{axis}" r="6.5" fill="{self.colour}"/>'
        yield _text(self.start, y, self.text, colour=self.colour, weight="600")


def _placed(policy: Policy, lines: Sequence[PreviewLine], scale: _Scale) -> list[_Label]:
    """Return the labels, each in the row nearest to the axis where it overlaps no name and no line to a name."""
    labels: list[_Label] = []
    for line in lines:
        step = policy.step(line.step)
        x, width = scale.x(days_from_due(line)), len(line.step) * _LETTER
        start = round(min(max(x - 6, 4), _WIDTH - width - 4), 1)
        by_person = bool(step.by) and step.by[0] in BY_PERSON
        labels.append(_Label(line.step, x, start, 0, _FIRMNESS[firmness(step)], by_person))
    rows = rows_of([(one.x, one.start, one.start + len(one.text) * _LETTER) for one in labels])
    return [replace(one, row=max(rows) - row) for one, row in zip(labels, rows, strict=True)]


def rows_of(labels: Sequence[tuple[float, float, float]]) -> list[int]:
    """Return the row of each label, counted from the axis up, where it overlaps no label and no line to one.

    A label is its mark on the axis, and where its text starts and ends; they come from left to right.
    """
    placed: list[tuple[float, float, float, int]] = []
    for x, start, end in reversed(labels):
        row = 0
        while any(_touch(other, start, end, row) for other in placed):
            row += 1
        placed.append((x, start, end, row))
    return [row for *_, row in reversed(placed)]


def _touch(other: tuple[float, float, float, int], start: float, end: float, row: int) -> bool:
    x, other_start, other_end, other_row = other
    same_row = other_row == row and start < other_end + 8 and other_start - 8 < end
    crossed = other_row > row and start - 4 < x < end + 4
    return same_row or crossed


def _weekends(scale: _Scale, axis: float) -> Iterator[str]:
    for day in range(scale.first, scale.last):
        if (DUE + timedelta(days=day)).weekday() == 5:
            x, width = scale.x(day), scale.x(day + 2) - scale.x(day)
            yield f'<rect x="{x}" y="{axis - 12}" width="{width:.1f}" height="24" fill="#eef1f4"/>'


def _ticks(scale: _Scale, axis: float) -> Iterator[str]:
    yield f'<path d="M{_LEFT} {axis}H{_WIDTH - _RIGHT}" stroke="#9aa5b1" stroke-width="1.5"/>'
    every = 7 if scale.last - scale.first <= 110 else 14
    for day in range(-(-scale.first // every) * every, scale.last + 1, every):
        x = scale.x(day)
        yield f'<path d="M{x} {axis + 9}v5" stroke="#9aa5b1"/>'
        yield _text(x, axis + 26, "due" if day == 0 else f"{day:+d}", anchor="middle", colour="#52606d")


def _access(policy: Policy, lines: Sequence[PreviewLine], scale: _Scale, y: float) -> Iterator[str]:
    """Yield the bands that show the account's access, from the first day to the last."""
    changes = [(scale.first, Access.FULL)]
    for line in lines:
        if policy.step(line.step).restricts and line.access is not None:
            changes.append((days_from_due(line), Access(line.access.value)))
    for place, (day, access) in enumerate(changes):
        end = changes[place + 1][0] if place + 1 < len(changes) else scale.last
        x, width = scale.x(day), scale.x(end) - scale.x(day)
        yield f'<rect x="{x}" y="{y}" width="{width:.1f}" height="22" fill="{_BANDS[access]}"/>'
        yield _text(x + 8, y + 15, f"access: {access.value}" if place == 0 else access.value)
    if policy.hold:
        yield _text(_WIDTH - _RIGHT - 8, y + 15, "the next stage of the work waits until it is paid", anchor="end")


def _legend(y: float) -> Iterator[str]:
    x = float(_LEFT)
    for word, colour in _FIRMNESS.items():
        yield f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="{colour}"/>'
        yield _text(x + 15, y, word, colour="#52606d")
        x += 30 + len(word) * _LETTER
    yield f'<path d="M{x + 6} {y - 11}l7 7l-7 7l-7-7z" fill="none" stroke="#52606d" stroke-width="1.5"/>'
    yield _text(x + 18, y, "a person calls, visits or meets", colour="#52606d")
    end = _WIDTH - _RIGHT
    yield _text(end, y, "days from the due date", anchor="end", colour="#52606d")


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: str = "normal",
    colour: str = "#1f2933",
    anchor: str = "start",
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
