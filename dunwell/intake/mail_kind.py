"""Tells mails that a person wrote from those that a program did: bounces, out-of-office notes, newsletters, loops.

Only a person's mail makes cases rest, so a mark of a program counts where there is one, and its lack means a person.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from dunwell.domain.cleaning import one_line
from dunwell.domain.received_mail import ReceivedMail

_PROGRAMS = re.compile(
    r"(?:mailer-?daemon|postmaster|no-?reply|do-?not-?reply|noreply[\w.+-]*|bounces?(?:[+-].*)?)", re.IGNORECASE
)
_DAEMONS = re.compile(r"(?:mailer-?daemon|postmaster)", re.IGNORECASE)
_BULK = frozenset({"bulk", "list", "junk", "auto_reply"})
_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-mail-autoreply", "x-vacation", "x-failed-recipients")
_LISTS = ("list-id", "list-unsubscribe", "list-post", "feedback-id", "x-mailchimp-campaign-id")
_AWAY = re.compile(
    r"\W*(?:(?:i am|i.m|we are|ich bin|je suis|estoy|sono|estou|я|аз съм|saya) )?(?:"
    r"auto(?:matic)?[ -]?(?:reply|response|answer)|out of (?:the )?office|away from (?:the )?office|on vacation"
    r"|automatische antwort|abwesenheits\w*|abwesend|nicht im (?:büro|haus)"
    r"|réponse automatique|absence du bureau|message d.absence|absent\(?e?\)? du bureau"
    r"|respuesta automática|fuera de (?:la )?oficina|ausencia de la oficina|mensaje de ausencia"
    r"|risposta automatica|fuori (?:sede|ufficio)|assenza dall.ufficio"
    r"|resposta automática|fora do escritório|ausência temporária|mensagem de ausência"
    r"|автоматическ\w+ ответ\w*|автоответ\w*|вне офиса|отсутств\w+ на рабочем месте|нет на месте"
    r"|автоматичен отговор|извън офиса|отсъств\w+ от офиса"
    r"|balasan otomatis|jawaban otomatis|di luar kantor|sedang cuti"
    r")\b",
    re.IGNORECASE,
)
_UNDELIVERED = re.compile(
    r"\b(?:undeliver\w+|delivery (?:status notification|has failed|failure)|mail delivery (?:failed|subsystem)"
    r"|returned mail|failure notice|unzustellbar|nicht zugestellt|non remis|no entregado|mancato recapito"
    r"|não entregue|не доставлено|недоставен\w*)",
    re.IGNORECASE,
)
_OUR_MAIL = re.compile(r"<([0-9a-f]{32})@[^<>\s]{1,200}>")
_STATUS = re.compile(r"^status:\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})", re.IGNORECASE | re.MULTILINE)
_ACTION = re.compile(r"^action:\s*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_MOST_SEARCHED = 100_000


class Bounce(NamedTuple):
    """A report that a mail of ours did not arrive. `lasting`: it never will; `code` is the mail system's own."""

    message_id: str
    code: str | None
    lasting: bool


def bounce_of(mail: ReceivedMail) -> Bounce | None:
    """Return the report that a mail is; None for one that is none, names no mail of ours or tells of a delay."""
    local = mail.sender.partition("@")[0]
    is_report = "report-type=delivery-status" in mail.header("content-type").lower().replace('"', "").replace(" ", "")
    if not (is_report or _DAEMONS.fullmatch(local) or _UNDELIVERED.search(mail.subject)):
        return None
    if not (is_report or mail.return_path == "" or why_automatic(mail)):
        return None  # somebody forwards a report, or asks about one
    report = "\n".join(
        [mail.text, *(file.content[:_MOST_SEARCHED].decode("latin-1") for file in mail.files), *_threads(mail)]
    )
    ours = _OUR_MAIL.search(report)
    actions = {found.lower() for found in _ACTION.findall(report)}
    if ours is None or (actions and "failed" not in actions):
        return None
    status = _STATUS.search(report)
    code = status[1] if status else None
    return Bounce(ours[1], code, lasting=code is None or code.startswith("5"))


def answered_by(mail: ReceivedMail) -> tuple[str, ...]:
    """Return the ids of our messages that a mail answers, the nearest first."""
    direct, earlier = mail.header("in-reply-to"), mail.header("references")
    found = [*_OUR_MAIL.findall(direct), *reversed(_OUR_MAIL.findall(earlier))]
    return tuple(dict.fromkeys(found))


def is_away(mail: ReceivedMail) -> bool:
    """Whether the subject begins with what programs of the languages put there while somebody is out of office."""
    return bool(_AWAY.match(mail.subject))


def why_automatic(mail: ReceivedMail, ours: Collection[str] = ()) -> str | None:
    """Return why no person wrote a mail; None when a person did. `ours`: the addresses that we send from."""
    if mail.sender and mail.sender.casefold() in {address.casefold() for address in ours}:
        return "it is a mail of our own"
    header = next((name for name in (*_MARKS, *_LISTS) if mail.header(name)), None)
    submitted = mail.header("auto-submitted").split(";")[0].strip().lower()
    precedence = mail.header("precedence").strip().lower()
    found = {
        f"Auto-Submitted: {one_line(submitted)[:40]}": submitted not in ("", "no"),
        f"Precedence: {precedence}": precedence in _BULK,
        f"it has the header {header}": header is not None,
        "its return path is empty": mail.return_path == "",
        "its sender takes no replies": _PROGRAMS.fullmatch(mail.sender.partition("@")[0]) is not None,
        "its subject says so": is_away(mail),
    }
    return next((why for why, holds in found.items() if holds), None)


def _threads(mail: ReceivedMail) -> tuple[str, str]:
    return mail.header("in-reply-to"), mail.header("references")
