"""Judges what became of STOP, and that nothing is sent to an address that is closed."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.accounts import BY_A_PERSON, claimed
from tests.chaos.records import TEXTS, Records, Row, moment

_EMAIL = "email"


def stop_is_kept(records: Records) -> Iterator[str]:
    """G5: an address from which STOP was taken is closed, on each channel that the word stops.

    In the time that a restore took away it was closed until then.
    """
    for stop in records.stops:
        address = stop["address"].removeprefix("whatsapp:").lower()
        channels = {_EMAIL} if "@" in address else TEXTS
        known = records.at_that_time(moment(stop["at"]))
        rows = known.rows("SELECT channel, address FROM closed_addresses")
        closed = {row["channel"] for row in rows if _bare(row["address"]) == address}
        if not channels <= closed:
            yield f"{address} said STOP at {stop['at']}, and is open by {', '.join(sorted(channels - closed))}"


def nothing_to_a_closed_address(records: Records) -> Iterator[str]:
    """G5: no message is claimed for an address after it was closed; a clerk may answer the mail that came later.

    Of an address that was closed in the time that a restore took away the database knows nothing any more, until it
    is told again.
    """
    lines = defaultdict[tuple[str, str], list[Row]](list)
    for line in records.audit:
        if line["kind"] in {"closed", "reopened"}:
            lines[line["key"], _bare(line["value"])].append(line)
    for row, claim in claimed(records):
        seq = claim["seq"]
        known = [
            line
            for line in lines[row["channel"], (row["address"] or "").lower()]
            if line["seq"] < seq and (seq < records.restored_at or line["seq"] not in records.lost_lines)
        ]
        if known and known[-1]["kind"] == "closed" and not row["step"].startswith(BY_A_PERSON):
            what = f"message {row['message_id']} ({row['message']})"
            yield f"{what} went to {row['contact_id']} by {row['channel']}, closed at {known[-1]['at']}"


def _bare(address: str) -> str:
    return address.removeprefix("rehearsal:")
