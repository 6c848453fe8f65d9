"""What is said about a TOML file that cannot be read: the line, what it holds, and what to write."""

import pytest

from dunwell.domain.toml_text import TomlFault, parse_toml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\nversion = 1,5\n', "line 2: 'version = 1,5' has a number with a comma: write it with a point"),
        ("name = “x”", "line 1: 'name = “x”' has curly quotes: write straight ones"),
        ("name = x", "line 1: 'name = x' has text without quotes: write it in quotes"),
        ("when = due + 1 day at 10:00", "has text without quotes"),
        ('title = "x', "has a quote left open"),
        ("name: x", 'has no "=": write a key, "=" and a value'),
        ("name", 'has no "="'),
        ("= 3", 'has nothing before "="'),
        ("approval = True", "write true or false"),
        ("[[step]", "a bracket too few or too many"),
        ('[[step]]\nid = "a"\n[step]\n', "line 3: '[step]' begins a table a second time"),
        ('name = "x"\nname = "y"', "line 2: 'name = \"y\"' gives a key a second time: keep one of the two"),
        ('by = ["email" "sms"]', "has two texts side by side: put a comma between them"),
        ("by = [email, sms]", "has text without quotes"),
        ('by = ["email",\n', "line 1: a list or a text is left open"),
        ('title = "a\\q"', "has a backslash in a text"),
        ('name = "x" title = "y"', "has more after the text: begin a new line"),
        ("floor = 1.", "is not understood: write one key, =, and one value a line"),
        (f"version = {'9' * 5000}", "has a number of thousands of digits"),
        (f"to = {'[' * 2000}{']' * 2000}", "nested too deeply"),
    ],
)
def test_e1_a_toml_fault_names_the_line_and_what_to_write(text: str, said: str) -> None:
    with pytest.raises(TomlFault) as fault:
        parse_toml(text.encode())
    assert said in str(fault.value)
    assert not [word for word in ("Expected", "Invalid", "Illegal", "column", "int_max") if word in str(fault.value)]


def test_e1_a_byte_order_mark_is_no_fault_and_other_encodings_name_the_line() -> None:
    assert parse_toml('\ufeffname = "é"\r\n'.encode()) == {"name": "é"}
    with pytest.raises(TomlFault, match="line 2: holds the byte 0xE9, which is not UTF-8"):
        parse_toml(b'name = "a"\ntitle = "caf\xe9"\n')
