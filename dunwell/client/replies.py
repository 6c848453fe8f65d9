"""Handles replies for the command line and the web: written down at once, then told to the cases they concern."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime

from dunwell.client.cases import Cases
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.services.answers import Draft, Leaving, PreviewedAnswer
from dunwell.services.applied_event import CaseEvent
from dunwell.services.dependencies import Dependencies
from dunwell.services.reply_handling import ReplyHandling, ToTell
from dunwell.services.submissions import Submission


class Replies:
    """Everything that people do with replies. Safe to share between tasks. Without `cases` it only previews."""

    def __init__(
        self, deps: Dependencies, cases: Cases | None, reach: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`reach` raises ServerAway when Temporal does not answer."""
        self._handling, self._cases, self._reach = ReplyHandling(deps), cases, reach

    async def preview(self, reply_id: str, draft: Draft, now: datetime) -> PreviewedAnswer:
        """Return an answer as it would leave now. Raises Refused when it could not leave."""
        return await asyncio.to_thread(self._handling.preview, reply_id, draft, now)

    async def leaving(self, answer_id: str, now: datetime) -> Leaving | None:
        """Return when an answer that was written down can leave; None for one that its case has sent or given up."""
        return await asyncio.to_thread(self._handling.leaving, answer_id, now)

    async def handle(
        self,
        reply_id: str,
        principal: Principal,
        now: datetime,
        draft: Draft | None = None,
        also: Collection[str] = (),
        submission: Submission | None = None,
    ) -> str | None:
        """Note that a reply is handled, with an answer if one is given, and tell the cases. Returns the answer's id.

        Raises NotAllowed, AlreadyDone, Refused. A case that cannot be told now is told once Temporal answers again.
        """
        told = await asyncio.to_thread(self._handling.handle, reply_id, principal, now, draft, also, submission)
        await self._tell(told, principal)
        return told.answer_id

    async def assign(
        self,
        reply_id: str,
        contact_id: str,
        principal: Principal,
        now: datetime,
        submission: Submission | None = None,
    ) -> None:
        """Note which contact wrote a reply, and tell the cases. Raises NotAllowed, AlreadyDone, Refused."""
        told = await asyncio.to_thread(self._handling.assign, reply_id, contact_id, principal, now, submission)
        await self._tell(told, principal)

    async def _tell(self, told: ToTell, principal: Principal) -> None:
        for event in told.events:
            for invoice_id in event.invoices:
                if not await self._told(invoice_id, event, principal):
                    return  # the inbox has it
        if told.events:
            await asyncio.to_thread(self._handling.done, told, datetime.now(UTC))

    async def _told(self, invoice_id: str, event: CaseEvent, principal: Principal) -> bool:
        """Whether the server has it. As signals, which a case takes in their order, also while no worker runs."""
        if self._cases is None:
            return False
        try:
            if self._reach is not None:
                await self._reach()
            await self._cases.tell(invoice_id, event.name, event.content, principal=principal, wait=False)
        except Refused:
            return True  # its case has ended
        except (NoAnswer, ServerAway):
            return False
        return True
