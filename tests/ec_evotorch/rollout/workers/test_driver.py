"""The driver with workers in this process, which answer in any order and are lost at any moment; without Ray."""

import copy
import pickle
import random
from functools import partial

import numba
import numpy as np
import pytest
import torch

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from ec_evotorch.rollout import problem as problem_module
from ec_evotorch.rollout.workers import driver, schedule
from ec_evotorch.rollout.workers.cluster import CallFailed, WorkerLost
from ec_evotorch.rollout.workers.driver import WorkerError
from ec_evotorch.rollout.workers.worker import Worker
from envs import make_vec

ENV, AGENT = partial(make_vec, "InvertedPendulum-v5"), partial(RSNN, num_neurons=8)


class Actor:
    """A worker in this process with the calls that it has not answered yet."""

    def __init__(self, make_problem):
        self.worker, self.calls = Worker(make_problem), []


class InProcessCluster:
    """A cluster whose workers answer in an order that a seed decides, one or several at once, and some are lost before.

    Attributes:
        losses: How many workers may still be lost.
        time: What `now` returns.
    """

    def __init__(self, seed=0, losses=0):
        self._random, self.losses, self.time = random.Random(seed), losses, 0.0
        self._results, self._actors, self.silent = {}, [], False

    def __reduce__(self):
        return InProcessCluster, ()

    def connect(self, num_workers):
        pass

    def is_connected(self):
        return True

    def pickle(self, message):
        return pickle.dumps(message)

    def share(self, message):
        return message

    def start_worker(self, make_problem):
        self._actors.append(Actor(make_problem))
        return self._actors[-1]

    def end_worker(self, worker):
        self._actors.remove(worker)

    def call(self, worker, method, *message):
        answer = object()
        worker.calls.append((answer, method, message))
        return answer

    def wait(self, answers, seconds):
        if self.silent:
            self.time += seconds
            return []
        self.time += 0.01
        busy = [actor for actor in self._actors if actor.calls and actor.calls[0][0] in answers]
        return [self._answer(actor) for actor in self._random.sample(busy, self._random.randint(1, len(busy)))]

    def _answer(self, actor):
        answer, method, message = actor.calls.pop(0)
        if self.losses and self._random.random() < 0.1:
            self.losses -= 1
            self._results[answer] = WorkerLost("the plug was pulled")
        else:
            try:
                self._results[answer] = getattr(actor.worker, method)(*message)
            except Exception as error:
                self._results[answer] = CallFailed(error)
        return answer

    def result(self, answer):
        result = self._results.pop(answer)
        if isinstance(result, Exception):
            raise result
        return result

    def describe_room(self):
        return "there is no room"

    def now(self):
        return self.time


@pytest.fixture(autouse=True)
def threads_as_before():
    """A worker limits the threads of its process, which here is this one."""
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


@pytest.fixture
def make_problem(monkeypatch):
    """Makes problems whose workers live in a cluster of this process."""

    def make(cluster=None, env=ENV, **kwargs):
        monkeypatch.setattr(problem_module, "Workers", partial(driver.Workers, cluster=cluster))
        return RolloutProblem(env, AGENT, **{"num_envs": 4, "seed": 3, "num_threads": 1, **kwargs})

    return make


def history(problem, num_generations=3, **kwargs):
    settings = {"popsize": 30, "center_learning_rate": 0.1, "entropy_penalty": 0.4}
    search, seen = EvolvingConnectivity(problem, **{**settings, **kwargs}), []
    for _ in range(num_generations):
        search.step()
        status = search.status
        seen.append([status["mean_eval"], status["total_interaction_count"], status["prob"].tolist()])
        seen[-1] += [problem.normalizer.mean.tolist(), problem.normalizer.stdev.tolist()]
    return seen


@pytest.fixture(scope="module")
def expected():
    return history(RolloutProblem(ENV, AGENT, num_envs=4, num_threads=1, seed=3))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("settings", [{}, {"scalar_only": True}], ids=["rows", "copies"])
def test_neither_order_nor_losses_change_a_bit(seed, settings, make_problem, expected, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_LOSSES", 100)
    cluster = InProcessCluster(seed, losses=5)
    problem = make_problem(cluster, num_actors=3, **settings)
    assert history(problem) == expected
    assert cluster.losses == 0
    assert problem.status["replaced_workers"] == 5
    assert len(problem.actors) == 3


def test_workers_keep_the_limit_of_steps(make_problem):
    settings = {"env": partial(make_vec, "InvertedPendulum-v5", max_episode_steps=-1), "max_episode_steps": 7}
    shared = history(make_problem(InProcessCluster(), num_actors=2, **settings))
    assert shared == history(make_problem(**settings))
    assert shared[-1][1] <= 7 * 30 * 3


class LateStart(InProcessCluster):
    """A cluster whose other workers start in the moment in which the first one hands over what it has counted."""

    def wait(self, answers, seconds):
        first, *others = self._actors
        method = first.calls[0][1] if first.calls else None
        if method is None or first.calls[0][0] not in answers:
            return super().wait(answers, seconds)
        starting = [other for other in others if method == "hand_over" and other.calls[0][1] == "ready"]
        return [self._answer(actor) for actor in (first, *starting)]


@pytest.mark.parametrize("settings", [{}, {"scalar_only": True}], ids=["rows", "copies"])
def test_a_worker_may_start_in_the_moment_in_which_a_generation_ends(settings, make_problem, expected):
    assert history(make_problem(LateStart(), num_actors=2, **settings)) == expected


def test_chunks_change_no_bit(make_problem, expected):
    assert history(make_problem(InProcessCluster(), num_actors=2), chunk_size=7) == expected


def test_solutions_of_another_searcher_travel(make_problem):
    here, shared = make_problem(), make_problem(InProcessCluster(losses=1), num_actors=2)
    batches = [problem.generate_batch(9) for problem in (here, shared)]
    for _ in range(2):
        here.evaluate(batches[0])
        shared.evaluate(batches[1])
        assert torch.equal(batches[0].evals, batches[1].evals)
    assert shared.status["bytes_sent"] > 9 * shared.solution_length


def test_an_interrupted_generation_ends_the_workers_and_does_not_count(make_problem, expected):
    cluster = InProcessCluster()
    problem = make_problem(cluster, num_actors=2)
    search = EvolvingConnectivity(problem, popsize=30, center_learning_rate=0.1, entropy_penalty=0.4)
    search.step()
    wait, waits = cluster.wait, iter(range(8))

    def interrupted(answers, seconds):
        if next(waits, None) is None:
            raise KeyboardInterrupt
        return wait(answers, seconds)

    cluster.wait = interrupted
    with pytest.raises(KeyboardInterrupt):
        search.step()
    assert problem.actors is None
    cluster.wait = wait
    search.run(2)
    assert search.status["prob"].tolist() == expected[-1][2]
    assert problem.normalizer.stdev.tolist() == expected[-1][4]


@pytest.mark.parametrize("scalar_only", [False, True])
def test_workers_may_end_between_the_evaluation_and_the_learning(scalar_only, make_problem, expected):
    problem = make_problem(InProcessCluster(), num_actors=2, scalar_only=scalar_only)
    problem.after_eval_hook.append(lambda batch: problem.kill_actors())
    assert history(problem) == expected


class Broken:
    """An environment whose resets fail from the fourth one on."""

    def __init__(self, num_envs, num_threads):
        self._env, self._left = make_vec("InvertedPendulum-v5", num_envs, num_threads), 3

    def __getattr__(self, name):
        if name in ("_env", "_left", "rollout", "rest"):
            raise AttributeError(name)
        return getattr(self._env, name)

    def reset(self, **kwargs):
        self._left -= 1
        if self._left < 0:
            raise ValueError("a wheel fell off")
        return self._env.reset(**kwargs)


def test_an_exception_names_its_rows_and_ends_the_workers(make_problem):
    problem = make_problem(InProcessCluster(), Broken, num_actors=2)
    search = EvolvingConnectivity(problem, popsize=30)
    with pytest.raises(WorkerError, match=r"rows \d+ to \d+ of generation 1: ValueError\('a wheel fell off'\)"):
        search.run(5)
    assert problem.actors is None


def test_rows_that_lose_many_workers_end_the_search(make_problem, caplog):
    cluster = InProcessCluster()
    cluster._random.random = lambda: 0.0  # the next worker is always lost
    problem = make_problem(cluster, num_actors=1)
    search = EvolvingConnectivity(problem, popsize=20)
    cluster.losses = schedule.MOST_LOSSES
    with pytest.raises(
        WorkerError, match="a worker failed in ready: 3 workers were lost one after the other: the plug"
    ):
        search.step()
    assert caplog.text.count("a worker was lost and is replaced: the plug was pulled") == 3


def test_workers_that_never_answer_are_replaced_until_it_is_enough(make_problem):
    cluster = InProcessCluster()
    problem = make_problem(cluster, num_actors=2, actor_timeout=7.0)
    search = EvolvingConnectivity(problem, popsize=20)
    search.step()
    cluster.silent = True
    with pytest.raises(WorkerError, match="num_actors: 2 of 2 workers have not started; there is no room, and has not"):
        search.step()
    assert problem.status["replaced_workers"] == 0  # as of the last generation that ended


def test_a_batch_that_no_copy_knows_is_refused_before_workers_start(make_problem):
    problem = make_problem(InProcessCluster(), num_actors=1, scalar_only=True)
    with pytest.raises(ValueError, match="scalar_only: expected the population that a searcher of this package"):
        problem.evaluate(problem.generate_batch(3))
    assert problem.actors is None


def test_a_closed_problem_starts_no_workers(make_problem):
    problem = make_problem(InProcessCluster(), num_actors=1)
    search = EvolvingConnectivity(problem, popsize=4)
    search.step()
    problem.close()
    assert problem.actors is None
    with pytest.raises(Exception, match="the problem is closed"):
        search.step()
    assert problem.actors is None


def test_bytes_are_counted_both_ways(make_problem):
    problem = make_problem(InProcessCluster(), num_actors=2)
    search = EvolvingConnectivity(problem, popsize=30)
    search.step()
    status = dict(search.status)
    assert status["startup_bytes_sent"] > 0
    search.step()
    assert search.status["startup_bytes_sent"] == 0
    assert search.status["bytes_sent"] > 4 * problem.solution_length  # ρ
    assert search.status["bytes_received"] > 30 * 12  # a return and a length for each row
    np.testing.assert_equal(search.status["replaced_workers"], 0)


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
@pytest.mark.parametrize("settings", [{}, {"scalar_only": True}], ids=["rows", "copies"])
def test_a_copy_of_a_search_with_workers_starts_others_and_goes_on(settings, make_copy, make_problem):
    search = EvolvingConnectivity(make_problem(InProcessCluster(), num_actors=2, **settings), popsize=12)
    search.run(2)
    copied = make_copy(search)
    assert copied.problem.actors is None
    for each in (search, copied):
        each.run(2)
    assert torch.equal(copied.status["prob"], search.status["prob"])
    assert copied.problem.normalizer.mean.tolist() == search.problem.normalizer.mean.tolist()
    assert copied.status["total_interaction_count"] == search.status["total_interaction_count"]
    assert set(map(id, copied.problem.actors)).isdisjoint(map(id, search.problem.actors))
