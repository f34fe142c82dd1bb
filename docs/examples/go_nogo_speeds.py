"""How fast a trained policy moves on GO and on NOGO."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from envs import make_plain
from experiments.evaluation.episodes import episode_seed
from experiments.run_folder.policy import load_policy

SETTLED = 50  # environment steps after a switch


def main(run: Path, episodes: int = 20) -> pd.DataFrame:
    """Plays the episodes of `ec-evotorch evaluate`, and returns the forward speed by signal.

    Returns:
        A row for GO and one for NOGO; columns speed and settled (the same without the first 50 steps of each interval),
        m/s: means over episodes of their mean |velocity|; and half widths of their 95 % intervals.
    """
    saved = load_policy(run)
    means = []
    with make_plain(**saved.env) as env:
        for episode in range(episodes):
            seed = episode_seed(0, episode)
            saved.policy.reset(seed=seed)
            observation, _ = env.reset(seed=seed)
            rows, over = [], False
            while not over:
                observation, _, terminated, truncated, info = env.step(saved.policy(observation))
                rows.append((info["go"], abs(info["x_velocity"])))
                over = terminated or truncated
            steps = pd.DataFrame(rows, columns=["go", "speed"])
            since = steps.groupby((steps.go != steps.go.shift()).cumsum()).cumcount()
            steps["settled"] = steps.speed.where(since >= SETTLED)
            means.append(steps.groupby("go").mean())
    frame = pd.concat(means).groupby("go")
    half = frame.sem() * student_t.ppf(0.975, np.maximum(frame.count() - 1, 1))
    return frame.mean().join(half.add_suffix("_half_width")).rename({1.0: "GO", 0.0: "NOGO"})


if __name__ == "__main__":
    print(main(Path(sys.argv[1])).round(2).to_string())
