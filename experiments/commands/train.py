"""`ec-evotorch train`: one run, or with -m a sweep of runs."""

import argparse
import textwrap
from pathlib import Path

from experiments.errors import ArgumentParser, UserError
from experiments.run_config.config_dir import CONFIG_DIR, CONFIG_DIR_VARIABLE, choices, own_config_dir

EPILOG = """\
Everything that is not an option is a Hydra override: group=choice takes a YAML file of a group, key=value changes a
key of the configuration, +key=value adds a keyword that is not listed. To see all keys, add --cfg job.

examples:
  ec-evotorch train env=hopper agent=rsnn searcher=ec seed=0 budget=1e6
  ec-evotorch train -m env=hopper,walker2d method=ec_rsnn,es_gru seed=0,1,2
  ec-evotorch train --config-dir my_conf agent=my_agent
"""


def main(argv: list[str]) -> int:
    """Runs the command.

    Args:
        argv: Options and Hydra overrides.

    Returns:
        The exit code: 0, or 1 if runs of a sweep are not finished.

    Raises:
        UserError: If a configuration is wrong; nothing was written then.
    """
    parser = _Parser(
        prog="ec-evotorch train",
        description="Trains a policy into a run folder: config.yaml, metrics.csv, curve.png and the policy.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="train one run for each combination of values")
    parser.add_argument(
        "--config-dir",
        type=Path,
        metavar="FOLDER",
        help="your own YAML files, in folders named after the groups; Python modules that they name are found in "
        f"FOLDER and in the current folder (default: ${CONFIG_DIR_VARIABLE})",
    )
    parser.add_argument("--cfg", choices=("job",), help="print the composed configuration and train nothing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as in env=hopper seed=3 searcher.popsize=64")
    arguments = parser.parse_intermixed_args(argv)
    config_dir = own_config_dir(arguments.config_dir)
    if arguments.cfg is not None:
        return _print_configuration(arguments.overrides, config_dir, arguments.multirun)
    return _train(arguments.overrides, config_dir, arguments.multirun)


def _print_configuration(overrides: list[str], config_dir: Path | None, is_sweep: bool) -> int:
    from omegaconf import OmegaConf

    from experiments.run_config.compose import compose_config, compose_sweep

    runs = compose_sweep(overrides, config_dir)[1] if is_sweep else [overrides]
    print("---\n".join(OmegaConf.to_yaml(compose_config(run, config_dir)) for run in runs), end="")
    return 0


def _train(overrides: list[str], config_dir: Path | None, is_sweep: bool) -> int:
    # Imported late: torch and what else training needs take seconds to import, which help must not wait for.
    from omegaconf import OmegaConf

    from ec_evotorch.logging import quiet_evotorch
    from experiments.run_config.compose import compose_config, names_experiment
    from experiments.run_config.targets import EVERYTHING, make_own_code_importable
    from experiments.training.run import train
    from experiments.training.sweep import run_sweep

    quiet_evotorch()
    if is_sweep:
        return run_sweep(overrides, config_dir)
    if names_experiment(overrides):
        raise UserError("experiment= asks for several runs: add -m")
    config = compose_config(overrides, config_dir)
    make_own_code_importable(OmegaConf.to_container(config), config_dir)
    train(config, EVERYTHING)
    return 0


class _Parser(ArgumentParser):
    """Adds the groups and their choices to the help, which are looked up only when somebody asks for it."""

    def parse_known_args(self, args=None, namespace=None):
        self._config_dir_option = _option(args or [], "--config-dir")
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        lines = [super().format_help(), *_listed("groups and their choices", Path(CONFIG_DIR))]
        try:
            own = own_config_dir(self._config_dir_option)
        except UserError as error:
            lines += ["", f"your own: none. {error}"]
        else:
            lines += [] if own is None else ["", *_listed("your own", own)]
        return "\n".join([*lines, ""])


def _listed(title: str, folder: Path) -> list[str]:
    lines = [f"{title}, YAML files in {folder}:"]
    for group, names in choices(folder).items():
        if names:
            lines += textwrap.wrap(", ".join(names), 100, initial_indent=f"  {group:<15} ", subsequent_indent=" " * 18)
    return lines


def _option(arguments: list[str], name: str) -> str | None:
    """Returns the value of an option in arguments that have not been parsed."""
    for argument, following in zip(arguments, [*arguments, None][1:], strict=True):
        if argument == name:
            return following
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None
