"""Speeds of environments, agents and trainings, as ratios that are taken in one run of one machine."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle, repeat

import gymnasium
import mujoco
import mujoco.batch
import numpy as np
import torch
from evotorch import Problem
from hydra.utils import instantiate
from omegaconf import DictConfig

from agents.agent import Agent
from ec_evotorch.threads import one_torch_thread
from envs import make_vec
from experiments.bench.timing import measure_speeds, median_ratio
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config
from experiments.run_config.keywords import keywords
from native.threads import default_num_threads

ENVIRONMENTS = {"hopper": "Hopper-v5", "walker2d": "Walker2d-v5", "humanoid": "Humanoid-v5"}
PAIRS = (  # agent, searcher
    ("rsnn", "ec"),
    ("rsnn", "es"),
    ("rsnn_sign", "es"),
    ("rnn", "ec"),
    ("rnn", "es"),
    ("gru", "es"),
    ("lstm", "es"),
)
MORE_TRAININGS = (
    ("rsnn", "pgpe"),
    ("rsnn", "snes"),
    ("rsnn", "cem"),
    ("evotorch_net", "es"),  # stepped from Python
)
WITH_GRADIENT = ("rsnn", "rsnn_sign", "rnn", "gru", "lstm")
POPSIZES = (128, 32, 16)
WINDOW, NUM_SEQUENCES = 16, 32  # of a minibatch
NETWORK_SIZES = (64, 128, 256, 512, 1024)
FIRST_MEASURED_GENERATION = 10  # the first ones have shorter episodes
STRETCH = 50  # agent steps of a slot before the next slot: in training a slot plays its episode to the end
ENDLESS = {"terminate_when_unhealthy": False, "max_episode_steps": 10**9}


def measure_environments(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures the bare physics, `make_vec`, and Gymnasium's two vector environments.

    Args:
        num_envs: How many sub-environments each contender steps.
        seconds: How long each contender is measured.

    Yields:
        A row for each environment.
    """
    for env_id in ENVIRONMENTS.values():
        env = make_vec(env_id, num_envs, **ENDLESS)
        plain = {
            mode: gymnasium.make_vec(env_id, num_envs, vectorization_mode=mode, **ENDLESS) for mode in ("sync", "async")
        }
        with closing(env, *plain.values()):
            contenders = {"raw": _raw_physics(env_id, num_envs)}
            for name, vector in {"make_vec": env, **plain}.items():
                vector.reset(seed=0)
                actions = _random_actions(vector.single_action_space, num_envs)
                contenders[name] = partial(_step_vector, vector, cycle(actions))
            speeds = measure_speeds(contenders, seconds)
        yield {"environment": env_id, "raw mujoco.batch, steps/s": speeds.raw.median()} | {
            f"{name} / raw": median_ratio(speeds, name, "raw") for name in ("make_vec", "sync", "async")
        }


def measure_agents(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures a step of agents against a step of the physics: the spiking network, and on Hopper every other agent.

    The physics are those of a fallen body without torques, and observations are drawn from a normal distribution.

    Args:
        num_envs: How many slots each contender steps.
        seconds: How long each contender is measured.

    Yields:
        A row for each environment and agent.
    """
    for env, env_id in ENVIRONMENTS.items():
        for agent, searcher in PAIRS if env == "hopper" else PAIRS[:1]:
            vector = make_vec(env_id, num_envs, num_threads=1, **ENDLESS)
            with closing(vector):
                vector.reset(seed=0)
                idle = repeat(np.zeros(vector.action_space.shape, dtype=np.float32))
                config = compose_config([f"env={env}", f"agent={agent}", f"searcher={searcher}"])
                sizes = vector.single_observation_space.shape[0], vector.single_action_space.shape[0]
                contenders = {"physics": partial(_step_vector, vector, idle)}
                for backend in ("numba", "torch"):
                    contenders[backend] = _agent_steps(config.agent, sizes, backend, num_envs)
                speeds = measure_speeds(contenders, seconds)
            yield {
                "environment": env_id,
                "agent": agent,
                "solutions": config.searcher.solutions,
                **{f"{name}, µs": 1e6 / speeds[name].median() for name in speeds},
                "numba / physics": median_ratio(speeds, "physics", "numba"),
            }


def measure_trainings(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures whole trainings against the bare physics.

    EC on the spiking network is measured on every environment and with small populations as well, whose last episodes
    leave cores idle; the other pairs of agent and searcher on Hopper alone.

    Args:
        num_envs: How many sub-environments the bare physics step. Trainings have one for each member of the population.
        seconds: How long each contender is measured.

    Yields:
        A row for each training.
    """
    for env, env_id in ENVIRONMENTS.items():
        for agent, searcher in (*PAIRS, *MORE_TRAININGS) if env == "hopper" else PAIRS[:1]:
            for popsize in POPSIZES if (agent, searcher) == PAIRS[0] else POPSIZES[:1]:
                words = [f"env={env}", f"agent={agent}", f"searcher={searcher}", *population_words(popsize)]
                step, problem = begin_training(words)
                with closing(problem.env):
                    speeds = measure_speeds({"raw": _raw_physics(env_id, num_envs), "training": step}, seconds)
                    yield {
                        "environment": env_id,
                        "agent": agent,
                        "searcher": searcher,
                        "popsize": popsize,
                        "steps/s": speeds.training.median(),
                        "training / raw": median_ratio(speeds, "training", "raw"),
                        "episode length": problem.status["mean_episode_length"],
                    }


def measure_gradients(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures backpropagation through time and whole trainings of PPO on Hopper.

    The contender `plain` lets autograd go back step by step through the definition of the agent, which has snnTorch's
    neurons in the spiking networks, with all of PyTorch's threads. `ours` is what training does, with one thread.

    Args:
        num_envs: Not used; PPO's own configuration says how many sub-environments it has.
        seconds: How long each contender is measured.

    Yields:
        A row for each agent that PPO trains.
    """
    for agent in WITH_GRADIENT:
        step, problem = begin_training(["env=hopper", f"agent={agent}", "searcher=ppo"])
        with closing(problem.env):
            plain = _gradients(problem.agent, partial(Agent.unroll, problem.agent))
            speeds = measure_speeds(
                {"plain": plain, "ours": one_torch_thread()(_gradients(problem.agent, problem.agent.unroll))}, seconds
            )
            yield {
                "agent": agent,
                **{f"{name}, steps/s": speeds[name].median() for name in speeds},
                "ours / plain": median_ratio(speeds, "ours", "plain"),
                "training, steps/s": measure_speeds({"training": step}, seconds).training.median(),
            }


def measure_sizes(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures 1-bit EC against fp32 ES on spiking networks of several sizes, on Hopper with a population of 128.

    Args:
        num_envs: How many slots the agents step.
        seconds: How long each contender is measured.

    Yields:
        A row for each number of neurons.
    """
    for num_neurons in NETWORK_SIZES:
        words = ["env=hopper", "agent=rsnn", f"agent.num_neurons={num_neurons}"]
        agents, trainings, problems = {}, {}, []
        for searcher in ("ec", "es"):
            chosen = [*words, f"searcher={searcher}"]
            trainings[searcher], problem = begin_training([*chosen, *population_words(128)])
            sizes = problem.agent.obs_length, problem.agent.act_length
            agents[searcher] = _agent_steps(compose_config(chosen).agent, sizes, "numba", num_envs)
            problems.append(problem)
        with closing(*(problem.env for problem in problems)):
            agent_speeds, training_speeds = measure_speeds(agents, seconds), measure_speeds(trainings, seconds)
        yield {
            "neurons": num_neurons,
            "agent EC, µs": 1e6 / agent_speeds.ec.median(),
            "agent ES, µs": 1e6 / agent_speeds.es.median(),
            "agent EC / ES": median_ratio(agent_speeds, "ec", "es"),
            "training EC, steps/s": training_speeds.ec.median(),
            "training ES, steps/s": training_speeds.es.median(),
            "training EC / ES": median_ratio(training_speeds, "ec", "es"),
        }


@contextmanager
def closing(*vectors) -> Iterator[None]:
    """Closes environments or problems at the end of a `with` block."""
    try:
        yield
    finally:
        for vector in vectors:
            vector.close()


def _random_actions(space: gymnasium.spaces.Box, num_envs: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(space.low, space.high, (50, num_envs, *space.shape)).astype(np.float32)


def _step_vector(vector, actions: Iterator[np.ndarray]) -> int:
    vector.step(next(actions))
    return vector.num_envs


def _raw_physics(env_id: str, num_envs: int) -> Callable[[], int]:
    """Returns a function that steps `mujoco.batch` alone with random controls: nothing observes, pays or ends.

    It has as many threads as `make_vec` and training have by default.
    """
    env = gymnasium.make(env_id).unwrapped
    batch = mujoco.batch.Batch(env.model, nsim=num_envs, nthread=default_num_threads())
    ctrl = batch.bind("ctrl")
    actions = cycle(_random_actions(env.action_space, num_envs))

    def step() -> int:
        ctrl[:] = next(actions)
        batch.step(nstep=env.frame_skip)
        return num_envs

    return step


def _agent_steps(config: DictConfig, sizes: tuple[int, int], backend: str, num_slots: int) -> Callable[[], int]:
    """Returns a function that steps an agent with a network of its own in each slot.

    It steps one slot after the other, as training does, or with the torch backend all slots at once.
    """
    agent = instantiate(keywords("agent", config), backend=backend)(*sizes)
    generator = torch.Generator().manual_seed(0)
    solutions = agent.initial_solutions(num_slots, generator)
    members = np.arange(num_slots)
    observations = torch.randn(STRETCH, num_slots, sizes[0], generator=generator).numpy()
    state = agent.initial_state(num_slots, generator=generator)
    if backend == "torch":
        turns = cycle(observations)

        def step_batch() -> int:
            with one_torch_thread():
                agent.step(solutions, members, next(turns), state)
            return num_slots

        return step_batch

    native = agent.native(solutions, members, state)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(native.function)
    action = np.empty(sizes[1], dtype=np.float32)
    action_address, first_observation, row_size = action.ctypes.data, observations.ctypes.data, observations.strides[1]

    def step_slots() -> int:
        for slot in range(num_slots):
            for t in range(STRETCH):
                call(native.context, slot, first_observation + (t * num_slots + slot) * row_size, action_address)
        return num_slots * STRETCH

    return step_slots


def _gradients(agent: Agent, unroll: Callable) -> Callable[[], int]:
    """Returns a function that computes the gradient of a minibatch of whole windows."""
    generator = torch.Generator().manual_seed(0)
    solution = agent.initial_solutions(1, generator)[0].requires_grad_()
    memory = agent.memory(agent.initial_state(NUM_SEQUENCES, generator=generator))
    observations = torch.randn(WINDOW, NUM_SEQUENCES, agent.obs_length, generator=generator)
    lengths = torch.full((NUM_SEQUENCES,), WINDOW)

    def step() -> int:
        solution.grad = None
        unroll(solution, observations, memory, lengths).square().mean().backward()
        return WINDOW * NUM_SEQUENCES

    return step


def population_words(size: int) -> tuple[str, str]:
    """Returns the words of a configuration with a population of some size and a slot for each of its members."""
    return f"searcher.popsize={size}", f"problem.num_envs={size}"


def begin_training(words: list[str]) -> tuple[Callable[[], int], Problem]:
    """Begins a training, and returns a function that plays one more generation, and the problem."""
    problem, searcher = build(compose_config(words))
    searcher.run(FIRST_MEASURED_GENERATION - 2)  # one more is played to warm up

    def step() -> int:
        before = searcher.status["total_interaction_count"]
        searcher.step()
        return searcher.status["total_interaction_count"] - before

    return step, problem
