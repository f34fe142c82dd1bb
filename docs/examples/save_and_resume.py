"""Saves a search of one's own to a file and goes on with it, as if it had never been interrupted."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from evotorch import Problem

from ec_evotorch import EvolvingConnectivity, Resumable
from experiments.run_folder.archive import load_checkpoint, save_checkpoint


def make_search() -> tuple[EvolvingConnectivity, Resumable]:
    """Makes a search; to resume one, make it with the same arguments as the first time."""
    problem = Problem(
        "max", lambda bits: bits.sum(dim=1).float(), solution_length=100, dtype=torch.bool, vectorized=True, seed=0
    )
    searcher = EvolvingConnectivity(problem, popsize=20, center_learning_rate=0.1)
    return searcher, Resumable(searcher)  # before the first step


def main(path: Path, generations: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns ρ after twice as many generations: of a search that was saved on the way, and of an unbroken one."""
    searcher, resumable = make_search()
    searcher.run(generations)
    save_checkpoint(path, resumable.state_dict())

    resumed, resumable = make_search()
    resumable.load_state_dict(load_checkpoint(path))
    resumed.run(generations)

    searcher.run(generations)
    return resumed.status["prob"], searcher.status["prob"]


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        resumed, unbroken = main(Path(folder) / "search.safetensors")
    print("the same to the last bit:", torch.equal(resumed, unbroken))
