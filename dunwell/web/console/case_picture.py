"""Draws the ladder of one case as SVG: its steps on an axis of days, by where they stand. Colours are in the CSS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from dunwell.views.case_ladder import LadderStep, Place
from dunwell.views.ladder_picture import rows_of

_WIDTH, _LEFT, _RIGHT = 960, 30, 30
_ROW, _TOP, _BELOW = 20, 22, 42
_LETTER = 7.4  # pixels for a character of a label, rounded up
_CLASSES = {Place.DONE: "done", Place.SKIPPED: "skipped", Place.NEXT: "next", Place.COMING: "coming"}


@dataclass(frozen=True)
class _Axis:
    first: date
    last: date

    def x(self, day: date) -> float:
        days = (self.last - self.first).days
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (day - self.first).days / days, 1)


def case_picture(steps: Sequence[LadderStep], due_on: date, now: datetime, zone: str) -> Markup:
    """Return the picture; the table beside it says the same in words."""
    local = ZoneInfo(zone)
    shown = [(one, one.at.astimezone(local).date()) for one in steps if one.at is not None]
    shown.sort(key=lambda pair: pair[1])
    today = now.astimezone(local).date()
    days = [due_on, today, *(day for _, day in shown)]
    axis = _Axis(min(days) - timedelta(days=2), max(days) + timedelta(days=2))
    starts = [min(max(axis.x(day) - 6, 2), _WIDTH - len(one.step) * _LETTER - 2) for one, day in shown]
    rows = rows_of(
        [
            (axis.x(day), start, start + len(one.step) * _LETTER)
            for (one, day), start in zip(shown, starts, strict=True)
        ]
    )
    line = _TOP + _ROW * (max(rows, default=0) + 1) + 12
    counts = {place: sum(one.place is place for one in steps) for place in _CLASSES}
    title = ", ".join(f"{number} {place.value}" for place, number in counts.items() if number)
    parts = [
        f'<svg class="ladder" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {line + _BELOW}" role="img" '
        'aria-labelledby="ladder-drawn">',
        f'<title id="ladder-drawn">The steps of the ladder: {escape(title)}</title>',
        f'<path class="axis" d="M{_LEFT} {line}H{_WIDTH - _RIGHT}"/>',
        *_ticks(axis, line),
        _mark(axis.x(due_on), line, "due", "due"),
        _mark(axis.x(today), line, "today", "today"),
    ]
    for (one, day), start, row in zip(shown, starts, rows, strict=True):
        x, y = axis.x(day), line - 16 - _ROW * row
        kind = _CLASSES[one.place]
        parts.append(f'<g class="{kind}"><path class="stem" d="M{x} {y + 4}V{line - 7}"/>')
        parts.append(_shape(one, x, line))
        parts.append(f'<text x="{start:.1f}" y="{y}">{escape(one.step)}</text></g>')
    parts.append("</svg>")
    return Markup("\n".join(parts))


def _shape(one: LadderStep, x: float, y: float) -> str:
    if one.does:
        return f'<path class="point" d="M{x} {y - 8}l8 8l-8 8l-8-8z"/>'
    return f'<circle class="point" cx="{x}" cy="{y}" r="6.5"/>'


def _ticks(axis: _Axis, line: float) -> Iterator[str]:
    length = (axis.last - axis.first).days
    every = 7 if length <= 110 else 14 if length <= 220 else 28
    monday = axis.first + timedelta(days=-axis.first.weekday() % 7)
    for shift in range(0, (axis.last - monday).days + 1, every):
        day = monday + timedelta(days=shift)
        x = axis.x(day)
        yield f'<path class="tick" d="M{x} {line + 8}v5"/>'
        yield f'<text class="day" x="{x}" y="{line + 26}">{day.day} {day:%b}</text>'


def _mark(x: float, line: float, kind: str, word: str) -> str:
    return (
        f'<g class="{kind}"><path class="line" d="M{x} {line - 12}v24"/>'
        f'<text class="word" x="{x}" y="{line + 40}">{word}</text></g>'
    )
