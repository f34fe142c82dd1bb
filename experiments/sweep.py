"""Several runs from one command line, through Hydra's multirun and its launchers."""

import logging
import sys
from collections.abc import Iterable

import hydra
from omegaconf import DictConfig

from experiments.components import build
from experiments.config import CONFIG_DIR, CONFIG_NAME, compose_config, split_sweep
from experiments.errors import UserError
from experiments.run_folder import check_vacant
from experiments.settings import RunSettings
from experiments.training import train


def run_sweep(overrides: list[str]) -> None:
    """Runs every combination of the values that the words give: ["searcher.popsize=16,32", "seed=0,1"] are four runs.

    Every combination is checked before the first is started. Which launcher runs them, here or on a cluster, is Hydra's
    `hydra/launcher` word.

    Raises:
        UserError: If one of the configurations is wrong, or two runs would share a folder; nothing was written then.
    """
    check_sweep(compose_config(words) for words in split_sweep(overrides))
    run = hydra.main(config_path=CONFIG_DIR, config_name=CONFIG_NAME, version_base="1.3")(_run_one)
    arguments = sys.argv
    sys.argv = [arguments[0], "--multirun", *overrides]  # where hydra.main reads from
    try:
        run()
    finally:
        sys.argv = arguments


def check_sweep(configs: Iterable[DictConfig]) -> None:
    """Checks every run of a sweep without writing anything.

    Raises:
        UserError: As `train` does for a single run; also if two runs would share a folder.
    """
    taken = set()
    for config in configs:
        settings = RunSettings.from_config(config)
        if settings.run_dir in taken:
            raise UserError(
                f"two runs of the sweep would share the folder '{settings.run_dir}': name the swept key in run_dir, "
                "as in 'run_dir=runs/popsize-${searcher.popsize}-seed${seed}'"
            )
        taken.add(settings.run_dir)
        check_vacant(settings.run_dir, settings.overwrite)
        build(config)


def _run_one(config: DictConfig) -> str:
    logging.getLogger("evotorch").setLevel(logging.WARNING)  # again: a launcher may have started another process
    return str(train(config))
