"""Tokens of customers' links, what a link lets its holder tell, and when it ends."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.links import LIFE, SAMPLE, LinkKind, Scope, expiry, hash_of, token_of
from dunwell.domain.principals import NotAllowed, Right, link_principal

SECRET, OTHER = "a secret of some length", "another secret of some length"
IDS = [f"{number:032x}" for number in range(300)]
NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (LinkKind.PAGE, r"[0-9A-Za-z]{22}"),
        (LinkKind.RESTRICTION, r"[0-9A-Za-z]{22}"),
        (LinkKind.REPLY, r"[2-7a-z]{26}"),
    ],
)
def test_a_token_is_made_again_of_the_same_parts_and_of_no_others(kind: LinkKind, form: str) -> None:
    tokens = [token_of(SECRET, kind, one) for one in IDS]
    assert tokens == [token_of(SECRET, kind, one) for one in IDS]
    assert len(set(tokens)) == len(IDS) and all(re.fullmatch(form, one) for one in tokens)
    assert not set(tokens) & {token_of(OTHER, kind, one) for one in IDS}
    assert not set(tokens) & {token_of(SECRET, other, one) for other in LinkKind if other is not kind for one in IDS}


def test_every_sign_of_a_token_varies() -> None:
    tokens = [token_of(SECRET, LinkKind.PAGE, one) for one in IDS]
    # 62 ** 22 is 7.8 times 2 ** 128, so the last sign is one of the first eight and all others are any.
    assert [len({token[place] for token in tokens}) > 40 for place in range(22)] == [True] * 21 + [False]
    assert len({token[21] for token in tokens}) == 8


def test_the_sample_is_as_long_as_a_token_and_the_hash_is_not_the_token() -> None:
    token = token_of(SECRET, LinkKind.PAGE, IDS[0])
    assert len(SAMPLE) == len(token)
    assert re.fullmatch("[0-9a-f]{64}", hash_of(SECRET, token)) and hash_of(SECRET, token) != hash_of(OTHER, token)
    assert (
        len({hash_of(SECRET, one) for one in (token, token + "x", token[:-1], token.swapcase(), "", "x" * 99)}) == 6
    )
    hash_of(SECRET, "\ud800" * 100_000)


@pytest.mark.parametrize(
    ("settled", "ends"),
    [
        ([], NOW + LIFE),
        ([None], None),
        ([NOW + timedelta(days=9), None], None),
        ([NOW + timedelta(days=9), NOW + timedelta(days=5)], NOW + timedelta(days=69)),
        ([NOW - timedelta(days=9)], NOW + LIFE),  # a message about a settled invoice lives on from its own day
    ],
)
def test_a_link_ends_sixty_days_after_the_last_of_its_invoices_was_settled(
    settled: list[datetime | None], ends: datetime | None
) -> None:
    assert expiry(NOW, settled) == ends


def test_a_holder_tells_what_the_scopes_of_the_link_allow_and_nothing_else() -> None:
    told = {
        event: {scope for scope in Scope if _may_tell(event, scope)}
        for event in PERSONAL_DECISIONS
        if any(_may_tell(event, scope) for scope in Scope)
    }
    known = {
        "promise_to_pay": {Scope.PROMISE},
        "payment_plan_agreed": {Scope.PROMISE},
        "grace_granted": {Scope.PROMISE},
        "dispute_opened": {Scope.DISPUTE},
        "payment_announced": {Scope.PAY},
        "call_requested": {Scope.CONTACT},
    }
    assert told == {event: scopes for event, scopes in known.items() if event in PERSONAL_DECISIONS}


def test_a_holder_has_no_right_of_those_who_sign_in() -> None:
    holder = link_principal("l1", "C-1", "C-1.user.1", list(Scope))
    assert not holder.rights and not any(holder.may(right) for right in Right)
    for right in Right:
        with pytest.raises(NotAllowed, match="signed in"):
            holder.check(right)


def test_a_holder_is_named_without_the_customers_id() -> None:
    holder = link_principal("l1", "4930123456", "4930123456.accounts_payable.2", ())
    assert (holder.label, holder.id) == ("link of accounts_payable.2", "4930123456.accounts_payable.2")
    assert (holder.credential, holder.role) == ("l1", None)
    assert link_principal("l1", "C-1", None, ()).label == "restriction page"


def _may_tell(event: str, scope: Scope) -> bool:
    try:
        link_principal("l1", "C-1", "C-1.user.1", [scope]).check_telling(event, {"amount": "1.00"})
    except NotAllowed:
        return False
    return True
