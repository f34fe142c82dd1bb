"""Runs of every searcher that take a moment, and ways to stop them."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.run_config.compose import CONFIG_DIR, compose_config
from experiments.training.run import Run, train

AGENTS = {
    "ec": "rsnn",
    "ec_critic": "rsnn",
    "ec_staged": "rsnn",
    "es": "rsnn_sign",
    "ppo": "rsnn",
    "pgpe": "lstm",
    "snes": "gru",
    "cem": "rnn",
}
ONE_CRITIC = ["searcher.batch_size=128", "searcher.num_envs=4", "searcher.critic_sizes=[8]", "searcher.num_epochs=1"]
SMALL = {
    "cem": ["searcher.popsize=8", "budget=2000"],  # two parents
    "ec_critic": [*ONE_CRITIC, "budget=1300"],
    "ec_staged": [*ONE_CRITIC, "searcher.critic_steps=400", "searcher.episodes.popsize=4", "budget=1300"],
    "ppo": ["searcher.batch_size=128", "searcher.num_envs=4", "searcher.num_epochs=1", "budget=1300"],
}
SEARCHERS = sorted(path.stem for path in Path(CONFIG_DIR, "searcher").glob("*.yaml"))


def words(searcher: str, *more: str) -> list[str]:
    return [
        "env=inverted_pendulum",
        f"agent={AGENTS[searcher]}",
        f"searcher={searcher}",
        "agent.num_neurons=8",
        "problem.num_envs=3",
        "problem.num_threads=1",
        *SMALL.get(searcher, ["searcher.popsize=4", "budget=1000"]),
        "eval.every=200",
        "eval.episodes=2",
        "eval.final_episodes=3",
        "checkpoint_every=2",
        "progress=false",
        *more,
    ]


def start(searcher: str, *more: str) -> Path:
    return train(compose_config(words(searcher, *more)))


def flat(tree: dict, path: str = "") -> dict:
    leaves = {}
    for key, child in tree.items():
        leaves |= flat(child, f"{path}/{key}") if isinstance(child, dict) else {f"{path}/{key}": child}
    return leaves


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


@contextmanager
def interruption(generation: int, method: str = "_step", send=press_ctrl_c):
    """Lets a signal come in some generation, before its step or before its row is written; it must come."""

    def broken(run, *arguments):
        if run._searcher.step_count == generation:
            send()
        return whole(run, *arguments)

    whole, came = getattr(Run, method), False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, method, broken)
        try:
            yield
        except KeyboardInterrupt:
            came = True
    assert came


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
