"""The activity that writes down what happened: the time that it hands on."""

from dataclasses import replace

from temporalio.testing import ActivityEnvironment

from activities.record import RecordActivities
from dunwell.client.registration import Registrar
from dunwell.domain.clock import Clock
from dunwell.services.request_models import RecordAnswer, RecordRequest
from dunwell.store.database import Database
from tests.builders import an_invoice, at, sample_deps, the_ladders

REGISTERED, FIRST = at("2027-02-20 12:00"), at("2027-03-02 09:00")


def test_a_rehearsal_lives_in_its_own_time(database: Database) -> None:
    deps = sample_deps(database)
    case = Registrar(deps, the_ladders()).register(an_invoice(), REGISTERED, Clock(rehearsal=True)).opening.case
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=FIRST)
    request = RecordRequest.whole(case, now=at("2029-01-01 09:00"), rehearsal=True)
    answer: RecordAnswer = environment.run(RecordActivities(deps).record, request)
    assert answer.next_action is not None
    assert answer.next_action.at >= at("2029-01-01 09:00")
