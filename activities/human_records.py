"""Decisions of people as records: the same question of a lineage is put to nobody twice.

The failure this prevents: a run is resumed, rewound or forked, and a person is asked again what was decided last week.
A record is only used again while it is worth something: behind an approval that has expired the next one is written.
"""

from temporalio import activity

from activities.contracts.people import DecisionRecord, HumanDecision
from activities.errors import LimitExceeded
from activities.heartbeats import durable_activity
from activities.object_store import ObjectStore
from activities.records import Records, request_hash

MAX_EXPIRED = 50
"""Approvals of one question that expired one after the other."""


class HumanActivities:
    """Finds and records decisions."""

    def __init__(self, store: ObjectStore) -> None:
        self._records = Records(store)

    @activity.defn(name="human.find")
    async def find(self, request: DecisionRecord) -> DecisionRecord:
        """The recorded decision, where there is one that is still worth something. Reads only.

        Raises:
            ApplicationError: ``store_unavailable`` (retried), ``blob_missing`` (not retried).
        """
        async with durable_activity(request.key):
            _, found = await self._last(request)
            return request.model_copy(update={"decision": found})

    @activity.defn(name="human.record")
    async def record(self, request: DecisionRecord) -> DecisionRecord:
        """Record a decision. The first one wins, and comes back. Safe to repeat.

        Raises:
            ApplicationError: ``store_unavailable`` (retried), ``blob_missing`` (not retried).
        """
        async with durable_activity(request.key):
            hashed, found = await self._last(request)
            if found is None and request.decision is not None:
                run_id = activity.info().workflow_run_id or ""
                found = await self._records.settle(request.key, hashed, request.decision, run_id)
            return request.model_copy(update={"decision": found})

    async def _last(self, request: DecisionRecord) -> tuple[str, HumanDecision | None]:
        """Where the decision that counts is recorded, or is to be."""
        hashed = request.asked
        for _ in range(MAX_EXPIRED):
            found = await self._records.find(request.key, hashed, HumanDecision)
            if found is None:
                return hashed, None
            expires_at = found.result.expires_at
            if expires_at is None or expires_at > request.now:
                return hashed, found.result
            hashed = request_hash({"asked": request.asked, "after": expires_at})
        raise LimitExceeded(
            f"the same question was approved {MAX_EXPIRED} times, each time too early", fix="start a new run"
        )
