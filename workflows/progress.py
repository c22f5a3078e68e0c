"""What a running workflow shows, and where it continues as new. Nothing here adds an event to a step."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail
    from workflows.contracts import AgentState, RunInput

TEAM = SearchAttributeKey.for_keyword("OstinatoTeam")
PATTERN = SearchAttributeKey.for_keyword("OstinatoPattern")
AGENTS = SearchAttributeKey.for_keyword_list("OstinatoAgents")
FAILURE = SearchAttributeKey.for_keyword("OstinatoFailure")
ALL_SEARCH_ATTRIBUTES = (TEAM, PATTERN, AGENTS, FAILURE)


def show_progress(agent: str, state: AgentState) -> None:
    """Update the workflow's details in the Temporal UI. They are answered from memory and cost no event."""
    usage = state.usage
    workflow.set_current_details(
        "| agent | turns | summaries | tool calls | tokens | USD |\n|---|---|---|---|---|---|\n"
        f"| {agent} | {state.turns} | {state.summaries} | {usage.tool_calls} | {usage.tokens} | {usage.cost_usd:.4f} |"
    )


def record_failure(failure: FailureDetail) -> None:
    """Make a failed run findable by its kind: one event, at the end of the run."""
    workflow.upsert_search_attributes([FAILURE.value_set(failure.kind.value)])


def continue_when_long(run: RunInput, state: AgentState) -> None:
    """Continue as new where the history is long. Call it only when nothing is in flight.

    Raises:
        ContinueAsNewError: always, where the history is long; let it pass.
    """
    info = workflow.info()
    if info.get_current_history_length() > run.max_history_events or info.is_continue_as_new_suggested():
        workflow.continue_as_new(run.model_copy(update={"state": state}))
