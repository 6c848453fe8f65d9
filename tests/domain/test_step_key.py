"""Keys of steps are written and read in one place."""

import pytest

from domain.step_key import StepKey


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("restrict", StepKey(step="restrict")),
        ("restrict.round2", StepKey(step="restrict", round=2)),
        ("restrict.again1", StepKey(step="restrict", again=1)),
        ("restrict.round3.again2.copy", StepKey(step="restrict", round=3, again=2, copied=True)),
        ("restrict.copy", StepKey(step="restrict", copied=True)),
        ("thank-you~3", StepKey(step="thank-you~3")),
        ("promise-due~2027-03-19", StepKey(step="promise-due~2027-03-19")),
    ],
)
def test_c2_a_key_reads_as_it_is_written(text: str, key: StepKey) -> None:
    assert StepKey.parse(text) == key
    assert str(key) == text
