"""Pictures of the last round, as text and as pixels. Matplotlib is imported when needed."""

from textwrap import shorten
from typing import Any

import numpy as np

from eva_env.game import Game
from eva_env.types import CREATOR, SOLVER, Ints, Round

ROWS = 16
"""Most prompts that a picture shows."""

BLUE, ORANGE, GREEN, GREY = "#3b6fb6", "#d9822b", "#4f9d69", "#8a94a3"


def tabular_ansi(game: Game, prompts: Ints) -> str:
    """A line for each prompt: its probability as a bar, then mean reward and signal."""
    lines = [_title(game)]
    rows = _rows(game, prompts)
    if not rows:
        return "\n".join([*lines, "The creator is to move."])
    lines.append(f"{'prompt':>8}  {'published with':<33}{'reward':>7} {'signal':>7}")
    widest = max(probability for _, probability, _, _ in rows)
    for prompt, probability, reward, signal in rows:
        bar = "█" * round(24 * probability / widest)
        scored = "" if reward is None else f"{reward:>7.2f} {signal:>7.2f}"
        lines.append(f"{prompt:>8}  {probability:>6.1%} {bar:<24}  {scored}".rstrip())
    if len(rows) < len(prompts):
        lines.append(f"{'...':>8}  and {len(prompts) - len(rows)} less probable ones")
    return "\n".join(lines)


def tabular_image(game: Game, prompts: Ints) -> Any:
    """Bars of the same numbers, (height, width, 3) uint8."""
    rows = _rows(game, prompts)
    if not rows:
        return _blank(game)
    figure = _figure(7, 1.6 + 0.32 * len(rows))
    places = np.arange(len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    left.barh(places, [row[1] for row in rows], color=BLUE, height=0.7)
    left.set_yticks(places, [f"prompt {row[0]}" for row in rows], fontsize=8)
    left.set_title("published distribution", loc="left", fontsize=9)
    for offset, column, color, label in (
        (-0.19, 2, GREEN, "mean reward"),
        (0.19, 3, ORANGE, _signal_name(game)),
    ):
        drawn = [i for i, row in enumerate(rows) if row[column] is not None]
        values = [rows[i][column] for i in drawn]
        right.barh(np.array(drawn) + offset, values, color=color, height=0.36, label=label)
    right.set_title("last batch", loc="left", fontsize=9)
    right.axvline(0, color=GREY, linewidth=0.8)
    figure.legend(loc="outside lower right", fontsize=8, frameon=False, ncols=2)
    left.invert_yaxis()
    return _pixels(figure)


def text_ansi(game: Game) -> str:
    """Each prompt of the last batch with its best and its worst answer, and the payoffs."""
    lines = [_title(game)]
    if game.last is None:
        drawn = [f"  {_line(prompt)}" for prompt in game.prompts[:ROWS]]
        return "\n".join([*lines, *(drawn or ["The creator is to move."])])
    for prompt, signal, ends in _answers(game.last):
        lines.append(f"{_line(prompt)}   [{_signal_name(game)} {signal:.2f}]")
        lines += [f"  {reward:6.2f}  {_line(answer)}" for reward, answer in ends]
    hidden = len(game.last.prompts) - ROWS
    if hidden > 0:
        lines.append(f"... and {hidden} more")
    return "\n".join(lines)


def text_image(game: Game) -> Any:
    """The same in pixels: the texts, and every reward of the prompt as a dot."""
    if game.last is None:
        return _blank(game)
    entries = _answers(game.last)
    figure = _figure(9, 1.1 + 0.6 * len(entries))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    for i, (prompt, signal, ends) in enumerate(entries):
        label = f"{_line(prompt, 76)}   [{_signal_name(game)} {signal:.2f}]"
        left.text(0, i - 0.25, label, fontsize=8, weight="bold", parse_math=False)
        for height, color, (reward, answer) in zip(
            (0.05, 0.33), (GREEN, ORANGE), ends, strict=True
        ):
            said = f"{reward:6.2f}  {_line(answer, 84)}"
            left.text(0.01, i + height, said, fontsize=8, color=color, parse_math=False)
        rewards = game.last.rewards[i]
        right.axhline(i, color=GREY, linewidth=0.4)
        right.scatter(rewards, np.full(len(rewards), i), s=30, color=BLUE, alpha=0.5)
    left.set_axis_off()
    left.set_ylim(len(entries) - 0.4, -0.6)
    right.set_title("reward of each answer", loc="left", fontsize=9)
    return _pixels(figure)


def _rows(game: Game, prompts: Ints) -> list[tuple[Any, ...]]:
    """Prompt, probability, mean reward and signal (None if not drawn) of the likeliest."""
    if game.probabilities is None:
        return []
    top = np.sort(np.argsort(-game.probabilities, kind="stable")[:ROWS])
    rows = []
    for slot in top:
        reward = signal = None
        if game.last is not None:
            drawn = np.asarray(game.last.prompts) == prompts[slot]
            if drawn.any():
                reward = float(game.last.rewards[drawn].mean())
                signal = float(game.last.signal[drawn].mean())
        rows.append((int(prompts[slot]), float(game.probabilities[slot]), reward, signal))
    return rows


def _answers(last: Round) -> list[tuple[str, float, list[tuple[float, str]]]]:
    """Prompt, signal, then reward and text of the best and of the worst answer."""
    entries = []
    for i in range(min(ROWS, len(last.prompts))):
        order = np.argsort(last.rewards[i])
        ends = [(float(last.rewards[i, j]), last.responses[i][j]) for j in order[[-1, 0]]]
        entries.append((last.prompts[i], float(last.signal[i]), ends))
    return entries


def _title(game: Game) -> str:
    if game.last is None:
        return f"Round 0 of {game.rounds}"
    last = game.last
    paid = "   ".join(
        f"{player} {last.payoffs[player]:+.3f} (so far {game.totals[player]:+.2f})"
        for player in (CREATOR, SOLVER)
    )
    fined = f"   invalid {last.invalid:.0%}" if last.invalid else ""
    return f"Round {last.index + 1} of {game.rounds}   {paid}{fined}"


def _signal_name(game: Game) -> str:
    signal = game.signal
    return signal if isinstance(signal, str) else getattr(signal, "__name__", "signal")


def _line(text: str, width: int = 100) -> str:
    return shorten(text, width, placeholder=" ...") or "(empty)"


def _blank(game: Game) -> Any:
    figure = _figure(7, 2)
    figure.suptitle(_title(game), x=0.02, ha="left", fontsize=10)
    waits = "solver" if game.proposal else "creator"
    figure.text(0.5, 0.4, f"the {waits} is to move", ha="center", color=GREY)
    return _pixels(figure)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=100, layout="constrained")


def _pixels(figure: Any) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
