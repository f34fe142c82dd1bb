"""Laws of Ray workers: they change no result, send few bytes, and may be lost at any moment."""

import os
import pickle
import signal
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import ray
import torch
from evotorch.algorithms import CEM, PGPE, SNES
from ray.cluster_utils import Cluster

from agents import RSNN
from ec_evotorch import PPO, ActorCriticEC, EvolutionStrategy, EvolvingConnectivity, RolloutProblem
from ec_evotorch.rollout.workers import schedule
from ec_evotorch.rollout.workers.driver import WorkerError
from ec_evotorch.rollout.workers.ray_cluster import connect_to_ray
from envs import make_vec

SEARCHERS = {
    "ec": partial(EvolvingConnectivity, center_learning_rate=0.1),
    "es": partial(EvolutionStrategy, stdev=0.3, center_learning_rate=0.15),
    "pgpe": partial(PGPE, center_learning_rate=0.1, stdev_learning_rate=0.1, stdev_init=0.3, optimizer="clipup"),
    "snes": partial(SNES, stdev_init=0.3),
    "cem": partial(CEM, stdev_init=0.3, parenthood_ratio=0.5),
}
BOOLEAN, REAL = ("ec",), ("es", "pgpe", "snes", "cem")
MOST_OVERHEAD = 2048  # bytes a generation and worker that do not depend on the population
slow = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def local_ray():
    """One Ray for all tests but the last; what this file defines travels by value, for workers cannot import it."""
    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    connect_to_ray(4)
    yield
    ray.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture
def make_problem():
    """Makes problems, and ends their workers after the test."""
    made = []

    def make(env="InvertedPendulum-v5", connections="boolean", **kwargs):
        env = partial(make_vec, env) if isinstance(env, str) else env
        agent = partial(RSNN, num_neurons=8, connections=connections)
        made.append(RolloutProblem(env, agent, **{"num_envs": 4, "seed": 3, **kwargs}))
        return made[-1]

    yield make
    for problem in made:
        problem.kill_actors()


def history(problem, names, num_generations=3, **kwargs):
    """What can be seen of searches that follow one another on a problem."""
    seen = []
    for name in names:
        search = SEARCHERS[name](problem, **{"popsize": 10, **kwargs})
        for _ in range(num_generations):
            search.step()
            status = dict(search.status)
            seen.append({key: status[key] for key in ("mean_eval", "best_eval", "mean_return", "mean_episode_length")})
            seen[-1]["steps"] = status["total_interaction_count"]
            seen[-1]["center"] = status["prob" if name == "ec" else "center"].tolist()
            seen[-1]["normalizer"] = [problem.normalizer.mean.tolist(), problem.normalizer.stdev.tolist()]
    return seen


@pytest.fixture(scope="module")
def histories():
    """What the searches come to without workers."""
    found = {}

    def find(names, connections, env="InvertedPendulum-v5"):
        agent = partial(RSNN, num_neurons=8, connections=connections)
        if (names, env) not in found:
            problem = RolloutProblem(partial(make_vec, env), agent, num_envs=4, num_episodes=2, seed=3)
            found[names, env] = history(problem, names)
        return found[names, env]

    return find


# --- the start of Ray ---


@pytest.mark.parametrize(("num_workers", "room"), [(1, 1), (3, 3)])
def test_ray_has_room_for_the_workers_and_for_the_threads_that_the_process_may_use(num_workers, room, monkeypatch):
    asked = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *arguments, **settings: asked.append((*arguments, settings["num_cpus"])))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    connect_to_ray(num_workers)
    assert asked == [("local", room)]


# --- results ---


@pytest.mark.parametrize(
    ("num_actors", "connections", "names", "scalar_only"),
    [
        pytest.param(2, "real", REAL, False, marks=slow),
        (3, "boolean", BOOLEAN, True),
        *(pytest.param(k, "real", REAL, False, marks=slow) for k in (1, 3)),
        *(pytest.param(k, "boolean", BOOLEAN, False, marks=slow) for k in (1, 2, 3)),
        *(pytest.param(k, "boolean", BOOLEAN, True, marks=slow) for k in (1, 2)),
        *(pytest.param(k, "real", ("es",), True, marks=slow) for k in (1, 2, 3)),
    ],
)
def test_workers_change_no_bit(num_actors, connections, names, scalar_only, make_problem, histories):
    problem = make_problem(connections=connections, num_actors=num_actors, num_episodes=2, scalar_only=scalar_only)
    assert problem.num_actors == num_actors
    assert problem.actors is None
    assert history(problem, names) == histories(names, connections)
    assert len(problem.actors) == num_actors


@slow
def test_chunks_and_new_workers_change_no_bit(make_problem):
    alone, shared = make_problem(), make_problem(num_actors=1)
    expected = history(alone, ["ec", "ec"])
    assert history(shared, ["ec"], chunk_size=3) == expected[:3]
    shared.kill_actors()
    assert shared.actors is None
    assert history(shared, ["ec"], chunk_size=4) == expected[3:]


# --- bytes ---


@pytest.fixture(scope="module")
def scalar_problem():
    """Two workers with copies of the search, which several tests share."""
    agent = partial(RSNN, num_neurons=8)
    problem = RolloutProblem(
        partial(make_vec, "InvertedPendulum-v5"), agent, num_envs=4, seed=3, num_actors=2, scalar_only=True
    )
    yield problem
    problem.kill_actors()


def test_few_bytes_travel(scalar_problem):
    SEARCHERS["ec"](scalar_problem, popsize=4).step()
    ray.get([actor.ready.remote() for actor in scalar_problem.actors])
    travelled = {}
    for popsize in (200, 1000):
        search = SEARCHERS["ec"](scalar_problem, popsize=popsize)
        for generation in range(3):
            search.step()
            status = search.status
            travelled[popsize] = status["bytes_sent"] + status["bytes_received"]
            assert 12 * popsize < travelled[popsize] <= 16 * popsize + 2 * MOST_OVERHEAD
            assert (status["startup_bytes_sent"] > 4 * scalar_problem.solution_length) == (generation == 0)
    assert travelled[1000] - travelled[200] <= 16 * 800 + 2 * MOST_OVERHEAD / 4


def test_a_copy_that_has_learned_something_else_stops_the_search(scalar_problem):
    search = SEARCHERS["ec"](scalar_problem, popsize=4)
    search.step()
    other = pickle.loads(pickle.dumps(search._learner))
    other.distribution = other.distribution.modified_copy(rho=other.distribution.rho.nextafter(torch.tensor(1.0)))
    ray.get(scalar_problem.actors[0].adopt.remote(pickle.dumps(other)))
    with pytest.raises(WorkerError, match="copy of the search has learned something else"):
        search.run(2)


def test_a_batch_that_no_copy_knows_is_refused(scalar_problem):
    with pytest.raises(ValueError, match="scalar_only: expected the population that a searcher of this package"):
        scalar_problem.evaluate(scalar_problem.generate_batch(3))


def test_without_workers_no_bytes_are_reported(make_problem):
    search = SEARCHERS["ec"](make_problem(), popsize=4)
    search.step()
    assert not {"bytes_sent", "bytes_received", "replaced_workers"} & set(search.status)


# --- losses ---


def sabotaged(deed, num_envs, num_threads):
    """An environment that does something before each reset."""
    env = make_vec("InvertedPendulum-v5", num_envs=num_envs, num_threads=num_threads)
    reset = env.reset

    def deed_and_reset(**kwargs):
        deed()
        return reset(**kwargs)

    env.reset = deed_and_reset
    return env


class Once:
    """A deed in the fourth reset of one process, whichever gets there first."""

    def __init__(self, deed, marker):
        self._deed, self._marker, self._resets = deed, marker, 0

    def __call__(self):
        self._resets += 1
        if self._resets == 4 and not self._marker.exists():
            self._marker.touch()
            self._deed()


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def raise_error():
    raise ValueError("a wheel fell off")


@pytest.mark.parametrize(
    ("name", "connections", "scalar_only"),
    [
        ("es", "real", True),
        pytest.param("ec", "boolean", True, marks=slow),
        pytest.param("snes", "real", False, marks=slow),
    ],
)
def test_a_worker_killed_in_mid_generation_is_replaced(name, connections, scalar_only, make_problem, tmp_path):
    env = partial(sabotaged, Once(kill_this_process, tmp_path / "marker"))
    problem = make_problem(env, connections, num_actors=2, scalar_only=scalar_only)
    expected = history(make_problem(connections=connections), [name], popsize=40)
    assert history(problem, [name], popsize=40) == expected
    assert problem.status["replaced_workers"] == 1
    assert problem.status["total_episode_count"] == 3 * 40


def test_a_worker_that_hangs_is_replaced(make_problem, tmp_path):
    env = partial(sabotaged, Once(partial(time.sleep, 600.0), tmp_path / "marker"))
    problem = make_problem(env, num_actors=2, actor_timeout=6.0)
    assert history(problem, ["ec"], popsize=40) == history(make_problem(), ["ec"], popsize=40)
    assert problem.status["replaced_workers"] >= 1  # a busy machine may be slow enough for another


def test_rows_that_kill_every_worker_end_the_search(make_problem, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_LOSSES", 2)
    search = SEARCHERS["ec"](make_problem(partial(sabotaged, kill_this_process), num_actors=1), popsize=20)
    with pytest.raises(WorkerError, match="rows 0 to 2 of generation 1: 2 workers were lost one after the other"):
        search.step()


def test_an_exception_names_its_rows(make_problem):
    search = SEARCHERS["ec"](make_problem(partial(sabotaged, raise_error), num_actors=1), popsize=20)
    with pytest.raises(WorkerError, match=r"rows 0 to 2 of generation 1: ValueError\('a wheel fell off'\)"):
        search.step()


def test_workers_that_cannot_start_end_the_search(make_problem, monkeypatch):
    def only_here(here, num_envs, num_threads):
        if os.getpid() != here:
            raise ValueError("there are no wheels")
        return make_vec("InvertedPendulum-v5", num_envs=num_envs, num_threads=num_threads)

    monkeypatch.setattr(schedule, "MOST_LOSSES", 1)
    search = SEARCHERS["ec"](make_problem(partial(only_here, os.getpid()), num_actors=1), popsize=4)
    with pytest.raises(WorkerError, match="there are no wheels"):
        search.step()


class Occupant:
    """Needs a CPU and does nothing with it."""

    def stay(self):
        """Answers once there was room."""


def test_workers_for_which_there_is_no_room_are_waited_for_and_then_given_up(
    make_problem, scalar_problem, monkeypatch, caplog
):
    monkeypatch.setattr(schedule, "START_SECONDS", 2.0)
    monkeypatch.setattr(schedule, "SECONDS_BEFORE_COMPLAINT", 1.0)
    room = int(ray.cluster_resources()["CPU"]) - len(scalar_problem.actors or ())
    occupants = [ray.remote(num_cpus=1)(Occupant).remote() for _ in range(room)]
    ray.get([occupant.stay.remote() for occupant in occupants])
    search = SEARCHERS["ec"](make_problem(num_actors=1), popsize=4)
    with pytest.raises(WorkerError, match="1 of 1 workers have not started; Ray has 0 free CPUs, each needs 1"):
        search.step()
    assert "waiting, see `ray status`" in caplog.text


def test_what_cannot_be_sent_to_workers_is_refused(make_problem):
    env = partial(sabotaged, threading.Lock().acquire)
    with pytest.raises(ValueError, match="env, agent: expected functions that can be pickled, for the workers; cannot"):
        make_problem(env, num_actors=1)


@pytest.mark.parametrize(("searcher", "connections"), [(PPO, "real"), (ActorCriticEC, "boolean")])
def test_actor_critics_refuse_workers(searcher, connections, make_problem):
    message = f"num_actors: {searcher.__name__} collects in one process, expected 0, got 2"
    with pytest.raises(ValueError, match=message):
        searcher(make_problem(connections=connections, num_actors=2))


def test_a_lost_machine_does_not_lose_the_search(make_problem):
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        other_machine = cluster.add_node(num_cpus=1)
        ray.init(cluster.address, logging_level="ERROR", log_to_driver=False)
        problem = make_problem(partial(sabotaged, partial(time.sleep, 0.05)), num_actors=2)
        search = SEARCHERS["ec"](problem, popsize=40)
        search.run(2)
        assert len({node["NodeID"] for node in ray.nodes() if node["Alive"]}) == 2
        loss = threading.Timer(0.3, cluster.remove_node, [other_machine], {"allow_graceful": False})
        loss.start()
        search.step()  # 40 rows of 0.05 seconds by two workers
        loss.join()
        search.run(2)
        expected = SEARCHERS["ec"](make_problem(), popsize=40)
        expected.run(5)
        assert torch.equal(search.status["prob"], expected.status["prob"])
        np.testing.assert_array_equal(problem.normalizer.stdev, expected.problem.normalizer.stdev)
        assert search.status["replaced_workers"] == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
