"""All routes of the console, in the order in which they are tried."""

from fastapi import APIRouter

from dunwell.web.console import assets, today

router = APIRouter()
for _part in (assets, today):
    router.include_router(_part.router)
