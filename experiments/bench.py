"""`ec-evotorch bench`: speeds as ratios, all taken in one run of this machine."""

import time
from collections.abc import Callable
from functools import partial

import gymnasium
import mujoco
import mujoco.batch
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec
from experiments.errors import ArgumentParser

ENVIRONMENTS = ("Hopper-v5", "Walker2d-v5", "Humanoid-v5")
ALIVE_BONUS = {"Hopper-v5": 1.0, "Walker2d-v5": 1.0, "Humanoid-v5": 5.0}
FIRST_MEASURED_GENERATION = 10


def main(argv: list[str]) -> int:
    """Prints three tables: environments, agent, whole training."""
    parser = ArgumentParser(prog="ec-evotorch bench", description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of one measurement (default: 3)")
    parser.add_argument("--num-envs", type=int, default=64, help="sub-environments (default: 64)")
    parser.add_argument("--generations", type=int, default=5, help="measured generations (default: 5)")
    arguments = parser.parse_args(argv)
    for name in ("seconds", "num_envs", "generations"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')}: expected a positive number, got {getattr(arguments, name)}")
    console = Console()
    limits = {}
    table = Table("environment", "raw mujoco.batch, steps/s", "make_vec / raw", "Gymnasium sync / raw", "async / raw")
    for env_id in ENVIRONMENTS:
        raw, ours, sync, asynchronous = measure_environments(env_id, arguments.num_envs, arguments.seconds)
        limits[env_id] = raw
        table.add_row(env_id, f"{raw:,.0f}", *(f"{speed / raw:.2f}" for speed in (ours, sync, asynchronous)))
    table.title = "Environments, running all the time, all cores"
    console.print(table)

    table = Table("environment", "physics, µs", "numba, µs", "torch, µs", "numba / physics", "spiking per substep")
    for env_id in ENVIRONMENTS:
        physics, kernel, definition, spiking = measure_agent(env_id, arguments.num_envs, arguments.seconds)
        table.add_row(
            env_id,
            *(f"{1e6 * t:.1f}" for t in (physics, kernel, definition)),
            f"{kernel / physics:.3f}",
            f"{spiking:.1%}",
        )
    table.title = "Agent (RSNN, 256 neurons), one core, one environment step"
    console.print(table)

    table = Table("environment", "popsize", "steps/s", "training / raw limit", "mean episode length")
    for env_id, popsize in ((e, p) for e in ENVIRONMENTS for p in (128, 32)):
        speed, length = measure_training(env_id, popsize, arguments.generations)
        table.add_row(env_id, str(popsize), f"{speed:,.0f}", f"{speed / limits[env_id]:.2f}", f"{length:.0f}")
    table.title = f"Whole training (EC, RSNN), from generation {FIRST_MEASURED_GENERATION} on, all cores"
    console.print(table)
    return 0


def steps_per_second(step: Callable[[], int], seconds: float) -> float:
    """How many environment steps ``step`` takes in a second, after one call to warm up."""
    step()
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        count += step()
    return count / elapsed


def measure_environments(env_id: str, num_envs: int, seconds: float) -> tuple[float, float, float, float]:
    """Steps a second of raw ``mujoco.batch``, ``make_vec``, and Gymnasium's sync and async vector environments.

    All play random actions; unhealthy states do not end episodes, so that every sub-environment runs at every step.
    """
    kwargs = {"terminate_when_unhealthy": False, "max_episode_steps": 10**9}
    rng = np.random.default_rng(0)
    ours = make_vec(env_id, num_envs, **kwargs)
    space = ours.single_action_space
    actions = rng.uniform(space.low, space.high, (50, num_envs, *space.shape)).astype(np.float32)
    ours.reset(seed=0)
    turn = iter(range(10**12))

    single = gymnasium.make(env_id).unwrapped
    batch = mujoco.batch.Batch(single.model, nsim=num_envs, nthread=ours.num_threads)
    ctrl = batch.bind("ctrl")

    def step_raw() -> int:
        ctrl[:] = actions[next(turn) % 50]
        batch.step(nstep=single.frame_skip)
        return num_envs

    def step_vector(env) -> int:
        env.step(actions[next(turn) % 50])
        return num_envs

    speeds = [steps_per_second(step_raw, seconds), steps_per_second(partial(step_vector, ours), seconds)]
    ours.close()
    for mode in ("sync", "async"):
        env = gymnasium.make_vec(env_id, num_envs, vectorization_mode=mode, **kwargs)
        env.reset(seed=0)
        speeds.append(steps_per_second(partial(step_vector, env), seconds))
        env.close()
    return tuple(speeds)


def measure_agent(env_id: str, num_envs: int, seconds: float) -> tuple[float, float, float, float]:
    """Seconds of one environment step of one slot: physics, numba kernel, torch definition; and the share spiking."""
    env = make_vec(env_id, num_envs, num_threads=1, terminate_when_unhealthy=False)
    observations, _ = env.reset(seed=0)
    zero = np.zeros(env.action_space.shape, dtype=np.float32)
    physics = steps_per_second(lambda: (env.step(zero), num_envs)[1], seconds)
    obs_length, act_length = observations.shape[1], zero.shape[1]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(num_envs, obs_length, generator=generator)
    members = np.arange(num_envs)
    speeds, spiking = [], 0.0
    for backend in ("numba", "torch"):
        agent = RSNN(obs_length, act_length, backend=backend)
        solutions = torch.rand(num_envs, agent.solution_length, generator=generator) < 0.5
        state = agent.initial_state(num_envs, generator=generator)

        def step(agent=agent, solutions=solutions, state=state) -> int:
            agent.step(solutions, members, inputs, state)
            return num_envs

        speeds.append(steps_per_second(step, seconds))
        spiking = float((state.spikes != 0).float().mean())
    env.close()
    return 1 / physics, 1 / speeds[0], 1 / speeds[1], spiking


def measure_training(env_id: str, popsize: int, generations: int) -> tuple[float, float]:
    """Environment steps a second of whole generations, and their mean episode length."""
    problem = RolloutProblem(
        partial(make_vec, env_id), RSNN, num_envs=popsize, decrease_rewards_by=ALIVE_BONUS[env_id], seed=0
    )
    searcher = EvolvingConnectivity(problem, popsize=popsize, center_learning_rate=0.1)
    searcher.run(FIRST_MEASURED_GENERATION - 1)
    before, start = searcher.status["total_interaction_count"], time.perf_counter()
    searcher.run(generations)
    steps = searcher.status["total_interaction_count"] - before
    speed = steps / (time.perf_counter() - start)
    problem.env.close()
    return speed, steps / (generations * popsize)
