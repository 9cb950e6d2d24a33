"""How often few seeds decide, by sub-sampling a record of many."""

import numpy as np
import pytest

from eva_env.tabular.world import TabularWorld
from eva_env.wordlist import Wordlist
from experiments.benchmarks.demo_power import decided_shares, main, share_rows, subsamples
from experiments.commands.compare import Command, compare
from experiments.comparison.arms import pair
from experiments.comparison.settings import Comparison

ARMS = pair(["static", "fresh"], ["dpo"], None, Wordlist())


def scores(*gaps):
    """(S, 2, 1): the second arm is ahead of the first by these gaps."""
    return np.array([[0.5, 0.5 + gap] for gap in gaps])[..., None]


def test_all_subsamples_are_drawn_where_they_are_few():
    assert [*subsamples(4, 2, 6)] == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    drawn = [*subsamples(20, 5, 100)]
    assert len(drawn) == 100
    assert all(len(set(sample)) == 5 and max(sample) < 20 for sample in drawn)


def test_a_share_counts_the_subsamples_whose_interval_excludes_0():
    """With two seeds the t quantile is 12.7: .10 and .11 are decided, .10 and .15 are not."""
    values = scores(0.10, 0.11, 0.15)
    assert decided_shares(values, ARMS, 2, 100) == pytest.approx([1 / 3])
    assert decided_shares(values, ARMS, 3, 100) == pytest.approx([1.0])
    assert decided_shares(values, ARMS, 4, 100) is None


def test_a_decision_for_the_other_sign_does_not_count():
    values = scores(-0.10, -0.11, 0.9)
    assert decided_shares(values, ARMS, 2, 100) == pytest.approx([0.0])


def test_a_row_shows_the_difference_and_the_shares():
    ((name, mean, sd, two, three),) = share_rows(scores(0.10, 0.11, 0.15), ARMS, [2, 3, 4], 9)
    assert (name, mean) == ("fresh - static", "+0.1200")
    assert sd == f"{np.std([0.10, 0.11, 0.15], ddof=1):.4f}"
    assert two.startswith("33% (")
    assert three.startswith("100% (")


def test_it_reads_a_comparison_and_leaves_unfinished_seeds_out(tmp_path, capsys):
    world = TabularWorld(topics=2, levels=4, variants=2, responses=6)
    setting = Comparison.suited(
        world, creators=("static", "fresh"), solvers=("dpo",), seeds=3, oracle=False, rounds=2,
        prompts=8, samples=3, draws=20,
    )  # fmt: skip
    folder = tmp_path / "run"
    assert compare(Command(setting, 1, folder), ["compare"]) == 0
    (folder / "cells" / "fresh-dpo" / "seed-0001" / "final.jsonl").unlink()
    capsys.readouterr()
    main(folder, (2,), 10)
    shown = capsys.readouterr().out
    assert "Share of sub-samples of 2 seeds that decide" in shown
    assert "fresh - static" in shown
    (folder / "cells" / "fresh-dpo" / "seed-0002" / "final.jsonl").unlink()
    with pytest.raises(ValueError, match="has 1 complete seeds"):
        main(folder, (2,), 10)
