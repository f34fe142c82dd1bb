"""What large populations and many workers cost: the tables of docs/measured/scaling.md.

Each function of `num_envs` (environment slots) and `seconds` (to measure each thing for) yields the rows of one table.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

from ec_evotorch.logging import quiet_evotorch
from ec_evotorch.rollout.workers.ray_cluster import connect_to_ray
from experiments.bench.simulated_cluster import Costs, simulate_generation
from experiments.bench.timing import measure_speeds, median_ratio
from experiments.errors import UserError
from experiments.run_config.build import build
from experiments.run_config.compose import compose_config

POPSIZES = (256, 1024, 4096, 10240)
ONE_THREAD = ("problem.num_threads=1",)
WORKERS = (1, 2)
CLUSTER_POPSIZE, EPISODE_LENGTH = 10240, (100, 1000)  # of the paper; steps of the shortest and the longest episode
CLUSTER_WORKERS = (10, 100, 1000)
LEARNED_FROM = 512  # rows; the time for CLUSTER_POPSIZE follows in proportion


def measure_memory(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures the peak memory of a process that plays one generation on Humanoid-v5, whole and in chunks."""
    for popsize in POPSIZES:
        for chunk_size in ("null", 512):
            if chunk_size != "null" and chunk_size > popsize:
                continue
            words = ["env=humanoid", f"searcher.popsize={popsize}", f"searcher.chunk_size={chunk_size}"]
            command = [sys.executable, "-m", "experiments.bench.scaling", *words, f"problem.num_envs={num_envs}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UserError(f"popsize {popsize} failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
            peak, length, took = done.stdout.split()
            yield {
                "popsize": popsize,
                "chunk_size": chunk_size if chunk_size != "null" else "all",
                "connections": int(length),
                "peak, MB": int(peak) / 1e6,
                "generation, s": float(took),
            }


def measure_bytes(num_envs: int, seconds: float) -> Iterator[dict]:
    """Counts the bytes that travel in the second generation on Hopper-v5 with two workers."""
    _start_ray(2)
    for popsize in POPSIZES:
        for scalar_only in (False, True):
            mode = f"problem.scalar_only={str(scalar_only).lower()}"
            words = [f"searcher.popsize={popsize}", "problem.num_actors=2", mode, f"problem.num_envs={num_envs}"]
            problem, searcher = build(compose_config(words))
            searcher.step()
            at_start = searcher.status["startup_bytes_sent"]
            searcher.step()
            status = searcher.status
            problem.close()
            total = status["bytes_sent"] + status["bytes_received"]
            yield {
                "popsize": popsize,
                "driver sends": "ranks" if scalar_only else "ρ",
                "sent, bytes": status["bytes_sent"],
                "received, bytes": status["bytes_received"],
                "all / popsize": total / popsize,
                "at the start, bytes": at_start,
            }


def measure_workers(num_envs: int, seconds: float) -> Iterator[dict]:
    """Measures trainings on Hopper-v5 in one thread and with workers, which take turns."""
    _start_ray(sum(WORKERS))
    for popsize in (128, 1024):
        names = {"one thread": 0, **{f"{count} workers": count for count in WORKERS}}
        searches = {
            name: build(compose_config([*_population(popsize, num_envs), f"problem.num_actors={count}"]))
            for name, count in names.items()
        }
        speeds = measure_speeds({name: _generation_of(searcher) for name, (_, searcher) in searches.items()}, seconds)
        for problem, _ in searches.values():
            problem.close()
        yield {
            "popsize": popsize,
            **{f"{name}, steps/s": speeds[name].median() for name in names},
            **{f"{name} / one thread": median_ratio(speeds, name, "one thread") for name in names if names[name]},
        }


def simulate_clusters(num_envs: int, seconds: float) -> Iterator[dict]:
    """Simulates a generation of the paper's size on Humanoid-v5, by workers of the speed that is measured here."""
    problem, searcher = build(compose_config(["env=humanoid", f"searcher.popsize={LEARNED_FROM}", *ONE_THREAD]))
    step_seconds = 1.0 / measure_speeds({"": _generation_of(searcher)}, seconds)[""].median()
    length = problem.solution_length
    costs = Costs(
        step_seconds=step_seconds,
        learn_seconds=CLUSTER_POPSIZE / LEARNED_FROM * _learning_seconds(searcher, seconds),
        **measure_ray(seconds),
    )
    lengths = np.random.default_rng(0).uniform(*EPISODE_LENGTH, CLUSTER_POPSIZE).astype(int)
    work = float(lengths.sum()) * step_seconds
    for count in CLUSTER_WORKERS:
        done = simulate_generation(count, lengths, problem.agent.obs_length, length, costs)
        messages = done.calls * costs.call_seconds
        predicted = max(work / count + lengths.max() * step_seconds / 2, messages) + costs.learn_seconds
        yield {
            "workers": count,
            "playing, s": work / count,
            "calls": done.calls,
            "calls, s": messages,
            "learning, s": costs.learn_seconds,
            "predicted, s": predicted,
            "simulated, s": done.seconds + costs.learn_seconds,
            "efficiency": work / count / (done.seconds + costs.learn_seconds),
        }


def measure_ray(seconds: float) -> dict[str, float]:
    """Measures calls to a worker.

    Returns:
        `call_seconds` and `latency_seconds` of `Costs`.
    """
    ray = _start_ray(1)

    class Echo:
        def play(self, rows: bytes) -> bytes:
            return rows * 150  # 1,200 bytes: the answer of 100 rows

    actor = ray.remote(num_cpus=0)(Echo).remote()
    message = b"12345678"

    def one() -> int:
        ray.get(actor.play.remote(message))
        return 1

    def many() -> int:
        ahead = [actor.play.remote(message) for _ in range(200)]
        while ahead:
            (answer, *_), ahead = ray.wait(ahead)
            ray.get(answer)
        return 200

    speeds = measure_speeds({"one": one, "many": many}, seconds)
    ray.kill(actor)
    return {"call_seconds": 1.0 / speeds["many"].median(), "latency_seconds": 1.0 / speeds["one"].median()}


def _start_ray(num_cpus: int):
    """Starts Ray anew with room for so many workers, and returns its module."""
    import ray

    ray.shutdown()
    connect_to_ray(num_cpus)
    return ray


def play_one_generation(words: list[str]) -> None:
    """Plays a generation and prints the peak of memory in bytes, the length of a solution and the seconds it took."""
    import resource

    quiet_evotorch()
    problem, searcher = build(compose_config(words))
    start = time.perf_counter()
    searcher.step()
    took = time.perf_counter() - start
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak, problem.solution_length, took)


def _population(popsize: int, num_envs: int) -> list[str]:
    return [f"searcher.popsize={popsize}", f"problem.num_envs={num_envs}", *ONE_THREAD]


def _generation_of(searcher):
    def step() -> int:
        before = searcher.status["total_interaction_count"] if searcher.step_count else 0
        searcher.step()
        return searcher.status["total_interaction_count"] - before

    return step


def _learning_seconds(searcher, seconds: float) -> float:
    """Measures how long sampling the searcher's population once more and learning from it take."""
    learner, population = searcher._learner, searcher.population.access_values(keep_evals=True)
    evals = torch.rand(learner.popsize, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def learn() -> int:
        learner.rows(0).fill(population, 0)
        learner.learn(evals, [population])
        return 1

    return 1.0 / measure_speeds({"": learn}, seconds)[""].median()


if __name__ == "__main__":
    play_one_generation(sys.argv[1:])
