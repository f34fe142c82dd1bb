"""Progress tells steps, speed and returns, and is silent when asked to be."""

import io
import multiprocessing

from rich.console import Console

from experiments.training.progress import BarProgress, LineProgress, make_progress

ROW = {"steps": 50_000, "steps_per_second": 9876.5, "mean_return": 12.34}


def test_a_line_tells_steps_speed_and_returns():
    stream = io.StringIO()
    LineProgress(100_000, stream).update({**ROW, "center_return_mean": 56.78})
    assert stream.getvalue() == " 50%  50.0k/100.0k steps  9,876/s  mean 12.3  centre 56.8\n"


def test_lines_come_ten_seconds_apart_but_the_last_comes_at_once():
    stream = io.StringIO()
    times = iter([0.0, 9.0, 11.0, 12.0])
    lines = LineProgress(100_000, stream, clock=lambda: next(times))
    for steps in (1_000, 2_000, 3_000, 100_000):
        lines.update({**ROW, "steps": steps})
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == [
        "1.0k/100.0k",
        "3.0k/100.0k",
        "100.0k/100.0k",
    ]


def test_the_latest_return_of_the_centre_stays_in_sight():
    stream = io.StringIO()
    lines = LineProgress(50_000, stream)
    lines.update({**ROW, "center_return_mean": 56.78})
    lines.update(ROW)
    assert stream.getvalue().splitlines()[1].endswith("centre 56.8")


def test_the_bar_shows_what_a_line_shows():
    stream = io.StringIO()
    with BarProgress(100_000, Console(file=stream, force_terminal=True, width=100)) as bar:
        bar.update(ROW)
    assert "50.0k/100.0k steps  9,876/s  mean 12.3" in stream.getvalue()


def test_progress_that_is_switched_off_writes_nothing():
    stream = io.StringIO()
    with make_progress(100_000, enabled=False, name="run", stream=stream) as progress:
        progress.update(ROW)
        progress.say("done")
    assert stream.getvalue() == ""


def test_a_stream_that_is_no_terminal_gets_plain_lines():
    assert isinstance(make_progress(100_000, enabled=True, name="run", stream=io.StringIO()), LineProgress)


def test_in_a_process_of_several_lines_begin_with_the_name_of_the_run_even_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(multiprocessing.current_process(), "_name", "LokyProcess-1")
    with make_progress(100_000, enabled=True, name="hopper-seed0", stream=terminal) as progress:
        progress.update(ROW)
        progress.say("done")
    assert terminal.getvalue().splitlines() == [
        "hopper-seed0:  50%  50.0k/100.0k steps  9,876/s  mean 12.3",
        "hopper-seed0: done",
    ]
