"""The genealogy of prompts, as data that the page draws when it is opened."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from eva_env.chat import readable
from experiments.report.blocks import Tree
from experiments.report.numbers import is_number

Row = Mapping[str, Any]

LIMIT = 4_000_000
"""Most characters of a genealogy; whole families are left out beyond it."""

ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass
class Node:
    """A prompt: its parent, its operator, and each time that it was drawn."""

    text: Any
    parent: Any = None
    operator: str | None = None
    draws: list[list[Any]] = field(default_factory=list)
    """Of each draw [round, signal, mean, best, worst, rewards, best response, worst response],
    without trailing None."""


@dataclass
class Family:
    """A prompt without a parent and its descendants; ``depth`` is that of the deepest."""

    members: list[Any] = field(default_factory=list)
    depth: int = 0


def genealogy(name: str, rows: Iterable[Row], limit: int = LIMIT) -> Tree | None:
    """Return the tree of the rows of prompts.jsonl; None if there are none.

    In its data a node is [text, place of its parent or -1, operator, draws].
    """
    nodes = gather(rows)
    if not nodes:
        return None
    grown = families(nodes)
    kept, room = [], limit
    for family in sorted(grown, key=lambda tree: (-tree.depth, -len(tree.members))):
        size = sum(len(json.dumps(nodes[key].draws)) + 100 for key in family.members)
        if size <= room or not kept:
            kept.append(family)
            room -= size
    inside = {key for family in kept for key in family.members}
    place = {key: i for i, key in enumerate(key for key in nodes if key in inside)}
    chosen = [nodes[key] for key in place]
    data = [[as_read(n.text), place.get(n.parent, -1), n.operator, n.draws] for n in chosen]
    note = f"{len(nodes):,} prompts in {len(grown):,} families."
    if len(kept) < len(grown):
        note = (
            f"{len(data):,} of {len(nodes):,} prompts, {len(kept):,} of {len(grown):,} "
            f"families: the deepest ones, each of them complete. All are in prompts.jsonl."
        )
    return Tree(name, embed(data), note)


def as_read(prompt: Any) -> Any:
    """Return a prompt as a person reads it; a number stays one."""
    return readable(prompt) if isinstance(prompt, str) else prompt


def gather(rows: Iterable[Row]) -> dict[Any, Node]:
    """Return nodes by id; the first draw of a prompt says where it comes from."""
    nodes: dict[Any, Node] = {}
    for row in rows:
        node = nodes.setdefault(row["id"], Node(row["text"]))
        if not row.get("drawn", True):
            continue
        if not node.draws:
            node.parent, node.operator = row.get("parent"), row.get("operator")
        names = ("round", "signal", "mean", "best", "worst")
        names += ("rewards", "best_response", "worst_response")
        draw = [short(row.get(name)) for name in names]
        while draw and draw[-1] is None:
            draw.pop()
        node.draws.append(draw)
    return nodes


def families(nodes: Mapping[Any, Node]) -> list[Family]:
    """Return families in the order of their first members."""
    cut_cycles(nodes)
    home: dict[Any, tuple[Any, int]] = {}
    for start in nodes:
        path, key = [], start
        while key in nodes and key not in home:
            path.append(key)
            key = nodes[key].parent
        root, above = home[key] if key in home else (path[-1], -1)
        for depth, key in enumerate(reversed(path), start=above + 1):
            home[key] = root, depth
    by_root: dict[Any, Family] = {}
    for key, (root, depth) in home.items():
        family = by_root.setdefault(root, Family())
        family.members.append(key)
        family.depth = max(family.depth, depth)
    return list(by_root.values())


def cut_cycles(nodes: Mapping[Any, Node]) -> None:
    """Make the first prompt of a cycle a root: it was made again from its own descendants."""
    order = {key: i for i, key in enumerate(nodes)}
    done: set[Any] = set()
    for start in nodes:
        path, key = [], start
        while key in nodes and key not in done:
            done.add(key)
            path.append(key)
            key = nodes[key].parent
        if key in path:
            nodes[min(path[path.index(key) :], key=order.__getitem__)].parent = None


def short(value: Any) -> Any:
    """Return numbers with four digits, and None for those that JSON cannot hold."""
    if isinstance(value, list):
        return [short(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if is_number(value) else None
    return value


def embed(data: Any) -> Markup:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.translate(ESCAPES))
