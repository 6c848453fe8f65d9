"""Reads what a customer typed into a form, as people of their country write it, and says what is wrong."""

import re
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from babel import Locale
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.money import exact_amount, looks_like_thousands
from dunwell.intake import address_checks, text_checks
from dunwell.intake.currencies import Currency
from dunwell.intake.file_kinds import MOST_BYTES, FileKind, kind_of
from dunwell.intake.numbers_and_dates import Decimals
from dunwell.intake.refusals import InvalidValue
from dunwell.intake.typed_amounts import readings
from dunwell.web.request_body import Problem, read_beginning

MOST_TEXT = 2_000
MOST_NAME = 120
LATEST_CALL = timedelta(days=30)

_MOST_FORM = MOST_BYTES + 200_000
"""Of a whole form that is taken: a file, and what stands around it."""
_MOST_SENT = 30 * 1024 * 1024
"""Of a form that is read, so that one whose file is too large is refused with what was typed beside it."""
_FIELDS = 30
_FORM_ID = re.compile(r"[0-9a-f]{32}")
_EXAMPLES = {"email": "name@example.com", "phone": "+34 600 123 456"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field: a word of the pages, with its facts already written."""

    word: str
    facts: Mapping[str, object] = field(default_factory=dict)


class Unfit(Exception):
    """A form that cannot be taken. `faults`: by field; "form" is none of them."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class SentFile:
    """A file that somebody sent. `name` is theirs."""

    kind: FileKind
    name: str
    content: bytes


@dataclass(frozen=True)
class Sent:
    """A form as it came in. `files`: the content of each by its field, with its name."""

    fields: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def form_id(self) -> str:
        """The id of this one sending of the form; "" for a form that is none of our pages'."""
        found = self.fields.get("form_id", "")
        return found if _FORM_ID.fullmatch(found) else ""

    @property
    def said(self) -> dict[str, str]:
        """What the form says, without its id: its fields, and of each file a digest."""
        files = {f"file {name}": sha256(content).hexdigest() for name, (_, content) in self.files.items()}
        return {name: value for name, value in self.fields.items() if name != "form_id"} | files


async def read_sent(request: Request) -> Sent:
    """Return a posted form, of a file that is too large the beginning alone. Raises Problem 400, 408 or 413."""
    has_files = request.headers.get("Content-Type", "").startswith("multipart/form-data")
    body, whole = await read_beginning(request, _MOST_FORM, _MOST_SENT if has_files else _MOST_FORM)
    try:
        if not has_files:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
            return Sent({name: value.strip() for name, value in pairs})
        if not whole:
            body += _end(request)
        form = await MultiPartParser(request.headers, _all_of(body), max_files=1, max_fields=_FIELDS).parse()
    except (MultiPartException, ValueError, KeyError):  # UnicodeDecodeError, too
        raise Problem(400, "The form cannot be read: go back, and send it again.") from None
    files = {}
    for name, value in form.items():
        if isinstance(value, UploadFile) and value.filename:
            files[name] = (value.filename, await value.read())
    if not whole and all(len(content) <= MOST_BYTES for _, content in files.values()):
        raise Problem(413, f"The form is longer than {_MOST_FORM} bytes: send less at a time.")
    return Sent({name: value.strip() for name, value in form.items() if isinstance(value, str)}, files)


def _end(request: Request) -> bytes:
    """The end of a form with a file of which only the beginning was kept. Raises KeyError without a boundary."""
    _, options = parse_options_header(request.headers["Content-Type"])
    return b"\r\n--" + options[b"boundary"] + b"--\r\n"


async def _all_of(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


@dataclass
class Reader:
    """Reads the fields of a form one after the other, and remembers what is wrong."""

    sent: Sent
    locale: Locale
    zone: ZoneInfo
    country: str
    faults: dict[str, Fault] = field(default_factory=dict)

    def check(self) -> None:
        """Raise Unfit when anything is wrong."""
        if self.faults:
            raise Unfit(self.faults)

    def bad(self, name: str, word: str, **facts: object) -> None:
        self.faults.setdefault(name, Fault(word, facts))

    def typed(self, name: str) -> str:
        return self.sent.fields.get(name, "")

    def day(self, name: str) -> date | None:
        """A day, as the browser's calendar gives it. One is needed."""
        typed = self.typed(name)
        if not typed:
            self.bad(name, "need_day")
            return None
        try:
            found = date.fromisoformat(typed)
        except ValueError:
            self.bad(name, "bad_day", example="2027-12-31")
            return None
        return found

    def amount(self, name: str, currency: Currency) -> Decimal | None:
        """An amount as people of this language write it, in the invoice's currency; None for none."""
        if not self.typed(name):
            return None
        comma = self.locale.number_symbols["latn"]["decimal"] == ","
        ways = (Decimals.COMMA, Decimals.POINT) if comma else (Decimals.POINT, Decimals.COMMA)
        read, digits = readings(self.typed(name), currency), currency.digits
        exact = (
            exact_amount(read[way], digits)
            for way in ways
            if way in read and read[way] > 0 and not looks_like_thousands(read[way], digits)
        )
        found = next((one for one in exact if one is not None), None)
        if found is None:
            self.bad(name, "bad_amount", example=f"{'1200,50' if comma else '1200.50'} {currency.code}")
        return found

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """One of the words; "" when none of them was chosen."""
        typed = self.typed(name)
        if typed not in allowed:
            self.bad(name, "need_choice")
            return ""
        return typed

    def ticked(self, name: str) -> None:
        """Refuse a form whose one box is not ticked."""
        if not self.typed(name):
            self.bad(name, "need_tick")

    def text(self, name: str, *, needed: bool = False, most: int = MOST_TEXT) -> str:
        """A text in free words."""
        typed = clean(self.typed(name)).strip()
        if needed and not typed:
            self.bad(name, "need_text")
        elif len(typed) > most:
            self.bad(name, "too_long", count=most)
        return typed

    def name(self, name: str) -> str:
        """The name of a person, on one line. It holds no link: a message repeats it."""
        typed = one_line(self.text(name, needed=True, most=MOST_NAME))
        try:
            return text_checks.plain_name(typed)
        except InvalidValue:
            self.bad(name, "bad_name")
            return ""

    def email(self, name: str) -> str:
        try:
            return address_checks.email(self.typed(name))
        except InvalidValue:
            self.bad(name, "bad_email", example=_EXAMPLES["email"])
            return ""

    def phone(self, name: str) -> str:
        try:
            return address_checks.phone(self.typed(name), self.country)
        except InvalidValue:
            self.bad(name, "bad_phone", example=_EXAMPLES["phone"])
            return ""

    def moment(self, name: str, now: datetime) -> datetime | None:
        """A local time in the next days; None for none."""
        typed = self.typed(name)
        if not typed:
            return None
        try:
            found = datetime.fromisoformat(typed)
            found = found if found.tzinfo else found.replace(tzinfo=self.zone)
            fits = now < found < now + LATEST_CALL
        except (ValueError, OverflowError):
            fits = False
        if not fits:
            self.bad(name, "bad_time")
            return None
        return found

    def file(self, name: str) -> SentFile | None:
        """A file of a kind that we ask for, judged by its content; None for none."""
        if name not in self.sent.files:
            return None
        given, content = self.sent.files[name]
        kind = kind_of(content)
        if len(content) > MOST_BYTES:
            self.bad(name, "big_file")
        elif kind is None:
            self.bad(name, "bad_file")
        else:
            return SentFile(kind, one_line(given)[:MOST_NAME], content)
        return None
