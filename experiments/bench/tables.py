"""The tables of `ec-evotorch bench`.

"All threads" are those of `native.threads.default_num_threads`: the cores of this process, or OMP_NUM_THREADS.
"""

from experiments.bench.device import measure_device
from experiments.bench.scaling import measure_bytes, measure_memory, measure_workers, simulate_clusters
from experiments.bench.speed import (
    FIRST_MEASURED_GENERATION,
    measure_agents,
    measure_environments,
    measure_gradients,
    measure_sizes,
    measure_trainings,
)

TABLES = {
    "environments": (measure_environments, "Environments, all sub-environments running, all threads"),
    "agents": (measure_agents, "Agents, one slot, one environment step, one core"),
    "trainings": (measure_trainings, f"Whole trainings from generation {FIRST_MEASURED_GENERATION} on, all threads"),
    "gradients": (measure_gradients, "Backpropagation through time and PPO on Hopper-v5, all threads"),
    "sizes": (measure_sizes, "1-bit EC against fp32 ES on the same spiking network: speed ratios"),
    "memory": (measure_memory, "One generation of EC on Humanoid-v5 in one process"),
    "bytes": (measure_bytes, "A generation of EC on Hopper-v5 with two Ray workers"),
    "workers": (measure_workers, "EC on Hopper-v5 with Ray workers of one thread each"),
    "clusters": (simulate_clusters, "A generation of the paper's size on Humanoid-v5: simulated workers, real driver"),
    "device": (measure_device, f"NVIDIA Warp, trainings from generation {FIRST_MEASURED_GENERATION} on"),
}
"""Name of a table -> the function (num_envs, seconds) that yields its rows, and the title."""

ONLY_IF_NAMED = ("device",)  # needs an extra, and minutes to compile
