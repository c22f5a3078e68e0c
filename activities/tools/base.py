"""``@tool``: a typed Python function becomes a tool, its JSON Schema read from its signature.

Example::

    @tool(effect="idempotent")
    async def book_room(context: ToolContext, room: str, day: date) -> str:
        "Book a meeting room for a day."
        return await rooms.book(room, day, idempotency_key=context.request_id)

A parameter annotated ``ToolContext`` is injected and hidden from the model. Blocking functions run in a thread.
"""

import asyncio
import inspect
import json
import typing
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError, create_model

from activities.contracts.profile import Effect, ToolSpec
from activities.contracts.snapshot import SnapshotFile
from activities.errors import ConfigurationInvalid
from activities.tools.compensations import check_compensation

Policy = TypeVar("Policy")


class NotDone(Exception):
    """Raised by a tool with effects that has done nothing, and knows it: its message is an answer to the agent.

    Whatever else it raises leaves open whether something was done.
    """


THREADS = 64
"""Blocking tools under way at once in one process: somewhat more than the pool's default of 50 calls."""
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tool")


class SnapshotReader(Protocol):
    """The run's input, the only files that a tool can see."""

    @property
    def digest(self) -> str:
        """The snapshot's name; equal digests mean equal content, so an index can be cached by it."""

    @property
    def files(self) -> tuple[SnapshotFile, ...]:
        """All readable files, in the order of their paths."""

    async def text(self, path: str) -> str:
        """The whole text of one file; line ends as they are.

        Raises:
            KeyError: where the snapshot has no such file.
        """


class ArtifactWriter(Protocol):
    """Files of the run's result. They go to the object store; the client writes them to its disk."""

    async def write(self, name: str, data: bytes, media_type: str = "text/plain") -> None:
        """Write a file; of one name in one call the last one counts. A call that fails writes nothing.

        Raises:
            ValueError: the name is no safe relative path, or the file is too large, or there are too many.
        """


@dataclass(frozen=True)
class ToolContext:
    """What a tool is told about its call, besides the arguments."""

    request_id: str
    """Equal for every attempt of the same call: pass it on as the idempotency key."""
    snapshot: SnapshotReader | None = None
    """The run's input folder, where there is one."""
    artifacts: ArtifactWriter | None = None
    """Where the call writes files; absent outside a run."""
    policies: tuple[object, ...] = ()
    """What the deployment's settings say to single tools: at most one value of each type."""

    def policy(self, kind: type[Policy]) -> Policy:
        """What the deployment says to this tool, or the type's defaults, which have to be the strictest."""
        return next((policy for policy in self.policies if isinstance(policy, kind)), None) or kind()


@dataclass(frozen=True)
class Tool:
    """A registered tool: the function, what the model sees, and how arguments are checked."""

    function: Callable[..., Any]
    spec: ToolSpec
    arguments: type[BaseModel] = field(repr=False)
    context_parameter: str | None = None
    undo: "Tool | None" = None
    """The tool that compensates it, where it was named by itself."""

    async def __call__(self, context: ToolContext, arguments: BaseModel) -> str:
        """Call the function with checked arguments; the result as text (JSON where it is not a string)."""
        given = {name: getattr(arguments, name) for name in type(arguments).model_fields}
        if self.context_parameter:
            given[self.context_parameter] = context
        try:
            if inspect.iscoroutinefunction(self.function):
                result = await self.function(**given)
            else:
                # Not the loop's own threads: tools that hang would starve the search index and the offline model.
                call = partial(copy_context().run, partial(self.function, **given))
                result = await asyncio.get_running_loop().run_in_executor(_threads, call)
        except SystemExit as error:
            # It would end the worker, and then every other worker that takes the call.
            raise RuntimeError(f"the tool tried to end the process (exit {error.code})") from None
        if isinstance(result, str):
            return result
        return json.dumps(TypeAdapter(Any).dump_python(result, mode="json"), ensure_ascii=False)


def tool(
    *,
    effect: Literal["read", "idempotent", "once"],
    name: str = "",
    timeout_seconds: float = 60.0,
    compensate: "Tool | str | None" = None,
) -> Callable[[Callable[..., Any]], Tool]:
    """Register a function as a tool.

    Args:
        effect: what it does to the world: ``read`` (free to repeat), ``idempotent`` (safe to repeat with the same
            ``context.request_id``), ``once`` (called at most once, whatever dies). A tool with effects that can say that
            nothing was done raises ``NotDone``: the agent reads why, and may call again. Where it raises anything else,
            or does not end in time, nobody knows what it did. An ``idempotent`` effect is listed as unknown then, the
            agent reads the error, and what the run undoes includes it; a ``once`` effect fails the run as
            ``outcome_unknown``, so that no model can try it a second time before a person has looked.
        name: what the model calls it; the function's name where empty. It enters history.
        timeout_seconds: bound of one call.
        compensate: the tool (or its name) that undoes the effect when the run fails or is cancelled after it. It is
            given the arguments of the original call by their names, and the original's result as ``result``: empty where
            an idempotent call left none. It then has to cope with there being nothing to undo.

    Raises:
        ConfigurationInvalid: a parameter without annotation, ``*args``, no docstring (the model needs one), or a
            compensation that cannot be called.
    """

    def register(function: Callable[..., Any]) -> Tool:
        label = name or getattr(function, "__name__", "")
        description = inspect.getdoc(function) or ""
        if not description:
            raise ConfigurationInvalid(
                f"the tool {label!r} has no docstring", fix="say in one what it does: the model reads it"
            )
        hints = typing.get_type_hints(function, include_extras=True)
        context_parameter, fields = None, {}
        for parameter in inspect.signature(function).parameters.values():
            hint = hints.get(parameter.name)
            if hint is None or parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                raise ConfigurationInvalid(
                    f"the parameter {parameter.name!r} of the tool {label!r} has no type",
                    fix="annotate every parameter",
                )
            if hint is ToolContext:
                context_parameter = parameter.name
            else:
                fields[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
        definitions: dict[str, Any] = fields
        try:
            arguments = create_model(f"{label}_arguments", __config__=ConfigDict(extra="forbid"), **definitions)
            spec = ToolSpec(
                name=label,
                description=description,
                parameters=arguments.model_json_schema(),
                effect=Effect(effect),
                timeout_seconds=timeout_seconds,
                compensate=compensate.spec.name if isinstance(compensate, Tool) else compensate,
            )
        except (PydanticUserError, ValidationError, ValueError) as error:
            raise ConfigurationInvalid(
                f"the tool {label!r} cannot be described to a model: {error}",
                fix="use types that have a JSON form, and ToolContext (not optional) for the context",
            ) from error
        undo = compensate if isinstance(compensate, Tool) else None
        if undo:
            check_compensation(spec, undo.spec)
        return Tool(function, spec, arguments, context_parameter, undo)

    return register


def collect_tools(modules: Iterable[ModuleType]) -> dict[str, Tool]:
    """Every tool that the modules define, by name, and those that compensate them.

    Raises:
        ConfigurationInvalid: two different tools of one name, or a compensation that there is not or cannot be called.
    """
    found: dict[str, Tool] = {}
    for module in modules:
        for value in vars(module).values():
            for each in (value, value.undo) if isinstance(value, Tool) else ():
                if each and found.setdefault(each.spec.name, each) is not each:
                    raise ConfigurationInvalid(
                        f"two tools are named {each.spec.name!r}", fix=f"rename the one in {module.__name__}"
                    )
    for each in list(found.values()):
        name = each.spec.compensate
        if name and name not in found:
            raise ConfigurationInvalid(
                f"the tool {each.spec.name!r} is compensated by {name!r}, which is not known",
                fix="correct the name, or add its module to OSTINATO_TOOL_MODULES",
            )
        if name:
            check_compensation(each.spec, found[name].spec)
    return found
