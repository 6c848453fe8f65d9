"""All routes of the console, in the order in which they are tried."""

from fastapi import APIRouter

from dunwell.web.console import assets, case, customer, lists, messages, today

router = APIRouter()
for _part in (assets, today, lists, case, customer, messages):
    router.include_router(_part.router)
