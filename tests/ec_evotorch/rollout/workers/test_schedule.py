"""Laws of the schedule: every row is played and counted once, in whatever order workers answer and are lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ec_evotorch.rollout.workers import schedule as module
from ec_evotorch.rollout.workers.schedule import MOST_LOSSES, Schedule


def started(count, timeout=10.0, needs_copies=False):
    """A schedule at time 0 whose workers have all started, and are idle after a generation without rows."""
    schedule = Schedule(count, timeout, needs_copies=needs_copies, now=0.0)
    schedule.begin(0, 0, 0.0)
    while waited_for := list(schedule.waited_for):
        schedule.take_calls(0.0)
        for call in waited_for:
            schedule.answered(call.worker, 0.0)
    schedule.take_calls(0.0)
    return schedule


def described(calls):
    """Calls as (worker, method), or (worker, first row, row after the last one) for plays."""
    return [(call.worker, *call.rows) if call.method == "play" else (call.worker, call.method) for call in calls]


# --- by hand ---


def test_a_worker_starts_is_told_what_to_do_and_plays():
    schedule = Schedule(1, 10.0, needs_copies=False, now=0.0)
    schedule.begin(0, 2, 0.0)
    assert described(schedule.take_calls(0.0)) == [(0, "ready")]
    schedule.answered(0, 1.0)
    assert described(schedule.take_calls(1.0)) == [(0, "begin"), (0, 0, 1), (0, 1, 2)]
    for now in (2.0, 3.0, 4.0):
        assert not schedule.is_played(0, 2)
        schedule.answered(0, now)
    assert schedule.is_played(0, 2)
    assert not schedule.is_counted
    assert described(schedule.take_calls(4.0)) == [(0, "hand_over")]
    schedule.answered(0, 5.0)
    assert schedule.is_counted
    assert schedule.take_calls(5.0) == []


def test_each_worker_gets_two_ranges_at_first_and_another_for_each_that_it_answers():
    schedule = started(2)
    schedule.begin(0, 64, 0.0)
    calls = schedule.take_calls(0.0)
    assert described(calls)[2:] == [(0, 0, 4), (1, 4, 8), (0, 8, 12), (1, 12, 16)]
    for _ in range(3):
        schedule.answered(1, 1.0)
    assert described(schedule.take_calls(1.0)) == [(1, 16, 19), (1, 19, 22)]


def test_ranges_get_shorter_but_not_without_end():
    schedule, sizes = started(1), []
    schedule.begin(0, 640, 0.0)
    while not schedule.is_counted:
        sizes += [call.rows[1] - call.rows[0] for call in schedule.take_calls(0.0) if call.method == "play"]
        schedule.answered(0, 0.0)
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-2]) == (80, 10)
    assert sum(sizes) == 640


def test_rows_may_begin_anywhere():
    schedule = started(1)
    schedule.begin(100, 102, 0.0)
    assert described(schedule.take_calls(0.0)) == [(0, "begin"), (0, 100, 101), (0, 101, 102)]
    for _ in range(2):
        schedule.answered(0, 0.0)
    assert schedule.is_played(100, 101)
    assert not schedule.is_played(100, 102)


def test_what_a_lost_worker_has_not_answered_or_handed_over_is_played_again_first():
    schedule = started(2)
    schedule.begin(0, 64, 0.0)
    schedule.take_calls(0.0)
    schedule.answered(0, 1.0)
    schedule.answered(0, 1.0)  # rows 0 to 3 are played, and their states counted by worker 0 alone
    loss = schedule.lost(0, 2.0)
    assert (loss.call.rows, loss.in_a_row, loss.ends_the_run) == ((8, 12), 1, False)
    assert schedule.is_played(0, 4)
    for _ in range(3):
        schedule.answered(1, 3.0)
    assert described(schedule.take_calls(3.0)) == [(2, "ready"), (1, 8, 12), (1, 0, 4)]


def test_what_a_lost_worker_has_handed_over_is_not_played_again():
    schedule = started(1)
    schedule.begin(0, 1, 0.0)
    schedule.take_calls(0.0)
    schedule.answered(0, 0.0)
    schedule.answered(0, 0.0)
    schedule.take_calls(0.0)
    schedule.answered(0, 0.0)
    assert schedule.is_counted
    schedule.begin(0, 1, 0.0)
    schedule.take_calls(0.0)
    schedule.lost(0, 0.0)
    schedule.take_calls(0.0)
    schedule.answered(1, 0.0)
    assert described(schedule.take_calls(0.0)) == [(1, "begin"), (1, 0, 1)]


def test_answers_of_a_generation_that_was_given_up_do_not_count():
    schedule = started(1)
    schedule.begin(0, 8, 0.0)
    schedule.take_calls(0.0)
    schedule.begin(0, 8, 0.0)
    schedule.take_calls(0.0)
    begin, *plays = (schedule.answered(0, 0.0) for _ in range(3))
    assert begin.method == "begin"
    assert [play.counts for play in plays] == [False, False]
    assert not any(schedule.is_played(row, row + 1) for row in range(8))
    assert described(schedule.take_calls(0.0)) == [(0, 0, 1), (0, 1, 2)]


def test_a_lost_worker_takes_its_plays_of_a_generation_that_was_given_up_with_it():
    schedule = started(1)
    schedule.begin(0, 8, 0.0)
    schedule.take_calls(0.0)
    schedule.begin(0, 8, 0.0)
    schedule.lost(0, 0.0)
    assert described(schedule.take_calls(0.0)) == [(1, "ready")]
    schedule.answered(1, 0.0)
    assert described(schedule.take_calls(0.0)) == [(1, "begin"), (1, 0, 1), (1, 1, 2)]


def test_the_same_rows_may_not_lose_many_workers():
    schedule = started(MOST_LOSSES + 1)
    schedule.begin(0, 1, 0.0)
    for in_a_row in range(1, MOST_LOSSES + 1):
        (play,) = [call for call in schedule.take_calls(0.0) if call.method == "play"]
        schedule.answered(play.worker, 0.0)  # "begin"
        loss = schedule.lost(play.worker, 0.0)
        assert (loss.in_a_row, loss.ends_the_run) == (in_a_row, in_a_row == MOST_LOSSES)


def test_a_worker_and_its_replacements_may_not_all_die_before_they_play():
    schedule = Schedule(2, 10.0, needs_copies=False, now=0.0)
    schedule.begin(0, 4, 0.0)
    schedule.take_calls(0.0)
    lost = [schedule.lost(number, 0.0) for number in (0, 2, 3)]
    assert [loss.in_a_row for loss in lost] == [1, 2, 3]
    assert schedule.lost(1, 0.0).in_a_row == 1


def test_who_has_played_something_begins_to_count_losses_anew():
    schedule = Schedule(1, 10.0, needs_copies=False, now=0.0)
    schedule.begin(0, 8, 0.0)
    for number, expected in ((0, 1), (1, 2)):
        assert schedule.lost(number, 0.0).in_a_row == expected
    schedule.take_calls(0.0)
    for _ in range(3):
        schedule.answered(2, 0.0)
        schedule.take_calls(0.0)
    assert schedule.lost(2, 0.0).in_a_row == 1


# --- copies of the search ---


def test_copies_are_adopted_once_and_learn_until_they_are_forgotten():
    schedule = started(1, needs_copies=True)
    schedule.begin(0, 1, 0.0)
    schedule.take_calls(0.0)
    while not schedule.is_counted:
        schedule.answered(0, 0.0)
        schedule.take_calls(0.0)
    schedule.learn(0.0)
    schedule.begin(0, 1, 0.0)
    assert described(schedule.take_calls(0.0)) == [(0, "learn"), (0, "begin"), (0, 0, 1)]
    schedule.forget_copies()
    schedule.learn(0.0)
    schedule.begin(0, 1, 0.0)
    assert described(schedule.take_calls(0.0)) == [(0, "adopt"), (0, "begin"), (0, 0, 1)]


def test_a_replacement_adopts_a_copy_and_learns_from_the_next_generation_on():
    schedule = started(1, needs_copies=True)
    schedule.begin(0, 4, 0.0)
    schedule.take_calls(0.0)
    schedule.lost(0, 0.0)
    schedule.learn(0.0)
    assert described(schedule.take_calls(0.0)) == [(1, "ready")]
    schedule.answered(1, 0.0)
    assert described(schedule.take_calls(0.0))[:2] == [(1, "adopt"), (1, "begin")]
    schedule.learn(0.0)
    assert described(schedule.take_calls(0.0)) == [(1, "learn")]


# --- time ---


def test_a_worker_is_overdue_when_a_call_takes_longer_than_it_may():
    schedule = started(2, timeout=10.0)
    schedule.begin(0, 64, 100.0)
    schedule.take_calls(100.0)
    assert schedule.overdue(109.5) == []
    assert schedule.overdue(110.0) == [0, 1]
    schedule.answered(1, 109.0)
    assert schedule.overdue(110.5) == [0]
    assert schedule.overdue(119.5) == [0, 1]


def test_neither_an_idle_worker_nor_one_that_starts_is_overdue():
    idle, starting = started(1), Schedule(1, 10.0, needs_copies=False, now=0.0)
    assert list(idle.waited_for) == []
    for schedule in (idle, starting):
        assert schedule.overdue(1e9) == []
        assert schedule.seconds_to_wait(1e9) == 1.0


@pytest.mark.parametrize(("now", "seconds"), [(0.0, 1.0), (8.75, 1.0), (9.5, 0.5), (10.0, 0.0), (12.0, 0.0)])
def test_nobody_waits_for_longer_than_a_worker_may_take(now, seconds):
    schedule = started(1, timeout=10.0)
    schedule.begin(0, 8, 0.0)
    schedule.take_calls(0.0)
    assert schedule.seconds_to_wait(now) == seconds


def test_workers_that_start_late_are_complained_of_once():
    schedule = Schedule(3, 10.0, needs_copies=False, now=0.0)
    schedule.begin(0, 8, 0.0)
    schedule.answered(0, 1.0)
    late = module.SECONDS_BEFORE_COMPLAINT + 0.5
    assert not schedule.starts_late(module.SECONDS_BEFORE_COMPLAINT)
    assert schedule.num_starting == 2
    assert [schedule.starts_late(late), schedule.starts_late(late)] == [True, False]
    schedule.lost(0, late)
    assert [schedule.starts_late(2 * late + 1), schedule.starts_late(3 * late)] == [True, False]


def test_only_where_no_worker_starts_is_there_no_hope():
    schedule = Schedule(2, 10.0, needs_copies=False, now=0.0)
    schedule.begin(0, 8, 0.0)
    assert not schedule.starts_never(module.START_SECONDS)
    assert schedule.starts_never(module.START_SECONDS + 1)
    schedule.answered(1, module.START_SECONDS + 1)
    assert not schedule.starts_never(module.START_SECONDS + 2)


# --- whatever happens ---


class Cast:
    """Workers as they really are: each answers its calls in their order, counts what it plays, and hands it over."""

    def __init__(self, schedule):
        self.schedule, self.to_answer, self.has_counted = schedule, {}, {}
        self.has_copy, self.generation, self.begun = {}, 0, {}
        self.played, self.handed_over = set(), []

    def begin(self, first_row, stop_row):
        self.generation += 1
        self.schedule.begin(first_row, stop_row, 0.0)
        self.played, self.handed_over = set(), []

    def make_calls(self):
        for call in self.schedule.take_calls(0.0):
            if call.method == "ready":
                self.to_answer[call.worker], self.has_counted[call.worker] = [], []
            self.to_answer[call.worker].append((call, self.generation))

    def answer(self, number):
        call, generation = self.to_answer[number].pop(0)
        if call.method == "adopt":
            self.has_copy[number] = True
        elif call.method == "begin":
            assert self.has_copy.get(number) or not self.schedule._needs_copies
            self.begun[number], self.has_counted[number] = generation, []
        elif call.method == "learn":
            assert self.has_copy[number]
        elif call.method == "play":
            assert self.begun[number] == generation
            self.has_counted[number] += range(*call.rows)
        elif call.method == "hand_over" and call.counts:
            self.handed_over += self.has_counted[number]
        if call.method == "hand_over":
            self.has_counted[number] = []
        assert self.schedule.answered(number, 0.0) is call
        if call.method == "play" and call.counts:
            assert generation == self.generation
            self.played |= set(range(*call.rows))

    def lose(self, number):
        loss = self.schedule.lost(number, 0.0)
        assert loss.call is self.to_answer.pop(number)[0][0]

    @property
    def busy(self):
        return sorted(number for number, calls in self.to_answer.items() if calls)


EVENT = st.tuples(st.sampled_from(["answer"] * 12 + ["lose"] * 3 + ["begin", "learn"]), st.integers(0, 99))
EVENTS = st.lists(EVENT, min_size=20, max_size=80)


@given(st.integers(1, 5), st.integers(0, 40), st.integers(0, 9), st.booleans(), EVENTS)
def test_every_row_is_played_and_its_states_are_handed_over_exactly_once(count, popsize, first, needs_copies, events):
    schedule = Schedule(count, 10.0, needs_copies=needs_copies, now=0.0)
    cast, rows = Cast(schedule), range(first, first + popsize)
    cast.begin(first, first + popsize)
    # First anything may happen, also a generation that is given up; then all workers that are left answer in turn.
    for event, which in [*events, *[("answer", k) for k in range(100 * (count + popsize))]]:
        cast.make_calls()
        assert schedule.is_played(first, first + popsize) == (cast.played == set(rows))
        assert schedule.is_counted == (sorted(cast.handed_over) == list(rows))
        assert {call.worker for call in schedule.waited_for} == set(cast.busy)
        if event == "begin":
            cast.begin(first, first + popsize)
        elif event == "learn":
            schedule.learn(0.0)
        elif cast.busy:
            number = cast.busy[which % len(cast.busy)]
            cast.answer(number) if event == "answer" else cast.lose(number)
    assert cast.played == set(rows)
    assert sorted(cast.handed_over) == list(rows)
    assert cast.busy == []
    assert len(cast.to_answer) == count
