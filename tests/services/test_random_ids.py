"""New ids may stand wherever people write by hand: no event refuses one as a phone number."""

from dunwell.domain.events import parse_event
from dunwell.services.random_ids import random_id


def test_an_event_takes_every_id_as_the_one_who_tells_it() -> None:
    ids = {random_id("user") for _ in range(300)}  # of eight hexadecimal digits every twentieth was refused
    assert len(ids) == 300
    for id_ in ids:
        parse_event("resume", [{"by": id_}])
