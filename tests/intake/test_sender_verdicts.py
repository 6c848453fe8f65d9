"""A DKIM pass says who signed; it proves the sender only when that is their domain or one above it."""

import pytest

from dunwell.intake.sender_verdicts import judged

ANOTHER = "another domain than the sender's"


@pytest.mark.parametrize(
    ("sender", "dkim", "said"),
    [
        ("bea@acme.example", "{@acme.example : pass}", "pass, signed by acme.example"),
        ("Bea@ACME.example", "{@Acme.Example : pass}", "pass, signed by acme.example"),
        ("bea@mail.acme.example", "{@acme.example : pass}", "pass, signed by acme.example"),
        ("bea@acme.example", "{@evil.example : pass}", f"not proven: signed by evil.example, {ANOTHER}"),
        ("bea@acme.example", "{@mail.acme.example : pass}", f"not proven: signed by mail.acme.example, {ANOTHER}"),
        ("bea@notacme.example", "{@acme.example : pass}", f"not proven: signed by acme.example, {ANOTHER}"),
        ("bea@acme.example", "{@example : pass}", f"not proven: signed by example, {ANOTHER}"),
        ("", "{@evil.example : pass}", f"not proven: signed by evil.example, {ANOTHER}"),
        ("bea@acme.example", "{@esp.example : pass, @acme.example : pass}", "pass, signed by acme.example"),
        (
            "bea@acme.example",
            "{@acme.example : fail, @esp.example : pass}",
            f"not proven: signed by esp.example, {ANOTHER}",
        ),
        ("bea@acme.example", "{@acme.example : fail}", "{@acme.example : fail}"),
        ("bea@acme.example", "pass", "not proven: it passed, but the provider does not say for which domain"),
        ("bea@acme.example", "none", "none"),
    ],
)
def test_a_signature_of_another_domain_proves_nothing(sender: str, dkim: str, said: str) -> None:
    assert judged({"spf": "pass", "dkim": dkim}, sender) == {"spf": "pass", "dkim": said}
