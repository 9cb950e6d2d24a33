"""Show the progress of runs: a bar and a live table, or plain lines in a pipe."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from eva_env.plain_text import clean
from experiments.run.screen import PlainConsole
from experiments.run.wording import decimal


class ProgressTable:
    """A bar, and a table of the last row of each arm, averaged over its seeds.

    Args:
        arms: names in the order of the table.
        total: rounds of all runs.
        console: shows a live table on a terminal, lines elsewhere.
        brief: prints one line per run in a pipe, instead of one per evaluation.
        suite: the suite whose scores are shown.
    """

    def __init__(
        self,
        arms: Sequence[str],
        total: int,
        console: Console | None = None,
        brief: bool = False,
        suite: str = "hard",
        reward: str = "gold reward",
    ) -> None:
        self.console = console or PlainConsole()
        self.brief, self.suite, self.reward = brief, suite, reward
        self.latest: dict[str, dict[int, dict[str, Any]]] = {arm: {} for arm in arms}
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self.bar = self.progress.add_task("rounds", total=total)
        self.live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live = Live(self.render(), console=self.console, refresh_per_second=4)
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.update(self.render(), refresh=True)
            self.live.stop()

    def update(self, arm: str, seed: int, row: dict[str, Any]) -> None:
        """Add a row of the run of an arm with a seed."""
        before = self.latest[arm].get(seed, {})
        evaluation = row["evaluations"].get(self.suite)
        latest = {"round": row["round"], "signal": row.get("signal_mean")}
        latest["entropy"] = row.get("entropy")
        self.latest[arm][seed] = before | latest | (evaluation or {})
        done = sum(last["round"] for seeds in self.latest.values() for last in seeds.values())
        self.progress.update(self.bar, completed=done)
        if self.live:
            self.live.update(self.render())
        elif evaluation and not self.brief:
            gold, win_rate = (decimal(evaluation[name]) for name in ("gold", "win_rate"))
            self.console.print(
                f"{arm}, seed {seed}, round {row['round']}: {self.suite} {self.reward} {gold}, "
                f"win rate {win_rate}",
                highlight=False,
            )
        for alarm in row.get("alarms", {}).values():
            if alarm["begins"]:
                self.note(f"{arm}, seed {seed}, round {row['round']}: alarm, {alarm['text']}")

    def begin(self, items: str, total: int, done: int = 0) -> None:
        """Reset the bar: it now counts ``total`` items, named ``items``."""
        self.progress.reset(self.bar, description=clean(items), total=total, completed=done)
        if not self.live and done < total:
            self.note(f"{items}: {total - done} of {total} to do")

    def advance(self, items: int = 1) -> None:
        """Advance the bar by some items."""
        self.progress.advance(self.bar, items)
        if self.live:
            self.live.update(self.render())

    def note(self, text: str) -> None:
        """Print a line above the table."""
        in_pipe = not self.console.is_terminal  # where lines are not broken
        self.console.print(text, highlight=False, markup=False, soft_wrap=in_pipe)

    def render(self) -> Group:
        """Return the bar and the table; names of up to 17 letters fit in 80 columns.

        Without arms there is no table.
        """
        if not self.latest:
            return Group(self.progress)
        name = "gold" if self.reward == "gold reward" else "reward"
        gold = f"{self.suite}\n{name}"
        heads = (gold, "win\nrate", "KL,\nnats", "mean\nsignal", "prompt\nentropy")
        table = Table(Column("arm", overflow="fold"), "seeds", "round", *heads)
        for arm, seeds in self.latest.items():
            rows = list(seeds.values())
            columns = ("round", "gold", "win_rate", "kl", "signal", "entropy")
            cells = [_mean([row.get(column) for row in rows]) for column in columns]
            table.add_row(arm, str(len(rows)), *cells)
        return Group(self.progress, table)


def _mean(values: list[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    return f"{sum(numbers) / len(numbers):.3f}".removesuffix(".000") if numbers else ""
