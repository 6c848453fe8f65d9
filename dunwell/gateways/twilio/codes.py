"""What Twilio's error codes mean for a message and its number.

See Twilio's dictionary of errors and warnings. Codes that begin with 63 are those of WhatsApp.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """What a code says. closes: "stopped" or "bounced" when the number is not to be used again.

    passing: not the number's fault (our account, our sender, a limit): the same message may be sent later.
    """

    words: str
    closes: str | None = None
    passing: bool = False


MEANINGS: Mapping[str, Meaning] = {
    # The person said STOP; only START from the same phone opens the number again.
    "21610": Meaning("the recipient said STOP", closes="stopped"),
    # The number can never take an SMS.
    "21211": Meaning("the number is not valid", closes="bounced"),
    "21614": Meaning("the number cannot receive SMS", closes="bounced"),
    "21635": Meaning("the number is a landline", closes="bounced"),
    "30006": Meaning("the number is a landline or its carrier cannot be reached", closes="bounced"),
    # Not this time, or not from this sender; the number itself may be good tomorrow.
    "21612": Meaning("Twilio has no route from our sender to this number"),
    "21408": Meaning("our account may not send to this country: allow it in Twilio's messaging geo permissions"),
    "21608": Meaning("a trial account reaches verified numbers only: upgrade the Twilio account"),
    "30003": Meaning("the phone was off or out of reach"),
    "30004": Meaning("the message was blocked"),
    "30005": Meaning("the network did not know the number just now"),
    "30007": Meaning("the carrier filtered the message"),
    "30008": Meaning("the carrier gave no reason"),
    "21602": Meaning("the message has no text"),
    "21617": Meaning("the text is longer than 1600 characters: shorten the message"),
    # Our own account and sender: every message fails until someone mends them.
    "20003": Meaning("check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN", passing=True),
    "20005": Meaning("our Twilio account is not active", passing=True),
    "20404": Meaning("there is no such account: check TWILIO_ACCOUNT_SID and TWILIO_API_URL", passing=True),
    "21212": Meaning("the sender is not valid: check TWILIO_FROM", passing=True),
    "21603": Meaning("the sender is missing: set TWILIO_FROM", passing=True),
    "21606": Meaning("the sender is not ours or cannot send SMS: check TWILIO_FROM", passing=True),
    "21659": Meaning("the sender is no Twilio number: check TWILIO_FROM", passing=True),
    "21660": Meaning("the sender belongs to another account: check TWILIO_FROM", passing=True),
    "21703": Meaning("the messaging service has no sender to use: add one in Twilio", passing=True),
    # Limits.
    "20429": Meaning("too many requests at a time", passing=True),
    "21611": Meaning("the sender's queue is full", passing=True),
    "63038": Meaning("our account's messages of the day are used up", passing=True),
    # WhatsApp: the number.
    "63003": Meaning("the number is not on WhatsApp", closes="bounced"),
    "63024": Meaning("the number cannot receive WhatsApp messages", closes="bounced"),
    "63014": Meaning("the recipient blocked us on WhatsApp", closes="stopped"),
    # WhatsApp: this message, or this person just now.
    "63001": Meaning("WhatsApp could not authenticate the message"),
    "63005": Meaning("WhatsApp did not take this content"),
    "63013": Meaning("WhatsApp says that the message breaks its policy: see Twilio's log and the template"),
    "63016": Meaning("24 hours have passed since the person wrote: only an approved template may be sent"),
    "63019": Meaning("WhatsApp could not load the media"),
    "63021": Meaning("WhatsApp found the content invalid: it has more than 1024 characters, or a part missing"),
    "63023": Meaning("WhatsApp gave no reason"),
    "63032": Meaning("WhatsApp does not let businesses write to this person at the moment"),
    "63033": Meaning("the person cannot be reached on WhatsApp at the moment"),
    "63049": Meaning("Meta chose not to deliver this message: submit its template as utility, not as marketing"),
    # WhatsApp: the template.
    "63027": Meaning("there is no such template in this language: check messages/templates/whatsapp.toml"),
    "63028": Meaning("the template has another number of variables: check messages/templates/whatsapp.toml"),
    "63029": Meaning("WhatsApp could not load the template"),
    "63030": Meaning("the template does not take these variables: check messages/templates/whatsapp.toml"),
    "63040": Meaning("WhatsApp rejected the template: change its text and submit it again"),
    "63041": Meaning("WhatsApp paused the template, because readers complained"),
    "63042": Meaning("WhatsApp disabled the template: submit another"),
    # WhatsApp: our account and sender.
    "63007": Meaning("the sender is no WhatsApp sender of ours: check TWILIO_WHATSAPP_FROM", passing=True),
    "63010": Meaning("Twilio's own service failed", passing=True),
    "63012": Meaning("WhatsApp's own service failed", passing=True),
    "63018": Meaning("the sender has used up its messages of the day on WhatsApp", passing=True),
    "63020": Meaning("our WhatsApp business account is restricted: see WhatsApp Manager", passing=True),
    "63022": Meaning("the name of our WhatsApp sender is not verified any more", passing=True),
    "63051": Meaning("our WhatsApp business account is locked: see WhatsApp Manager", passing=True),
}
"""Codes of refusals and of failed deliveries. A code that is not here: permanent, and closes nothing."""
