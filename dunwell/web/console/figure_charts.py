"""Draws the figures as SVG. Colours are in the CSS, by class; a table beside each chart says the same in numbers."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 14, 26
_BAR, _LABEL = 30, 150  # height of a horizontal bar with its gap, and the width of its label
_LINES = 4

Item = Mapping[str, Any]


def ageing_chart(ageing: Sequence[Item], currency: str) -> Markup:
    """Return what is open in each bucket as a horizontal bar."""
    bars = [(one["bucket"], Decimal(one["open"]), f"b{place}") for place, one in enumerate(ageing)]
    return _bars("ageing", f"Open receivables by days late, {currency}", bars)


def steps_chart(steps: Sequence[Item], by_itself: Item, currency: str) -> Markup:
    """Return the money that followed each step as a horizontal bar."""
    bars = [(f"{one['step']}", Decimal(one["amount"]), "step") for one in steps]
    bars.append(("by itself", Decimal(by_itself["amount"]), "alone"))
    return _bars("steps", f"Money of the period by the step before it, {currency}", bars)


def _bars(name: str, title: str, bars: Sequence[tuple[str, Decimal, str]]) -> Markup:
    most = max((amount for _, amount, _ in bars), default=Decimal(0)) or Decimal(1)
    room = _WIDTH - _LABEL - 130
    parts = []
    for place, (label, amount, kind) in enumerate(bars):
        y, width = place * _BAR, float(amount / most * room)
        parts.append(
            f'<text class="label" x="{_LABEL - 8}" y="{y + 19}">{escape(label)}</text>'
            f'<rect class="{kind}" x="{_LABEL}" y="{y + 4}" width="{max(width, 0.5):.1f}" height="{_BAR - 8}"/>'
            f'<text x="{_LABEL + width + 8:.1f}" y="{y + 19}">{amount:,}</text>'
        )
    return _svg(name, title, len(bars) * _BAR + 2, parts)


def trend_chart(trend: Sequence[Item], currency: str) -> Markup:
    """Return what was open at the end of each month, late money at the bottom of each column."""
    totals = [Decimal(one["open"]) for one in trend]
    scale = _Scale(max(totals, default=Decimal(0)))
    parts = list(scale.lines())
    for x, width, one in _columns(trend):
        below = Decimal(0)
        buckets = list(enumerate(one["ageing"].values()))
        for place, text in reversed(buckets):  # the latest money stands lowest
            amount = Decimal(text)
            top, height = scale.y(below + amount), scale.y(below) - scale.y(below + amount)
            if amount > 0:
                parts.append(
                    f'<rect class="b{place}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                )
            below += amount
        parts.append(_month(x + width / 2, one["day"]))
    return _svg("trend", f"Open receivables at the end of each month, by days late, {currency}", _HEIGHT, parts)


def days_chart(trend: Sequence[Item]) -> Markup:
    """Return DSO and BPDSO at the end of each month as lines; what lies between them is ADD."""
    names = ("dso", "bpdso")
    known = [Decimal(one[name]) for one in trend for name in names if one[name] is not None]
    scale = _Scale(max(known, default=Decimal(0)))
    parts = list(scale.lines())
    columns = list(_columns(trend))
    for name in names:
        points = [(x + width / 2, scale.y(Decimal(one[name]))) for x, width, one in columns if one[name] is not None]
        if points:
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            parts.append(f'<path class="line {name}" d="M{path}"/>')
            parts += [_point(x, y, name) for x, y in points]
    parts += [_month(x + width / 2, one["day"]) for x, width, one in columns]
    return _svg("days", "DSO and best possible DSO at the end of each month, in days", _HEIGHT, parts)


def _point(x: float, y: float, name: str) -> str:
    """A circle for DSO and a square for BPDSO, so that nobody needs to tell colours apart."""
    if name == "dso":
        return f'<circle class="point dso" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    return f'<rect class="point bpdso" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'


class _Scale:
    """The upright axis, from zero to a round number above `most`."""

    def __init__(self, most: Decimal) -> None:
        self.step = _round_up(most / _LINES) if most > 0 else Decimal(1)
        self.top = self.step * _LINES

    def y(self, value: Decimal) -> float:
        return float(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / self.top)

    def lines(self) -> Iterator[str]:
        for place in range(_LINES + 1):
            value = self.step * place
            y = self.y(value)
            yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
            if place:
                yield f'<text class="tick" x="{_LEFT}" y="{y - 4:.1f}">{_plain(value)}</text>'


def _round_up(value: Decimal) -> Decimal:
    """Return the next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = Decimal(10) ** value.adjusted()
    return next(power * factor for factor in map(Decimal, ("1", "2", "2.5", "5", "10")) if power * factor >= value)


def _plain(value: Decimal) -> str:
    whole = value.to_integral_value()
    return f"{whole:,}" if value == whole else f"{value.normalize():f}"


def _columns(trend: Sequence[Item]) -> Iterator[tuple[float, float, Item]]:
    """Yield left edge, width and item of each column."""
    left = _LEFT + 60
    room = (_WIDTH - left - _RIGHT) / max(len(trend), 1)
    width = min(room * 0.62, 46)
    for place, one in enumerate(trend):
        yield left + room * place + (room - width) / 2, width, one


def _month(x: float, day: str) -> str:
    end = date.fromisoformat(day)
    return f'<text class="month" x="{x:.1f}" y="{_HEIGHT - 8}">{end.day} {end:%b}</text>'


def _svg(name: str, title: str, height: int, parts: Sequence[str]) -> Markup:
    drawn = f"chart-{name}"
    return Markup(
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="{drawn}"><title id="{drawn}">{escape(title)}</title>{"".join(parts)}</svg>'
    )
