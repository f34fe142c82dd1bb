"""Acts with an exported spiking policy and NumPy alone: ec-evotorch export RUN --format npz -o policy.npz."""

import numpy as np


class NumpyPolicy:
    """A function from observation to action; `reset` begins an episode."""

    def __init__(self, path):
        self.p = dict(np.load(path))
        self.reset()

    def reset(self, seed=None):
        """Begins with the state in the file, or with membrane potentials drawn uniformly from [0, 1)."""
        self.v_mem, self.i_syn, self.rate, self.spikes = (
            self.p[f"initial_{name}"].copy() for name in ("v_mem", "i_syn", "rate", "spikes")
        )
        if seed is not None:
            self.v_mem = np.random.default_rng(seed).random(len(self.v_mem), dtype=np.float32)

    def __call__(self, observation):
        """Returns the action, and advances the network by one environment step."""
        p, one = self.p, np.float32(1)
        x = (observation - p["observation_mean"]) / p["observation_stdev"]
        x = np.clip(x, -p["observation_clip"], p["observation_clip"]).astype(np.float32)
        if p["agent"] == "RSNN" and p["connections"] != "real":
            x = np.concatenate([x, -x])  # two channels for each observation
        i_in = p["r_in"] * (x.astype(np.float64) @ p["kernel_in"]).astype(np.float32)
        for _ in range(p["substeps"]):
            recurrent = (self.spikes.astype(np.float64) @ p["kernel_h"]).astype(np.float32)
            self.i_syn = self.i_syn * p["decay_syn"] + p["r_hidden"] * recurrent
            self.v_mem = (self.i_syn + i_in) * (one - p["decay_mem"]) + self.v_mem * p["decay_mem"]
            fired = self.v_mem > p["threshold"]
            self.v_mem = np.where(fired, np.float32(0), self.v_mem)  # hard reset
            self.spikes = fired * p["signs"]
            per_ms = self.spikes.astype(np.float32) / p["dt"]
            self.rate = per_ms * (one - p["decay_out"]) + self.rate * p["decay_out"]
        output = p["r_out"] * (self.rate.astype(np.float64) @ p["kernel_out"]).astype(np.float32)
        return p["action_middle"] + p["action_half_range"] * np.clip(output, -1, 1)
