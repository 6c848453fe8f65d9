"""Which of two contacts are one person, and who is written to about an invoice."""

from typing import Any

import pytest

from dunwell.domain.people import Naming, Person, asked, find, new_id
from dunwell.domain.terms import Role
from tests.builders import a_contact, at

AP, USER = Role.ACCOUNTS_PAYABLE, Role.USER
NOW = at("2027-03-01 09:00")


def ada(number: int = 1, role: Role = AP, **changes: Any) -> Person:
    facts = {"name": "Ada Lind", "email": "ada@acme.example", "phone": "+4930111"}
    return Person(a_contact(role, number, **facts | changes))


def bob(number: int = 2, role: Role = AP, **changes: Any) -> Person:
    facts = {"name": "Bob Moss", "email": "bob@acme.example", "phone": "+4930111"}
    return Person(a_contact(role, number, **facts | changes))


@pytest.mark.parametrize(
    ("known", "given", "found"),
    [
        # a place in a list says nothing
        ([ada(1), bob(2)], bob(1), 2),
        ([ada(1), bob(2)], ada(2), 1),
        # a new address under the same name, a new name at the same address
        ([ada(1), bob(2)], ada(email="ada.lind@acme.example"), 1),
        ([ada(1), bob(2)], bob(name="Robert Moss"), 2),
        ([ada(1)], ada(email="ADA@ACME.example", name="A. Lind"), 1),
        # both new: somebody else, even at the switchboard they all share
        ([ada(1)], bob(), None),
        # without mailboxes the telephone decides
        ([ada(1, email=None)], bob(email=None), 1),
        # another role is another contact
        ([ada(1)], ada(role=USER), None),
        # of two who might be meant, the one who has all in common
        (
            [ada(1, name="Dependencies"), ada(2, email="b@acme.example", name="Dependencies")],
            ada(email="b@acme.example", name="Dependencies"),
            2,
        ),
        # a correction hides nobody: the record still says what it said
        (
            [Person(ada().contact, exported={"name": "Ada Old", "email": "old@acme.example"})],
            ada(name="Ada Old", email="old@acme.example"),
            1,
        ),
        # who left and comes back is the same as before
        ([Person(ada().contact, retired_at=NOW)], ada(), 1),
        ([], ada(), None),
    ],
)
def test_b1_who_is_who(known: list[Person], given: Person, found: int | None) -> None:
    person = find(known, given.contact)
    assert (person and int(person.contact_id.rpartition(".")[2])) == found


def test_b1_the_number_of_somebody_who_left_is_never_given_again() -> None:
    known = [Person(ada(1).contact, retired_at=NOW), bob(2)]
    assert new_id(known, a_contact(AP, 1), "acme") == "acme.accounts_payable.3"
    assert new_id(known, a_contact(AP, 7), "acme") == "acme.accounts_payable.7"
    assert new_id(known, a_contact(USER, 1), "acme") == "acme.user.1"


@pytest.mark.parametrize(
    ("people", "naming", "who"),
    [
        # those whom the record names
        ([ada(1), bob(2)], Naming(True, {"acme.accounts_payable.2": False}), ["Bob Moss"]),
        ([ada(1), bob(2)], Naming(True, {}), []),
        # a record that says nothing: the customer's
        ([ada(1), bob(2)], Naming(False, {}), ["Ada Lind", "Bob Moss"]),
        # but nobody who belongs to another invoice alone
        ([ada(1), Person(bob(2).contact, shared=False)], Naming(False, {}), ["Ada Lind"]),
        # a role that is named for this invoice alone is taken from nowhere else; other roles are
        (
            [ada(1), bob(2), ada(1, USER, name="Uma")],
            Naming(False, {"acme.accounts_payable.2": True}),
            ["Uma", "Bob Moss"],
        ),
        # whom one of us added is written to about every invoice
        (
            [ada(1), Person(bob(2).contact, added_by="agent-7")],
            Naming(True, {"acme.accounts_payable.1": False}),
            ["Ada Lind", "Bob Moss"],
        ),
        # nobody who left, or is closed, whatever the record says
        (
            [Person(ada(1).contact, retired_at=NOW), Person(bob(2).contact, closed_at=NOW)],
            Naming(True, {"acme.accounts_payable.1": False, "acme.accounts_payable.2": False}),
            [],
        ),
    ],
)
def test_b2_who_is_written_to_about_an_invoice(people: list[Person], naming: Naming, who: list[str]) -> None:
    assert sorted(one.contact.name for one in asked(people, naming)) == sorted(who)
