"""Cuts a mail into what is new in it and what it quotes of earlier mails.

A line that leads to lines marked with ">", and a block of headers, are recognised in the languages that messages are
written in; mail-parser-reply knows the ways of further programs. What is cut off is never lost: the whole is kept.
"""

import re

from mailparser_reply import EmailReplyParser
from mailparser_reply.constants import MAIL_LANGUAGES

_MOST_READ = 20_000
"""Characters that the library is given: its patterns take the square of a line's length."""
_LONGEST_LINE = 1_000

_HEADERS = (
    "from|sent|to|cc|subject|date"
    "|von|gesendet|an|betreff|datum"
    "|de|envoyé|à|objet|date"
    "|enviado|enviado el|para|asunto|fecha"
    "|da|inviato|a|oggetto|data"
    "|enviada em|enviado em|assunto"
    "|от|отправлено|кому|копия|тема|дата"
    "|изпратено|до|относно|копие"
    "|dari|dikirim|kepada|subjek|perihal|tanggal"
)
_HEADER = re.compile(rf"\W{{0,4}}(?:{_HEADERS}) ?:.*", re.IGNORECASE)
_FROM = re.compile(r"\W{0,4}(?:from|von|de|da|от|dari) ?:.*", re.IGNORECASE)
_RULE = re.compile(r"[-_]{4,}[^-_\n]{3,60}[-_]{4,}|_{20,}")
_WROTE = re.compile(
    r"(?:"
    r"(?:on|am|le|el|il|em|на|pada)\b.*"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|escreveu|написал\w*|пишет|написа|menulis)\b.*"
    r"|.*[0-9]{1,2}[:.][0-9]{2}.*(?:<[^<>\s]+@[^<>\s]+>|пишет|написал\w*)"
    r"|.*\bschrieb .*@.*"
    r") ?:",
    re.IGNORECASE | re.DOTALL,
)
_SENT_FROM = re.compile(
    r"(?:sent from (?:my|outlook)|get outlook for|von meinem .{1,30} gesendet|gesendet von|envoyé de(?:puis)? mon"
    r"|enviado desde|inviato da|enviado do meu|отправлено с|изпратено от|dikirim dari)\b.{0,60}",
    re.IGNORECASE,
)


def cut(text: str) -> str:
    """Return what is new in a mail. One that quotes everything, or answers below what it quotes, stays whole."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    place = _start_of_quotation(lines)
    new = "\n".join(lines[:place]).strip()
    new = _by_library(new) or new or "\n".join(line for line in lines if not line.startswith(">")).strip()
    return _without_sign(new) if new else text.strip()


def _start_of_quotation(lines: list[str]) -> int:
    """The line with which the quotation begins; their number when nothing is quoted."""
    for place, line in enumerate(lines):
        if not line:
            continue
        if line.startswith(">") and not _goes_on(lines, place):
            return place
        if _RULE.fullmatch(line.strip()) and place:
            return place
        if _leads_to_quotation(lines, place) or (_FROM.fullmatch(line) and _is_block(lines, place)):
            return place
    return len(lines)


def _goes_on(lines: list[str], place: int) -> bool:
    """Whether the writer's own words follow these quoted lines, as in answers between the lines."""
    return any(line and not line.startswith(">") for line in lines[place:])


def _leads_to_quotation(lines: list[str], place: int) -> bool:
    """Whether "On ... wrote:" begins here; a long one is broken into up to three lines."""
    for number in range(1, 4):
        part = lines[place : place + number]
        said = " ".join(part)
        if not all(part) or len(said) > _LONGEST_LINE:
            return False
        if said.endswith(":"):
            after = next((line for line in lines[place + number :] if line), "")
            begins_later = any(_wrote(" ".join(part[later:])) for later in range(1, number))
            return not begins_later and (_wrote(said) or (after.startswith(">") and "@" in said))
    return False


def _wrote(said: str) -> bool:
    return _WROTE.fullmatch(said.lstrip("> ")) is not None


def _is_block(lines: list[str], place: int) -> bool:
    """Whether three headers stand together, as Outlook puts them above what it quotes."""
    block = [line for line in lines[place : place + 8] if line][:5]
    return sum(bool(_HEADER.fullmatch(line)) for line in block) >= 3


def _by_library(text: str) -> str:
    if len(text) > _MOST_READ or any(len(line) > _LONGEST_LINE for line in text.split("\n")):
        return text
    found = EmailReplyParser(languages=list(MAIL_LANGUAGES)).read(text).replies
    first = found[0].content.strip() if found else ""
    return first if text.startswith(first) else text


def _without_sign(text: str) -> str:
    """Without the line that a telephone adds."""
    lines = text.rstrip().split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or _SENT_FROM.fullmatch(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines).strip()
