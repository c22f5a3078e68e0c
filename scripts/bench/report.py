"""The bench's result: one object for programs, one table for people."""

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from scripts.bench.machine import Machine
from scripts.bench.rows import Row
from scripts.bench.sizes import Sizes

FILE_COLUMNS = 140


class Report(BaseModel):
    """Everything that one run of the bench found."""

    model_config = ConfigDict(frozen=True)

    measured_on: Machine
    sizes: Sizes
    seconds: float
    all_met: bool
    rows: tuple[Row, ...]


def show(report: Report, *, json: bool) -> None:
    """Print the object or the table; both say what it was measured on."""
    if json:
        print(report.model_dump_json(indent=2))
    else:
        console = Console()
        # Into a file or a pipe goes the whole width, whatever the terminal.
        _print_table(report, console if console.is_terminal else Console(width=FILE_COLUMNS))


def _print_table(report: Report, console: Console) -> None:
    table = Table(title="ostinato bench: a durable step next to plain Temporal")
    table.add_column("what", overflow="fold")
    for heading in ("ours", "plain", "compared", "spread", "target", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for row in report.rows:
        if row.group != group:
            table.add_section()
            table.add_row(f"[bold]{row.group}[/]")
            group = row.group
        table.add_row(f"{row.name} ({row.unit})", *_cells(row))
    console.print(table)
    on = report.measured_on
    console.print(
        f"{on.cpu}, {on.cores} cores, {on.system}; Python {on.python}, temporalio {on.temporalio}, server {on.server};"
        f" commit {on.commit or 'unknown'}; {on.date}; {report.sizes.rounds} rounds in {report.seconds:.0f} s",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


def _cells(row: Row) -> tuple[str, ...]:
    show = {"ratio": _ratio, "difference": _difference, "value": _number}[row.compared]
    spread = f"{show(row.lowest)}..{show(row.highest)}" if row.highest > row.lowest else ""
    met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met]
    plain = "" if row.plain is None else _number(row.plain)
    compared = "" if row.compared == "value" else show(row.value)
    return (_number(row.ours), plain, compared, spread, row.target or "none", met)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}x"


def _difference(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.2f}"
