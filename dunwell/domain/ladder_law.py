"""Checks what a ladder claims against the law of the countries that it names at the top of its file."""

from collections.abc import Iterator, Mapping
from datetime import date

from dunwell.domain.governing_law import SELLER
from dunwell.domain.jurisdiction import FeeAllowed, FeeRule, Jurisdiction
from dunwell.domain.ladder_problems import Report
from dunwell.domain.policy import Fee, Policy
from dunwell.domain.spelling import hint
from dunwell.domain.terms import AccessoryRule, DebtorKind

_NEWEST = date.max
"""The rules that hold last; what held before is looked up when a message is written."""

_NO_BASIS = "it names no rule by which anybody owes more than the invoice for paying late"


def check_law(policy: Policy, laws: Mapping[str, Jurisdiction], report: Report) -> None:
    """Report countries without a law that is known, and claims that a law allows to nobody."""
    for code in policy.jurisdictions:
        law = laws.get(code)
        if law is None:
            report.add(None, f"jurisdictions names {code!r}, whose law has no file{hint(code, laws)}")
        elif not law.complete and (
            policy.accessory is AccessoryRule.ASK_ONCE or any(step.claims for step in policy.steps)
        ):
            missing = "; ".join(law.missing)
            report.add(
                None, f"jurisdictions names {code!r}, whose law is not complete, so it claims nothing: {missing}"
            )
        else:
            _check_steps(policy, law, report)
            if policy.accessory is AccessoryRule.ASK_ONCE and not _owes_more(law):
                report.add(None, f'accessory = "ask_once" is refused by the law of {code}: {_NO_BASIS}')


def _check_steps(policy: Policy, law: Jurisdiction, report: Report) -> None:
    reminders = [step.id for step in policy.steps if step.warning]
    for step in policy.steps:
        if step.fee is not None:
            for reason in _refused(step.fee, list(_fee_rules(law)), first=reminders[:1] == [step.id]):
                report.add(step.id, f"fee is refused by the law of {law.code}: {reason}")
        if step.lump_sum and not _gives_lump_sum(law):
            report.add(step.id, f"lump_sum is refused by the law of {law.code}, which gives none")


def _fee_rules(law: Jurisdiction) -> Iterator[FeeRule]:
    """The rules for fees, of whatever kind of customer."""
    for kind in DebtorKind:
        rule = law.fee_rule(kind, SELLER, _NEWEST)
        if rule is not None:
            yield rule


def _refused(fee: Fee, rules: list[FeeRule], *, first: bool) -> Iterator[str]:
    """Why the law allows the fee to nobody."""
    allowed = [rule for rule in rules if rule.allowed is not FeeAllowed.NEVER]
    basis = ", ".join(dict.fromkeys(rule.basis for rule in rules if rule.basis)) or "as it is known here"
    if not allowed:
        yield f"no fee for a reminder may be asked for ({basis})"
    elif first and all(rule.first_free for rule in allowed):
        yield f"the first reminder is free ({basis}): move the fee to a later step"
    most = [rule.at_most for rule in allowed if rule.at_most is not None and rule.currency == fee.currency]
    if allowed and len(most) == len(allowed) and fee.amount > max(most):
        yield f"{fee} is more than {max(most)} {fee.currency}, the most that it allows ({basis})"


def _owes_more(law: Jurisdiction) -> bool:
    """Whether the law is known by which somebody owes more than the invoice for paying late."""
    interest = [law.interest_rule(kind, SELLER, _NEWEST) for kind in DebtorKind]
    lump_sums = [law.lump_sum_rule(kind, SELLER, _NEWEST) for kind in DebtorKind]
    return any(rule is not None and rule.basis for rule in (*interest, *lump_sums, *_fee_rules(law)))


def _gives_lump_sum(law: Jurisdiction) -> bool:
    rules = [law.lump_sum_rule(kind, SELLER, _NEWEST) for kind in DebtorKind]
    return any(rule is not None and (rule.amount or rule.bands) for rule in rules)
