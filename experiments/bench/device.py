"""Speeds of physics, agents and trainings on a device of NVIDIA Warp: a CUDA device, or for want of one the CPU."""

import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate

from envs import make_vec
from experiments.bench.speed import ENDLESS, ENVIRONMENTS, begin_training, closing, population_words
from experiments.bench.timing import measure_speeds, median_ratio
from experiments.errors import UserError
from experiments.run_config.build import NO_MEMORY
from experiments.run_config.compose import compose_config
from experiments.run_config.keywords import keywords
from native.warp_device import capture, find_device, load_warp

SLOTS_OF_CARD = (1_024, 4_096, 10_240)  # the last one is the paper's population
SEARCHERS = {"EC": "ec", "ES": "es"}
STRETCH = 32  # steps between two looks of the host, on a card


def measure_device(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures physics alone, networks alone and whole trainings by the number of slots, EC against ES.

    Physics step fallen bodies with torques that stay the same, whose episodes do not end. A training has as many slots
    as its population has members, so that its speed is that of its longest episodes.

    Args:
        num_envs: Largest number of slots on a CPU, where a quarter of it is measured too, on Hopper alone. A card has
            the numbers of `SLOTS_OF_CARD`, on all environments.
        seconds: How long each contender is measured.

    Yields:
        A row for each environment and number of slots; speeds are environment steps of all slots together. Numbers of
        slots for which there is not enough memory are left out, with a warning.

    Raises:
        UserError: If NVIDIA Warp is not installed.
    """
    try:
        is_card = load_warp().is_cuda_available()
    except ImportError as error:
        raise UserError(f"device: {error}") from error
    device = find_device("cuda" if is_card else "cpu")
    environments = ENVIRONMENTS if is_card else {"hopper": ENVIRONMENTS["hopper"]}
    for env, env_id in environments.items():
        for num_slots in SLOTS_OF_CARD if is_card else sorted({max(2, num_envs // 8 * 2), max(2, num_envs // 2 * 2)}):
            try:
                row = _measure(env, env_id, num_slots, device, seconds)
            except (RuntimeError, MemoryError, UserError) as error:
                if not NO_MEMORY.search(str(error)):
                    raise
                print(
                    f"ec-evotorch: warning: device: not enough memory for {num_slots} slots of {env_id}: {error}",
                    file=sys.stderr,
                )
                break
            yield row


def name_of(device) -> str:
    """Returns the name of a card, or of the processor where the device is the CPU."""
    if device.is_cuda:
        return device.name
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _measure(env: str, env_id: str, num_slots: int, device, seconds: float) -> dict:
    """Returns a row of the table."""
    contenders, problems = {"physics": _physics(env_id, num_slots, device)}, []
    for label, searcher in SEARCHERS.items():
        words = [f"env={env}", "agent=rsnn", f"searcher={searcher}"]
        contenders[f"agent {label}"] = _networks(words, num_slots, device)
        on_device = [f"problem.device={device}", "problem.physics=warp", *population_words(num_slots)]
        contenders[f"training {label}"], problem = begin_training([*words, *on_device])
        problems.append(problem)
    with closing(*problems):
        speeds = measure_speeds(contenders, seconds)
    return {
        "device": name_of(device),
        "environment": env_id,
        "slots": num_slots,
        **{f"{name}, steps/s": speeds[name].median() for name in contenders},
        "training EC / ES": median_ratio(speeds, "training EC", "training ES"),
    }


def _physics(env_id: str, num_slots: int, device) -> Callable[[], int]:
    """Returns a function that steps the physics, with observations and rewards, and nothing else."""
    wp = load_warp()
    env = make_vec(env_id, num_slots, physics="warp", device=str(device), **ENDLESS)
    worlds, space = env.on_device, env.single_action_space
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(space.low, space.high, (num_slots, *space.shape))
    worlds.actions.assign(actions.astype(np.float32))
    wp.synchronize_device(device)
    return _replay(worlds.launch_step, num_slots, device, kept_alive=env)


def _networks(words: list[str], num_slots: int, device) -> Callable[[], int]:
    """Returns a function that steps a network of its own in each slot, of random connections and observations."""
    wp, config = load_warp(), compose_config(words)
    env = make_vec(config.env.id, 1)
    with closing(env):
        sizes = env.single_observation_space.shape[0], env.single_action_space.shape[0]
    agent = instantiate(keywords("agent", config.agent))(*sizes, device=str(device))
    networks, rng = agent.on_device(num_slots), np.random.default_rng(0)
    with wp.ScopedDevice(device):
        if config.searcher.solutions == "boolean":
            words_of_bits = rng.integers(0, 2**32, (num_slots, -(-agent.solution_length // 32)), dtype=np.uint32)
            solutions = wp.array(words_of_bits, dtype=wp.uint32)
        else:
            numbers = rng.standard_normal((num_slots, agent.solution_length), dtype=np.float32)
            solutions = wp.array(numbers, dtype=wp.float32)
        observations = wp.array(rng.standard_normal((num_slots, sizes[0]), dtype=np.float32), dtype=wp.float32)
        actions = wp.zeros((num_slots, sizes[1]), dtype=wp.float32)
        networks.launch_load(solutions, wp.full(num_slots, True, dtype=wp.bool))
    networks.members.copy_(torch.arange(num_slots))
    wp.synchronize_device(device)
    return _replay(lambda: networks.launch_step(observations, actions), num_slots, device, kept_alive=solutions)


def _replay(launch_all: Callable[[], None], num_slots: int, device, kept_alive: object) -> Callable[[], int]:
    wp = load_warp()
    graph = capture(launch_all, device)
    stretch = STRETCH if device.is_cuda else 1

    def step(kept_alive=(launch_all, kept_alive)) -> int:
        for _ in range(stretch):
            graph.replay()
        wp.synchronize_device(device)
        return num_slots * stretch

    return step
