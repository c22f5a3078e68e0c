"""Runs a judge of a monitor: an agent in a step of its own, beside the step that is reviewed, which pays for it."""

from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import HandoffRejected
    from workflows.agent_step import run_agent
    from workflows.contracts import RunResult, Task
    from workflows.handoffs import handed_over, not_taken
    from workflows.step_context import StepContext
    from workflows.teams.tree import AgentNode


async def run_judge(step: StepContext, agent: str, prompt: str) -> RunResult:
    """Let a judge answer; what it used and came to is the workflow's, and no part of the reviewed step's result.

    Raises:
        CancelledError: the run was stopped.
    """
    node, frame = AgentNode(agent=agent), step.frame
    # A task of its own: nothing of what the monitored step was told, and no monitors.
    task = Task(prompt=prompt, goal=prompt, offer_tools=False)
    try:
        task = handed_over(step, node, task)
    except HandoffRejected as error:
        return not_taken(step, node, error)
    result = await run_agent(replace(step, task=task), agent)
    frame.note(handoffs=result.handoffs, decisions=result.decisions, done=result.done)
    frame.beside.append(result)
    return result
