"""What a running workflow shows, and where it continues as new. Nothing here adds an event to a step."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import WireModel
    from activities.contracts.failures import FailureDetail
    from activities.contracts.steps import Usage
    from workflows.contracts import AgentState, RunInput
    from workflows.failures import stop_if_requested

TEAM = SearchAttributeKey.for_keyword("OstinatoTeam")
PATTERN = SearchAttributeKey.for_keyword("OstinatoPattern")
AGENTS = SearchAttributeKey.for_keyword_list("OstinatoAgents")
FAILURE = SearchAttributeKey.for_keyword("OstinatoFailure")
MAX_ROWS = 60
"""Rows of the table: the server keeps 20,000 bytes of details."""
ALL_SEARCH_ATTRIBUTES = (TEAM, PATTERN, AGENTS, FAILURE)


class Row(WireModel):
    """One step, as people see it while it runs."""

    path: str
    agent: str
    status: str = "running"
    state: AgentState = AgentState()

    def at(self, state: AgentState, status: str = "running") -> "Row":
        """The same step later."""
        return self.model_copy(update={"state": state, "status": status})


class Board:
    """The workflow's details in the Temporal UI: a row a step. They are answered from memory and cost no event."""

    def __init__(self, path: str = "") -> None:
        self._prefix = f"{path}/"
        self.rows: dict[str, Row] = {}

    def show(self, row: Row) -> None:
        """Put a step's row up to date."""
        self.rows[row.path] = row
        hidden = len(self.rows) - MAX_ROWS
        total = sum((row.state.usage for row in self.rows.values()), Usage())
        lines = [
            "| step | agent | status | turns | tools | tokens | USD |",
            "|---|---|---|---:|---:|---:|---:|",
            *(self._cells(row) for row in list(self.rows.values())[-MAX_ROWS:]),
            f"| all | | | | {total.tool_calls} | {total.tokens} | {total.cost_usd:.4f} |",
        ]
        workflow.set_current_details("\n".join(lines) + (f"\n\n{hidden} earlier steps" if hidden > 0 else ""))

    def _cells(self, row: Row) -> str:
        state, usage = row.state, row.state.usage
        return (
            f"| {row.path.removeprefix(self._prefix)} | {row.agent} | {row.status} | {state.turns} | {usage.tool_calls}"
            f" | {usage.tokens} | {usage.cost_usd:.4f} |"
        )


def record_failure(failure: FailureDetail) -> None:
    """Make a failed run findable by its kind: one event, at the end of the run."""
    workflow.upsert_search_attributes([FAILURE.value_set(failure.kind.value)])


def continue_when_long(run: RunInput, state: AgentState) -> None:
    """Continue as new where the history is long. Call it only when nothing is in flight.

    Raises:
        ContinueAsNewError: always, where the history is long; let it pass.
        CancelledError: the run was stopped: whoever continued it would know nothing of that.
    """
    stop_if_requested()
    if is_long(run):
        workflow.continue_as_new(run.model_copy(update={"state": state}))


def is_long(run: RunInput) -> bool:
    """Whether the history is to be left behind as soon as nothing is in flight."""
    info = workflow.info()
    return info.get_current_history_length() > run.max_history_events or info.is_continue_as_new_suggested()
