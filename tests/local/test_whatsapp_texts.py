"""`starter.py messages whatsapp`: what it prints can be submitted, and put into the file as it stands."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dunwell.settings import SettingsError
from starter import app
from tests.builders import the_catalogue


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, ["messages", "whatsapp", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_printed_is_a_file_of_approved_texts() -> None:
    told = printed("--language", "es", "--message", "final-warning")
    rows = tomllib.loads(told)["final-warning"]["es"]
    assert len(rows) > 1 and all(set(row) == {"sid", "text"} for row in rows)
    assert rows[0]["text"].count("{{1}}") == 1
    assert "# {{1}} for example: 2027-0417" in told


@pytest.mark.parametrize("language", the_catalogue().languages)
def test_every_text_keeps_the_rules_of_whatsapp(language: str) -> None:
    found = json.loads(printed("--language", language, "--json"))
    assert {one["category"] for one in found} == {"UTILITY"}
    for one in found:
        words, variables = one["content"]["types"]["twilio/text"]["body"], one["content"]["variables"]
        assert one["length"] <= 1024
        assert not words.startswith("{{") and not words.rstrip().endswith("}}")
        assert [f"{{{{{place}}}}}" in words for place in variables] == [True] * len(variables)
        assert "}}{{" not in words and "}} {{" not in words
        assert all(value.strip() for value in variables.values())
        assert "SMS" not in words  # it is read on WhatsApp
        assert one["content"]["language"] == language.replace("-", "_")


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('[[reminder-first.es]]\nsid = "HX..."\ntext = "x"', encoding="utf-8")
    monkeypatch.setenv("TWILIO_WHATSAPP_TEXTS", str(file))
    done = CliRunner().invoke(app, ["messages", "whatsapp"])
    assert isinstance(done.exception, SettingsError)
    assert "ours.toml: reminder-first.es: 'HX...' is no ContentSid" in str(done.exception)
