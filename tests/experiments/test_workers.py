"""Jobs on worker processes: results, failures and deaths."""

import os

from experiments.run.workers import Event, Workers


def count(job):
    for i in range(job):
        yield i, job * i


def stumble(job):
    yield "started"
    if job == "raise":
        raise ValueError("no luck")
    if job == "die":
        os._exit(3)


def test_every_job_yields_its_rows_in_order_and_then_ends():
    with Workers(count, 2) as workers:
        events = list(workers.run([3, 0, 2]))
    for job in (3, 0, 2):
        reported = [event for event in events if event.job == job]
        assert reported == [Event(job, row) for row in count(job)] + [Event(job)]


def test_a_job_that_fails_or_dies_leaves_the_others_alone():
    with Workers(stumble, 1) as workers:
        events = list(workers.run(["die", "raise", "fine"]))
    ends = {event.job: event.failure for event in events if event.row is None}
    assert ends["fine"] is None
    assert ends["raise"].endswith("ValueError: no luck\n")
    assert ends["die"] == "process died, exit status 3"
    assert [event.job for event in events if event.row] == ["die", "raise", "fine"]


def name(job):
    yield os.getpid()


def test_the_same_processes_serve_all_stages_and_end_with_the_context(tmp_path, monkeypatch):
    """In a folder with a file that Python would import in the place of its own."""
    (tmp_path / "multiprocessing.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with Workers(name, 1) as workers:
        (first, *_), (second, *_) = (list(workers.run(["a"])) for _ in range(2))
        assert first.row == second.row
        (process, _) = workers.idle[0]
    process.join(10)
    assert process.exitcode is not None
    assert "PYTHONSAFEPATH" not in os.environ
