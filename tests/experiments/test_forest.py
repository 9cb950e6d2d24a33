"""The forest plot in text: dots, intervals and zero where the numbers say."""

from experiments.comparison.forest import WIDTH, forest


def row(a, b, mean, low, high):
    return {"family": "main", "a": a, "b": b, "mean": mean, "low": low, "high": high}


def summary(*rows):
    return {"metric": "win_rate", "comparisons": list(rows)}


def test_marks_stand_where_the_numbers_say():
    """From -0.1 to 0.37 one column is 0.01, so that zero is column 10."""
    better, open_ = row("eva", "static", 0.2, 0.1, 0.37), row("eva", "uniform", 0.0, -0.1, 0.1)
    first, second, scale = forest(summary(better, open_))
    width = len("eva - uniform") + 2
    assert len(scale) == width + 11
    assert scale[width + 10] == "0"
    assert first[width : width + WIDTH] == " " * 10 + "|" + " " * 9 + "-" * 10 + "o" + "-" * 17
    assert second[width : width + WIDTH].rstrip() == "-" * 10 + "o" + "-" * 10
    assert first.endswith("+20.0 points")


def test_a_difference_below_zero_lies_left_of_it():
    line, scale = forest(summary(row("a", "b", -0.3, -0.5, -0.1)))
    assert line.index("o") < scale.index("0")
    assert line.endswith("-30.0 points")


def test_one_seed_has_no_interval_and_no_line():
    assert forest(summary(row("a", "b", 0.1, None, None))) == []
