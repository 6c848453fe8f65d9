"""SendGrid's Inbound Parse: a multipart form for each mail that came in, taken apart or as it went over the wire.

Each field has a charset of its own, which the field `charsets` names. The requests are not signed: the address that
SendGrid is told to call holds a password (https://dunwell:PASSWORD@host/webhooks/sendgrid/inbound), which it sends as
HTTP basic authentication.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from dunwell.domain.cleaning import one_line
from dunwell.domain.received_mail import ReceivedFile, ReceivedMail
from dunwell.gateways.events import UnverifiedWebhook
from dunwell.gateways.mime import (
    MOST_FILES,
    address_in,
    addresses_in,
    decoded,
    headers_in,
    of_mime,
    person_of,
)

MOST_BYTES = 32 * 1024 * 1024
"""SendGrid takes mails of up to 30 MB."""

_FORM = {"MAX_MEMORY_FILE_SIZE": MOST_BYTES, "MAX_HEADER_SIZE": 65_536}
"""No file is written to the disk on the way, and a long name of a file loses no mail."""

_MOST_FIELDS = 200
_MOST_VERDICT = 200


def admit(headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """Check the password, before the body is read. Raises UnverifiedWebhook."""
    kind, _, credentials = headers.get("Authorization", "").partition(" ")
    try:
        plain = base64.b64decode(credentials, validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        plain = b""
    password = plain.partition(b":")[2]
    fits = [hmac.compare_digest(password, secret.encode()) for secret in secrets]  # each is compared, for equal time
    if not any(fits):
        raise UnverifiedWebhook(
            "The request has not the password of INBOUND_MAIL_SECRET: tell SendGrid the address "
            "https://dunwell:PASSWORD@host/webhooks/sendgrid/inbound."
        )


def read(body: bytes, content_type: str) -> ReceivedMail:
    """Read the form. Raises ValueError when it is none."""
    fields, files = _form(body, content_type)
    charsets = _json(fields.get("charsets", b""))
    text = {name: decoded(value, _charset(charsets.get(name))) for name, value in fields.items() if name != "email"}
    envelope = _json(fields.get("envelope", b""))
    verdicts = {
        name: one_line(text[field])[:_MOST_VERDICT]
        for field, name in (("SPF", "spf"), ("dkim", "dkim"), ("spam_score", "spam_score"))
        if text.get(field, "").strip()
    }
    about = {"verdicts": verdicts} | _delivery(envelope)
    if "email" in fields:
        return of_mime(fields["email"]).model_copy(update=about)
    sender, name = person_of(text.get("from", ""))
    mail = ReceivedMail(
        sender=sender,
        sender_name=name,
        recipients=addresses_in([text.get("to", ""), text.get("cc", "")]),
        subject=one_line(text.get("subject", "")),
        text=text.get("text", ""),
        html=text.get("html", ""),
        headers=headers_in(text.get("headers", "")),
        files=tuple(files),
    )
    return mail.model_copy(update=about)


def _delivery(envelope: Mapping[str, object]) -> dict[str, object]:
    """Where the mail was really delivered, and where its bounces would go."""
    found: dict[str, object] = {}
    given, sender = envelope.get("to"), envelope.get("from")
    if isinstance(given, list):
        recipients = tuple(address for one in given if isinstance(one, str) and (address := address_in(one)))
        found |= {"recipients": recipients} if recipients else {}
    if isinstance(sender, str):
        found["return_path"] = sender.strip().strip("<>")
    return found


def _form(body: bytes, content_type: str) -> tuple[dict[str, bytes], list[ReceivedFile]]:
    """The fields, the first of each name, and the files. Raises ValueError."""
    fields: dict[str, bytes] = {}
    files: list[ReceivedFile] = []

    def on_field(field: Field) -> None:
        if len(fields) < _MOST_FIELDS:
            fields.setdefault((field.field_name or b"").decode("utf-8", "replace"), field.value or b"")

    def on_file(file: File) -> None:
        with file.file_object as content:
            content.seek(0)
            if len(files) < MOST_FILES:
                name = (file.file_name or b"").decode("utf-8", "replace")
                files.append(ReceivedFile(name=name, content=content.read()))

    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ValueError("not multipart/form-data")
    try:
        parser = FormParser(kind.decode(), on_field, on_file, boundary=boundary, config=_FORM)
        parser.write(body)
        parser.finalize()
    except (FormParserError, TypeError) as error:
        raise ValueError(type(error).__name__) from None
    return fields, files


def _json(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _charset(value: object) -> str | None:
    return value if isinstance(value, str) and value.isascii() and len(value) < 40 else None
