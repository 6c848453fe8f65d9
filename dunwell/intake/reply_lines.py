"""Recognises in a reply what people who owe say: already paid, a promise, a dispute, and the like.

What is recognised is proposed to a person with the sentence it was read from. Nothing is booked because of it.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from dunwell.domain.reply_terms import ReplyLine, ReplyProposal
from dunwell.intake.reply_words import folded, in_order
from dunwell.intake.written_amounts import amount_in
from dunwell.intake.written_days import WrittenDay, day_in

_MOST_READ = 3_000
_MOST_PROPOSALS = 12
_LONGEST = 400
_SHORT = r"(?<![Лл][Вв])(?<!руб)(?<!грн)(?<![Kk]r)(?<!zł)(?<![Rr]p)(?<!fr)"
"""Not after a currency that is written with a full stop: "400 лв. до петък"."""
_END = re.compile(
    rf"(?<![0-9]){_SHORT}[.!?…]+(?=\s|$)|(?<![0-9])\.(?=\s+[A-ZÀ-ÞА-Я¿¡]|\s*$)"
    r"|(?<=[0-9]{3})[.!?…]+\s+(?=[A-ZÀ-ÞА-Я¿¡])|[!?]+|\n{2,}|;"
)
_BROKEN = re.compile(r"(?<=\S{1})\n(?=[^\n])")
_PARTS = re.compile(r",(?!\d)|(?<!\w)(?:and|but|und|aber|y|pero|et|mais|e|ma|mas|и|но|а|dan|tapi)(?!\w)")
_LONGEST_PROMISE = timedelta(days=400)

_WITH_DAY = frozenset({ReplyLine.PROMISE, ReplyLine.OUT_OF_OFFICE})
_WITH_AMOUNT = frozenset({ReplyLine.PROMISE, ReplyLine.PAID, ReplyLine.DISPUTE})
_SURE_IN_QUESTIONS = frozenset({ReplyLine.INSTALMENTS, ReplyLine.NO_INVOICE, ReplyLine.CALL, ReplyLine.PROMISE})
"""Lines that are questions, too: "Can we pay in instalments?". A promise that is asked has to name a day."""


@dataclass(frozen=True)
class Reader:
    """Whose reply is read.

    language, country  of the customer
    today              in their time zone
    currency, sums     of their invoices, and what is open of them
    """

    language: str
    country: str
    today: date
    currency: str | None = None
    sums: Collection[Decimal] = ()


def proposals_in(text: str, reader: Reader) -> list[ReplyProposal]:
    """Return what the text seems to say, each line once for each day or amount, in the order of the text."""
    found: list[ReplyProposal] = []
    for sentence, asks in _sentences(text[:_MOST_READ]):
        for proposal in _of_sentence(sentence, asks, reader):
            same = (proposal.line, proposal.day, proposal.amount)
            if same not in {(one.line, one.day, one.amount) for one in found}:
                found.append(proposal)
    return found[:_MOST_PROPOSALS]


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences, and whether each is a question. Mails break lines within them."""
    whole, start = _BROKEN.sub(" ", text), 0
    for end in (*_END.finditer(whole), None):
        sentence = whole[start : end.start() if end else None].strip()
        if sentence:
            yield sentence[:_LONGEST], end is not None and "?" in end[0]
        start = end.end() if end else start


def _of_sentence(sentence: str, asks: bool, reader: Reader) -> Iterator[ReplyProposal]:
    plain = folded(sentence)
    for line, about in _lines(plain, reader):
        if asks and line not in _SURE_IN_QUESTIONS:
            continue
        day = _day(line, about, reader)
        if asks and line is ReplyLine.PROMISE and day is None:
            continue
        amount = amount_in(about, reader.currency, reader.sums) if line in _WITH_AMOUNT else None
        yield ReplyProposal(
            line=line,
            words=sentence,
            day=day,
            amount=amount.amount if amount else None,
            currency=amount.currency if amount else None,
        )


def _lines(plain: str, reader: Reader) -> Iterator[tuple[ReplyLine, str]]:
    """What a sentence says in any of the languages, each with the words about it.

    Where it says several things, each is read from the part that says it: "we paid 500 and will pay the rest on
    Friday". A part says what it says though another part has a negation: "we paid, and never call us again".
    """
    said = [line for line in ReplyLine if _says(line, plain, reader)]
    alone = len(said) == 1 and _means(said[0], plain, reader)
    parts = [] if alone else [part for one in _PARTS.split(plain) if (part := one.strip())]
    for line in said:
        about = next((part for part in parts if _says(line, part, reader) and _means(line, part, reader)), None)
        if about is not None or _means(line, plain, reader):
            yield line, about or plain


def _says(line: ReplyLine, text: str, reader: Reader) -> bool:
    return any(one.lines[line].search(text) for one in in_order(reader.language))


def _means(line: ReplyLine, text: str, reader: Reader) -> bool:
    """Whether no language has words in the text by which the line is not meant."""
    return not any(line in one.unless and one.unless[line].search(text) for one in in_order(reader.language))


def _day(line: ReplyLine, plain: str, reader: Reader) -> date | None:
    found = day_in(plain, reader.language, reader.country, reader.today)
    if found is None:
        return None
    return _upcoming(found, reader.today) if line in _WITH_DAY else _past(line, found, reader.today)


def _upcoming(found: WrittenDay, today: date) -> date | None:
    return found.upcoming if today <= found.upcoming <= today + _LONGEST_PROMISE else None


def _past(line: ReplyLine, found: WrittenDay, today: date) -> date | None:
    return found.past if line is ReplyLine.PAID and today - _LONGEST_PROMISE <= found.past <= today else None
