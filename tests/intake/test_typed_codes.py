"""Short codes as people type them."""

import pytest

from dunwell.domain.events import check_reason
from dunwell.domain.refusal import Refused
from dunwell.intake.typed_codes import code_typed


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("hardship", "hardship"),
        ("  small  balance ", "small-balance"),
        ("Zahlungsunfähig", "Zahlungsunfaehig"),
        ("größere Maßnahme", "groessere-Massnahme"),
        ("u\N{COMBINING DIAERESIS}ber", "ueber"),
        ("cliente está enfermo", "cliente-esta-enfermo"),
        ("gestión", "gestion"),
    ],
)
def test_a_code_with_umlauts_and_accents_is_taken_without_them(typed: str, code: str) -> None:
    assert code_typed(typed) == code
    check_reason(code)


def test_letters_of_another_script_are_refused_and_not_dropped() -> None:
    with pytest.raises(Refused, match="letters A to Z"):
        check_reason(code_typed("болен"))
