"""On a device of Warp a problem plays what it plays without a device, to the last bit, given equal physics."""

import copy
import gc
import logging
import pickle
import sys
import weakref
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch
from evotorch.algorithms import PGPE
from gymnasium.error import ClosedEnvironmentError

from agents import GRU, LSTM, RNN, RSNN, ModuleAgent
from ec_evotorch import EvolutionStrategy, EvolvingConnectivity, Incumbent, Resumable, RolloutProblem, protocols
from ec_evotorch.distributions.philox_gaussian import PhiloxGaussian
from ec_evotorch.distributions.philox_normal import pair_noise
from ec_evotorch.generation.seeded_rows import SeededRows
from native.warp_device import find_device, load_warp

pytest.importorskip("warp", reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'")

from ec_evotorch.distributions.warp_gaussian import DeviceGaussian
from ec_evotorch.rollout.device import slots as device_slots
from tests.device import DEVICE, device_name
from tests.ec_evotorch.rollout.device.point_mass import PointMass

HARSH = partial(PointMass, breaks_at=0.4, unstable_at=0.9)  # most episodes are sound


MASK = {"density": {"kernel_h": 0.3, "kernel_out": 0.8}, "seed": 4}


def make_problem(device=None, *, env=PointMass, connections="boolean", mask=None, **settings):
    agent = partial(RSNN, num_neurons=24, connections=connections, connection_mask=mask)
    return RolloutProblem(env, agent, device=device, **{"num_envs": 4, "seed": 3} | settings)


def random_solutions(problem, count=10):
    return problem.agent.initial_solutions(count, torch.Generator().manual_seed(0))


def assert_same_episodes(played, expected):
    for field in fields(expected):
        values, others = getattr(played, field.name), getattr(expected, field.name)
        np.testing.assert_array_equal(values, others, err_msg=field.name)
        assert values.dtype == others.dtype


# --- episodes ---


@pytest.mark.parametrize("connections", ["boolean", "real", "sign"])
@pytest.mark.parametrize(
    "settings",
    [{"num_episodes": 2}, {"observation_normalization": False}, {"mask": MASK}],
    ids=["twice", "raw", "mask"],
)
def test_a_device_plays_what_the_cpu_plays(connections, settings):
    settings = settings | {"env": HARSH, "connections": connections, "max_episode_steps": 30}
    expected, problem = make_problem(**settings), make_problem(DEVICE, **settings)
    for one in (expected, problem):
        if one.normalizer is not None:
            one.normalizer.update(9, np.arange(6.0)[None], np.arange(6.0)[None] ** 2 + 7.0)
    solutions = random_solutions(expected, 20)
    played = problem.play(solutions, 5)
    assert_same_episodes(played, expected.play(solutions, 5))
    assert len(set(played.lengths)) > 5
    assert played.lengths.max() <= 30
    assert played.diverged.any()
    assert set(played.nonfinite) == {-1, 4}
    assert np.isfinite(played.returns).any()


DENSE = {
    "rnn": partial(RNN, num_neurons=24),
    "rnn boolean": partial(RNN, num_neurons=24, connections="boolean"),
    "rnn sign": partial(RNN, num_neurons=24, connections="sign"),
    "gru": partial(GRU, num_neurons=24),
    "lstm": partial(LSTM, num_neurons=24),
}


@pytest.mark.parametrize("name", DENSE)
def test_ordinary_units_play_what_they_play_on_the_cpu_up_to_rounding(name):
    def make(device=None, **settings):
        problem = RolloutProblem(HARSH, DENSE[name], device=device, seed=3, **{"num_envs": 4} | settings)
        problem.normalizer.update(9, np.arange(6.0)[None], np.arange(6.0)[None] ** 2 + 7.0)
        return problem

    expected, problem, wider = make(), make(DEVICE), make(DEVICE, num_envs=7)
    solutions = random_solutions(expected, 40)
    by_cpu, played, others = (one.play(solutions, 5) for one in (expected, problem, wider))
    assert_same_episodes(problem.play(solutions, 5), played)
    assert len(set(played.lengths)) > 5
    assert set(played.nonfinite) == {-1, 4}
    for other in (by_cpu, others):  # an episode may end a step later where something is on the edge
        alike = played.lengths == other.lengths
        assert alike.mean() >= 0.9
        for part in ("returns", "diverged", "nonfinite"):
            values = (getattr(episodes, part)[alike] for episodes in (played, other))
            np.testing.assert_allclose(*values, atol=1e-4, rtol=1e-5, err_msg=part)


def test_results_do_not_depend_on_the_number_of_slots():
    expected = make_problem(DEVICE)
    solutions = random_solutions(expected)
    played = expected.play(solutions, 0)
    assert_same_episodes(expected.play(solutions, 0), played)
    for num_envs in (1, 3, 10, 33):
        assert_same_episodes(make_problem(DEVICE, num_envs=num_envs).play(solutions, 0), played)


def test_more_episodes_than_before_are_captured_anew():
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    for count in (0, 2, 10, 3, 0):
        assert_same_episodes(problem.play(solutions[:count], 0), make_problem().play(solutions[:count], 0))


def test_an_output_that_is_not_finite_fails_the_episode_before_it_is_clipped():
    expected, problem = (make_problem(device, connections="real") for device in (None, DEVICE))
    solutions = random_solutions(problem)
    solutions[[2, 5]] = float("nan")
    solutions[7] = float("inf")
    played = problem.play(solutions, 0)
    assert_same_episodes(played, expected.play(solutions, 0))
    assert np.flatnonzero(np.isnan(played.returns)).tolist() == [2, 5, 7]


def test_what_an_interrupted_call_has_left_does_not_play_on(monkeypatch):
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    expected = problem.play(solutions, 0)
    whole, calls = load_warp().capture_launch, []

    def replay(graph):
        calls.append(graph)
        if len(calls) == 4:
            raise KeyboardInterrupt
        whole(graph)

    with monkeypatch.context() as patch:
        patch.setattr(load_warp(), "capture_launch", replay)
        with pytest.raises(KeyboardInterrupt):
            problem.play(solutions, 0)
    assert_same_episodes(problem.play(solutions[:3], 0), make_problem(DEVICE).play(solutions[:3], 0))
    assert_same_episodes(problem.play(solutions, 0), expected)


def test_what_an_interrupted_step_has_found_is_not_of_the_next_episode():
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    expected = problem.play(solutions, 0)
    problem._slots._results.found.fill_(2)  # as if a step had been interrupted between two launches
    assert_same_episodes(problem.play(solutions, 0), expected)


def test_arrays_that_cannot_grow_stay_as_long_as_one_another(monkeypatch):
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    problem.play(solutions[:2], 0)

    def fail(*arguments):
        raise RuntimeError("Failed to allocate 8 bytes on device 'cpu'")

    with monkeypatch.context() as patch:
        patch.setattr(device_slots, "Results", fail)
        with pytest.raises(RuntimeError, match="Failed to allocate"):
            problem.play(solutions, 0)
    slots = problem._slots
    assert slots._queue.capacity == len(slots._starts[1]) == 2
    assert_same_episodes(problem.play(solutions[:7], 0), make_problem(DEVICE).play(solutions[:7], 0))


def test_physics_without_room_fail_the_episode_and_say_so_once(caplog):
    problem = make_problem(DEVICE, num_envs=2)
    problem.env.on_device.overflowed.fill_(True)
    with caplog.at_level(logging.WARNING):
        for generation in range(2):
            played = problem.play(random_solutions(problem, 3), generation)
            assert played.diverged.all()
            assert np.isnan(played.returns).all()
    said = [record.getMessage() for record in caplog.records if "there was room for" in record.getMessage()]
    assert len(said) == 1


def test_one_solution_is_evaluated_tried_and_made_a_policy_of():
    expected, problem = make_problem(), make_problem(DEVICE)
    solution = random_solutions(problem)[0]
    for seed in (None, 4):
        returns = problem.evaluate_center(solution, 6, seed=seed)
        np.testing.assert_array_equal(returns, expected.evaluate_center(solution, 6, seed=seed))
    np.testing.assert_array_equal(problem.play_trial(solution, 3, 1), expected.play_trial(solution, 3, 1))
    assert problem.episode_statistics.counts == expected.episode_statistics.counts
    observation = np.linspace(-1.0, 1.0, 6)
    np.testing.assert_array_equal(problem.to_policy(solution)(observation), expected.to_policy(solution)(observation))


# --- searches ---


def search_ec(problem, **settings):
    return EvolvingConnectivity(problem, popsize=10, center_learning_rate=0.1, entropy_penalty=0.4, **settings)


class NoiseOfDevices(PhiloxGaussian):
    """Learns on the host from the same noise as on a device, in NumPy."""

    address = None

    def fill_rows(self, out, key, generation, first_row, popsize):
        NoiseOfDevices.address = key, generation
        super().fill_rows(out, key, generation, first_row, popsize)

    def updated(self, parts, utilities, optimizer, learning_rate):
        assert sum(map(len, parts)) == len(utilities)
        better, worse = np.split(utilities.numpy(), 2)
        total = np.zeros(len(self.center))
        for pair, difference in enumerate(better - worse):
            total += difference * pair_noise(len(self.center), *self.address, pair).astype(np.float64)
        gradient = torch.from_numpy((total / (len(utilities) * self.stdev)).astype(np.float32))
        return self._following(gradient, optimizer, learning_rate)


def search_es(problem, **settings):
    search = EvolutionStrategy(problem, **{"popsize": 10, "stdev": 0.3, "center_learning_rate": 0.1} | settings)
    if problem.device_of_rows is None:
        first = search.distribution
        search._learner.distribution = NoiseOfDevices(first.center, first.stdev, first.decay)
    return search


def search_pgpe(problem):
    return PGPE(problem, popsize=10, center_learning_rate=0.1, stdev_learning_rate=0.1, stdev_init=0.3)


COUNTED = ("mean_eval", "median_eval", "best_eval", "worst_eval", "mean_return", "total_interaction_count")


def assert_same_search(search, expected):
    for name in COUNTED:
        np.testing.assert_array_equal(search.status[name], expected.status[name], err_msg=name)  # NaN is NaN
    for name in ("best", "worst", "pop_best"):
        assert torch.equal(search.status[name].values, expected.status[name].values)
        assert torch.equal(search.status[name].evals, expected.status[name].evals)
    assert torch.equal(search.status["center"], expected.status["center"])
    np.testing.assert_array_equal(search.problem.normalizer.mean, expected.problem.normalizer.mean)
    np.testing.assert_array_equal(search.problem.normalizer.stdev, expected.problem.normalizer.stdev)
    assert search.problem.episode_statistics.failed == expected.problem.episode_statistics.failed


@pytest.mark.parametrize(("make", "name"), [(search_ec, "rnn boolean"), (search_es, "gru")])
def test_a_search_over_ordinary_units_learns_on_a_device(make, name):
    searches = []
    for device in (None, DEVICE, DEVICE):
        searches.append(make(RolloutProblem(PointMass, DENSE[name], device=device, num_envs=4, seed=3)))
        searches[-1].run(2)
    expected, search, again = searches
    assert_same_search(again, search)
    assert search.status["mean_eval"] == pytest.approx(expected.status["mean_eval"], rel=1e-3)


@pytest.mark.parametrize(
    ("make", "connections", "mask"),
    [
        (search_ec, "boolean", None),
        (search_ec, "boolean", MASK),
        (search_es, "real", None),
        (search_es, "sign", None),
        (partial(search_es, center_init=0.2, optimizer=None, popsize=12), "real", MASK),
        (search_pgpe, "real", None),
    ],
)
def test_a_search_on_a_device_is_the_search_on_the_cpu(make, connections, mask):
    env = partial(PointMass, breaks_at=0.85, unstable_at=1.4)
    settings = {"env": env, "connections": connections, "mask": mask, "num_episodes": 2, "decrease_rewards_by": 0.3}
    expected = make(make_problem(**settings, num_envs=7))
    search = make(make_problem(DEVICE, **settings))
    for one in (expected, search):
        one.run(4)
    assert_same_search(search, expected)
    assert 0 < search.problem.episode_statistics.failed < search.problem.episode_statistics.episodes
    if make is search_ec:
        assert torch.equal(search.status["prob"], expected.status["prob"])


BOTH = pytest.mark.parametrize(("make", "connections"), [(search_ec, "boolean"), (search_es, "real")])


@BOTH
def test_an_incumbent_is_chosen_alike(make, connections):
    searches = []
    for device in (None, DEVICE):
        searches.append(make(make_problem(device, connections=connections)))
        Incumbent(searches[-1], share=0.5, num_episodes=2)
        searches[-1].run(4)
    expected, search = (one.status for one in searches)
    assert torch.equal(search["incumbent"], expected["incumbent"])
    for name in ("incumbent_return", "incumbent_iter", "total_interaction_count", "total_episode_count"):
        assert search[name] == expected[name]


@BOTH
def test_a_population_on_a_device_is_never_in_memory(make, connections):
    search = make(make_problem(DEVICE, connections=connections), chunk_size=3)
    search.step()
    with pytest.raises(RuntimeError, match="population: not kept, because a device makes it from its seed; the status"):
        search.population  # noqa: B018
    (population,) = search._chunks
    assert population.values.device.type == "meta"  # which holds no numbers
    rows = torch.empty(10, search.problem.solution_length, dtype=search.problem.dtype)
    population.part.rows.fill(rows, 0)
    assert torch.equal(population[2:5].values, rows[2:5])
    assert torch.equal(population[[7, 1]].evals, population.evals[[7, 1]])
    assert torch.equal(population[-1].values, rows[-1])
    assert len(population) == len(population.evals) == 10


@BOTH
def test_a_search_goes_on_to_the_bit_from_a_saved_state(make, connections):
    settings = {"env": HARSH, "connections": connections}
    whole, first, second = (make(make_problem(DEVICE, num_envs=num_envs, **settings)) for num_envs in (4, 4, 9))
    whole.run(4)
    first.run(2)
    Resumable(second).load_state_dict(copy.deepcopy(Resumable(first).state_dict()))
    second.run(2)
    assert_same_search(second, whole)
    assert torch.equal(second._learner.learned, whole._learner.learned)


class WithoutStdev(DeviceGaussian):
    def set(self, center, stdev, key, generation, popsize):
        super().set(center, 1.0, key, generation, popsize)


class OtherPairs(PhiloxGaussian):
    """Another kind of distribution, with a sampler of its own."""

    def fill_rows(self, out, key, generation, first_row, popsize):
        PhiloxGaussian(self.center, 1.0).fill_rows(out, key, generation, first_row, popsize)

    def on_device(self, device):
        return WithoutStdev(len(self.center), find_device(device))


def test_rows_of_several_searches_play_as_if_they_were_given():
    problem = make_problem(DEVICE, connections="real")
    center = random_solutions(problem)[0]
    rows = [
        SeededRows(PhiloxGaussian(center, 0.3), 10, 5, 0),
        SeededRows(PhiloxGaussian(-center, 0.8), 6, 2**40, 3),
        SeededRows(OtherPairs(center, 0.3), 6, 5, 0),
    ]
    members, seeds = np.array([5, 0, 3, 3, 1]), [1, 2, 3, 4, 5]
    for one in (*rows, rows[0]):
        solutions = torch.empty(one.popsize, problem.solution_length)
        one.fill(solutions, 0)
        expected = problem.play_episodes(solutions, members, seeds)
        assert_same_episodes(problem._slots.play(one, members, seeds, problem.normalizer), expected)


def test_a_closed_problem_plays_nothing_and_frees_the_device():
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    problem.play(solutions, 0)
    networks = weakref.ref(problem._slots._networks)
    problem.close()
    gc.collect()
    assert networks() is None
    for play in (lambda: problem.play(solutions, 0), lambda: problem.evaluate_center(solutions[0])):
        with pytest.raises(ClosedEnvironmentError, match="the problem is closed"):
            play()


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


@pytest.mark.parametrize("copied", [*COPIES.values(), lambda problem: problem.clone()], ids=[*COPIES, "clone"])
def test_a_copy_of_a_problem_plays_alike(copied):
    problem = make_problem(DEVICE)
    solutions = random_solutions(problem)
    expected = problem.play(solutions, 1)
    other = copied(problem)
    problem.close()
    assert_same_episodes(other.play(solutions, 1), expected)


@BOTH
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_search_goes_on_alike(copied, make, connections):
    search = make(make_problem(DEVICE, connections=connections))
    search.run(2)
    other = copied(search)
    for one in (search, other):
        one.run(1)
    assert_same_search(other, search)


# --- contract ---


def test_what_a_device_needs_is_in_the_protocols():
    problem = make_problem(DEVICE)
    assert isinstance(problem, protocols.DeviceProblem)
    assert isinstance(problem.env, protocols.DeviceVectorEnv)
    assert isinstance(problem.agent, protocols.DeviceAgent)
    assert isinstance(search_ec(problem).distribution, protocols.DeviceDistribution)
    assert isinstance(search_es(make_problem(DEVICE, connections="real")).distribution, protocols.DeviceDistribution)
    assert (problem.device_of_rows, make_problem().device_of_rows) == (device_name(), None)
    assert str(problem.device) == "cpu"  # what is learned stays in this process


class Unlimited(PointMass):
    limit_episodes = None

    def __getattribute__(self, name):
        if name == "limit_episodes":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("env", "agent", "settings", "message"),
    [
        (PointMass, RSNN, {"num_actors": 2}, r"num_actors: expected 0 with device='cpu', got 2"),
        (PointMass, RSNN, {"device": "cuda:99"}, r"device: expected 'cpu' or .*; got 'cuda:99'"),
        (PointMass, RSNN, {"device": 0}, r"device: expected 'cpu' or .*; got 0"),
        (
            lambda num_envs, num_threads: PointMass(num_envs, num_threads),
            RSNN,
            {},
            r"env: expected a function of num_envs, num_threads and device .*unexpected keyword argument 'device'",
        ),
        (
            lambda num_envs, num_threads, device: PointMass(num_envs, num_threads),
            RSNN,
            {},
            r"env: expected .*physics='warp'\); it has made a PointMass, which has no on_device",
        ),
        (Unlimited, RSNN, {"max_episode_steps": 9}, r"env: .* it has made a Unlimited, which has no limit_episodes"),
        (
            PointMass,
            partial(ModuleAgent, module=lambda obs_length, act_length: torch.nn.Linear(obs_length, act_length)),
            {},
            r"agent: expected a function of obs_length, act_length and device .* argument 'device'",
        ),
        (
            PointMass,
            partial(RSNN, backend="numba"),
            {},
            r"agent: device: expected none with backend='numba', got 'cpu'",
        ),
    ],
    ids=["workers", "no such device", "no name", "env", "exact physics", "no limit", "module", "numba"],
)
def test_what_cannot_be_on_a_device_is_refused_in_one_line(env, agent, settings, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        RolloutProblem(env, agent, **{"num_envs": 2, "device": "cpu"} | settings)
    assert "\n" not in str(error.value)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)  # as if it were not installed
    load_warp.cache_clear()
    with pytest.raises(ValueError, match=r"^device: .*not installed: pip install 'ec-evotorch\[gpu\]'"):
        make_problem(DEVICE)
    load_warp.cache_clear()


# --- what a GPU would run ---


def test_hopper_code_of_the_loop_rounds_every_operation_by_itself():
    from ec_evotorch.rollout.device.kernels import normalize  # whose module has all the others
    from native.warp_device import ptx_of

    ptx = ptx_of(normalize, arch=90)
    assert ".target sm_90" in ptx
    assert "mul.rn.f" in ptx
    assert "fma.rn.f" not in ptx
