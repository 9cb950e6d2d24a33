"""Drawings of the last round, as text and as images. Matplotlib is imported when needed."""

from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from eva_env.boundary import name_of
from eva_env.game import Game
from eva_env.missing import mean_scored
from eva_env.types import CREATOR, SOLVER, Ints, Round

ROWS = 16
"""Most prompts in a drawing."""

BLUE, ORANGE, GREEN, GREY = "#3b6fb6", "#d9822b", "#4f9d69", "#8a94a3"


class PromptRow(NamedTuple):
    """A published prompt of a tabular world; reward and signal are None if it was not drawn."""

    prompt: int
    probability: float
    reward: float | None
    signal: float | None


class Exchange(NamedTuple):
    """A prompt of a text batch, its signal, and its best and worst (reward, response)."""

    prompt: str
    signal: float
    best: tuple[float, str]
    worst: tuple[float, str]


def tabular_ansi(game: Game, prompts: Ints) -> str:
    """Return a line for each prompt: its probability as a bar, its mean reward and signal."""
    lines = [_title(game)]
    rows = _prompt_rows(game, prompts)
    if not rows:
        return "\n".join([*lines, "The creator is to move."])
    lines.append(f"{'prompt':>8}  {'probability':<33}{'reward':>7} {'signal':>7}")
    highest = max(row.probability for row in rows)
    for row in rows:
        bar = "█" * round(24 * row.probability / highest)
        drawn = "" if row.reward is None else f"{row.reward:>7.2f} {row.signal:>7.2f}"
        lines.append(f"{row.prompt:>8}  {row.probability:>6.1%} {bar:<24}  {drawn}".rstrip())
    if len(rows) < len(prompts):
        lines.append(f"{'...':>8}  and {len(prompts) - len(rows)} less probable prompts")
    return "\n".join(lines)


def tabular_image(game: Game, prompts: Ints) -> Any:
    """Return the numbers of ``tabular_ansi`` as bars, (height, width, 3) uint8."""
    rows = _prompt_rows(game, prompts)
    if not rows:
        return _blank(game)
    figure = _figure(7, 1.6 + 0.32 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    # 1. Left: the published distribution, a bar for each prompt.
    places = np.arange(len(rows))
    left.barh(places, [row.probability for row in rows], color=BLUE, height=0.7)
    left.set_yticks(places, [f"prompt {row.prompt}" for row in rows], fontsize=8)
    left.set_title("published distribution", loc="left", fontsize=9)
    # 2. Right: two bars for each prompt that was drawn, its mean reward above its signal.
    drawn = np.array([i for i, row in enumerate(rows) if row.reward is not None])
    for offset, color, label, values in (
        (-0.19, GREEN, "mean reward", [row.reward for row in rows if row.reward is not None]),
        (0.19, ORANGE, _signal_name(game), [r.signal for r in rows if r.signal is not None]),
    ):
        right.barh(drawn + offset, values, color=color, height=0.36, label=label)
    right.set_title("last batch", loc="left", fontsize=9)
    right.axvline(0, color=GREY, linewidth=0.8)
    figure.legend(loc="outside lower right", fontsize=8, frameon=False, ncols=2)
    left.invert_yaxis()
    return _pixels(figure)


def text_ansi(game: Game) -> str:
    """Return the prompts of the last batch with their best and worst responses."""
    lines = [_title(game)]
    if game.last is None:
        batch = [f"  {_line(prompt)}" for prompt in game.prompts[:ROWS]]
        return "\n".join([*lines, *(batch or ["The creator is to move."])])
    for exchange in _exchanges(game.last):
        lines.append(f"{_line(exchange.prompt)}   [{_signal_name(game)} {exchange.signal:.2f}]")
        for reward, response in (exchange.best, exchange.worst):
            lines.append(f"  {reward:6.2f}  {_line(response)}")
    hidden = len(game.last.prompts) - ROWS
    if hidden > 0:
        lines.append(f"... and {hidden} more")
    return "\n".join(lines)


def text_image(game: Game) -> Any:
    """Return the text of ``text_ansi`` as an image, with every reward of a prompt as a dot."""
    if game.last is None:
        return _blank(game)
    exchanges = _exchanges(game.last)
    figure = _figure(9, 1.1 + 0.6 * len(exchanges))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    for i, exchange in enumerate(exchanges):
        # 1. Left: the prompt, and below it the best and the worst response.
        label = f"{_line(exchange.prompt, 76)}   [{_signal_name(game)} {exchange.signal:.2f}]"
        left.text(0, i - 0.25, label, fontsize=8, weight="bold", parse_math=False)
        for offset, color, (reward, response) in (
            (0.05, GREEN, exchange.best),
            (0.33, ORANGE, exchange.worst),
        ):
            line = f"{reward:6.2f}  {_line(response, 84)}"
            left.text(0.01, i + offset, line, fontsize=8, color=color, parse_math=False)
        # 2. Right: every reward of the prompt, on its line.
        rewards = game.last.rewards[i]
        right.axhline(i, color=GREY, linewidth=0.4)
        right.scatter(rewards, np.full(len(rewards), i), s=30, color=BLUE, alpha=0.5)
    left.set_axis_off()
    left.set_ylim(len(exchanges) - 0.4, -0.6)
    right.set_title("reward of each response", loc="left", fontsize=9)
    return _pixels(figure)


def _prompt_rows(game: Game, prompts: Ints) -> list[PromptRow]:
    """Return the most probable prompts, at most ROWS, in the order of their slots."""
    if game.probabilities is None:
        return []
    top = np.sort(np.argsort(-game.probabilities, kind="stable")[:ROWS])
    rows = []
    for slot in top:
        reward = signal = None
        if game.last is not None:
            drawn = np.asarray(game.last.prompts) == prompts[slot]
            if drawn.any():
                reward = float(mean_scored(game.last.rewards[drawn].ravel()))
                signal = float(mean_scored(game.last.signal[drawn]))
        probability = float(game.probabilities[slot])
        rows.append(PromptRow(int(prompts[slot]), probability, reward, signal))
    return rows


def _exchanges(last: Round) -> list[Exchange]:
    """Return the first prompts of the batch, at most ROWS, with their extreme responses."""
    exchanges = []
    for i in range(min(ROWS, len(last.prompts))):
        order = np.argsort(last.rewards[i])  # missing rewards (NaN) come last
        last_scored = max(0, int((~np.isnan(last.rewards[i])).sum()) - 1)
        best, worst = (
            (float(last.rewards[i, j]), last.responses[i][j])
            for j in (order[last_scored], order[0])
        )
        exchanges.append(Exchange(last.prompts[i], float(last.signal[i]), best, worst))
    return exchanges


def _title(game: Game) -> str:
    if game.last is None:
        return f"Round 0 of {game.rounds}"
    last = game.last
    payoffs = "   ".join(
        f"{player} {last.payoffs[player]:+.3f} (so far {game.totals[player]:+.2f})"
        for player in (CREATOR, SOLVER)
    )
    invalid = f"   invalid {last.invalid:.0%}" if last.invalid else ""
    return f"Round {last.index + 1} of {game.rounds}   {payoffs}{invalid}"


def _signal_name(game: Game) -> str:
    return game.signal if isinstance(game.signal, str) else name_of(game.signal)


def _line(text: str, width: int = 100) -> str:
    return shorten(text, width, placeholder=" ...") or "(empty)"


def _blank(game: Game) -> Any:
    figure = _figure(7, 2)
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    player = "solver" if game.proposal else "creator"
    figure.text(0.5, 0.4, f"the {player} is to move", ha="center", color=GREY)
    return _pixels(figure)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=100, layout="constrained")


def _pixels(figure: Any) -> Any:
    """Draw the figure without top and right axes; return (height, width, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
