"""The examples of docs/examples are run as they stand, against a real server, and against the documentation."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from dunwell.gateways.timed_signature import sign
from dunwell.store.database import Database
from dunwell.web.app import make_app
from tests.web.conftest import TOKEN
from tests.web.test_api import Open, api, written  # noqa: F401
from tests.workflows.conftest import harness, time_skipping  # noqa: F401

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LANGUAGES = ("py", "ts", "go")
_ANNOTATION = re.compile(
    r"(?<=[\w)]): (?:Promise<\w+>|Record<string, string>|string|number|boolean|unknown)(?= [={]|[,){])"
)
"""A type in the example in TypeScript, which Node.js before 22.18 cannot read."""

_GENERIC = re.compile(r"(?<=\.query)<\{[^}]*\}>")
"""The type of an answer, likewise."""

_CHECK_IN_PYTHON = """
import client, json
print(json.dumps([client.is_genuine(b'{"event": "paid"}', one, "secret") for one in json.load(open("headers.json"))]))
"""
_CHECK_IN_GO = """
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	var headers []string
	text, _ := os.ReadFile("headers.json")
	if err := json.Unmarshal(text, &headers); err != nil {
		t.Fatal(err)
	}
	answers := []bool{}
	for _, one := range headers {
		answers = append(answers, isGenuine([]byte(`{"event": "paid"}`), one, "secret", time.Now()))
	}
	said, _ := json.Marshal(answers)
	fmt.Println(string(said))
}
"""
_CHECK_IN_JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { isGenuine } from "./client.mjs";
const headers = JSON.parse(readFileSync("headers.json", "utf8"));
console.log(JSON.stringify(headers.map((one) => isGenuine('{"event": "paid"}', one, "secret"))));
"""


@pytest.fixture
def database(file_database: Database) -> Database:
    return file_database


@contextlib.asynccontextmanager
async def served(opened: Open) -> AsyncIterator[str]:
    """Serve the API on a port of this machine. Yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(make_app(opened.site.service), log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def run(*command: str, cwd: str | None = None, **environment: str) -> list[str]:
    """Return the lines that a program prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not on this machine")
    return found


def go() -> str:
    found = shutil.which("go")
    if found is None:
        pytest.skip("Go is not on this machine")
    return found


def with_temporal_client(tmp_path: Path) -> None:
    """Let a program in this folder import @temporalio/client, which npm has installed for the whole machine."""
    npm = shutil.which("npm")
    root = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=False) if npm else None
    modules = Path(os.environ.get("NODE_MODULES") or (root.stdout.strip() if root else "") or "/nowhere")
    if not (modules / "@temporalio" / "client").is_dir():
        pytest.skip("npm has not installed @temporalio/client here; NODE_MODULES may name a folder that has it")
    (tmp_path / "node_modules").symlink_to(modules)


def as_javascript(tmp_path: Path, room: str = "http") -> Path:
    """The example in TypeScript without its types."""
    text = (EXAMPLES / room / "client.ts").read_text(encoding="utf-8").replace("Promise<any>", "Promise<string>")
    file = tmp_path / "client.mjs"
    file.write_text(_GENERIC.sub("", _ANNOTATION.sub("", text)), encoding="utf-8")
    return file


# A program starts on busy cores: seconds; Go compiles one first.
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_examples_of_the_api_run(api: Open, tmp_path: Path, language: str) -> None:  # noqa: F811
    match language:
        case "py":
            command: tuple[str, ...] = (sys.executable, str(EXAMPLES / "http" / "client.py"))
        case "ts":
            command = (node(), str(as_javascript(tmp_path)))
        case _:
            command = (go(), "run", str(EXAMPLES / "http" / "client.go"))
    (tmp_path / "invoice.json").write_text(json.dumps(written()), encoding="utf-8")
    async with served(api) as url:
        said = await run(*command, str(tmp_path / "invoice.json"), DUNWELL_URL=url, DUNWELL_KEY=TOKEN)
    assert (said[0], said[2]) == ("start: started", "access: full")
    assert said[1] in {"pay: paid", "pay: accepted"}  # on busy cores the case answers later


@pytest.mark.parametrize("language", ["py", "ts"])  # the module of Go's client is not at hand
async def test_the_example_of_the_temporal_client_runs(
    api: Open,  # noqa: F811
    tmp_path: Path,
    language: str,
) -> None:
    address = api.harness.env.client.service_client.config.target_host
    assert (await api.post("/invoices", written())).status_code == 200
    command = (sys.executable, str(EXAMPLES / "temporal" / "client.py"))
    if language == "ts":
        with_temporal_client(tmp_path)
        command = (node(), str(as_javascript(tmp_path, "temporal")))
    (said,) = await run(*command, "inv-1", TEMPORAL_ADDRESS=address)
    assert re.fullmatch(r"inv-1 scheduled (1200|1190)\.00 EUR", said)  # the payment may be under way still


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_examples_check_a_signature(tmp_path: Path, language: str) -> None:
    now = int(time.time())
    good = sign(b'{"event": "paid"}', "secret", now)
    cases = {
        good: True,
        sign(b'{"event": "else"}', "secret", now): False,
        sign(b'{"event": "paid"}', "other", now): False,
        sign(b'{"event": "paid"}', "secret", now - 400): False,
        sign(b'{"event": "paid"}', "secret", now + 400): False,
        "": False,
        "t=,v1=": False,
        f"t={now}": False,
    }
    (tmp_path / "headers.json").write_text(json.dumps(list(cases)), encoding="utf-8")
    if language == "py":
        shutil.copy(EXAMPLES / "http" / "client.py", tmp_path)
        command: tuple[str, ...] = (sys.executable, "-c", _CHECK_IN_PYTHON)
    elif language == "go":
        shutil.copy(EXAMPLES / "http" / "client.go", tmp_path)
        (tmp_path / "check_test.go").write_text(_CHECK_IN_GO, encoding="utf-8")
        command = (go(), "test", "-v", "client.go", "check_test.go")
    else:
        as_javascript(tmp_path)
        (tmp_path / "check.mjs").write_text(_CHECK_IN_JAVASCRIPT, encoding="utf-8")
        command = (node(), str(tmp_path / "check.mjs"))
    said = await run(*command, cwd=str(tmp_path), DUNWELL_URL="", DUNWELL_KEY="")
    (answers,) = [line for line in said if line.startswith("[")]
    assert json.loads(answers) == list(cases.values())


def test_the_examples_of_all_languages_send_the_same() -> None:
    """What is not at hand does not run: it sends at least what the examples that run send."""
    for room, sent in (
        ("http", ("/api/invoices", "/payment_received", "/access", "Idempotency-Key", "bank-7731", "v1", "300")),
        ("temporal", ("InvoiceDunning", "invoice-", "dunning", "payment_received", "bank-7731", '"status"')),
    ):
        for language in LANGUAGES:
            text = (EXAMPLES / room / f"client.{language}").read_text(encoding="utf-8")
            assert not [one for one in sent if one not in text], (room, language)
