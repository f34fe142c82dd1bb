"""`python -m experiments.zoo.add RUN NAME`: adds the policy of a finished run to the zoo."""

import re
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from experiments.errors import ArgumentParser, ResultsWarning, UserError, results_warnings_as_lines
from experiments.evaluation.energy import trained
from experiments.evaluation.episodes import default_workers, evaluate, load_policy_of_run, summaries
from experiments.run_config.targets import UntrustedError
from experiments.run_folder.atomic_write import write_atomic, writing
from experiments.run_folder.layout import CONFIG, POLICY_DESCRIPTION, POLICY_TENSORS, STATUS
from experiments.run_folder.policy import SavedPolicy
from experiments.run_folder.read import is_run_folder, read_config
from experiments.run_folder.run_command import run_command
from experiments.run_folder.status import FINISHED, read_status
from experiments.zoo.entry import ENTRY, Entry, entry_bytes, is_entry, read_entry
from experiments.zoo.entry_table import print_zoo
from experiments.zoo.zoo import FOLDER

EPISODES, SEED = 100, 0  # of the evaluation, as `ec-evotorch evaluate` plays it
MOST_BYTES = 100_000  # of all files of an entry, because everyone who installs the package gets them
NAME = re.compile(r"[a-z][a-z0-9_]*")
COMMIT = re.compile(r"[0-9a-f]{40}")


def add(run: Path, name: str, replace: bool = False, workers: int | None = None, zoo: Path = FOLDER) -> Entry:
    """Plays the policy of a run, and writes it with its score into a zoo.

    Args:
        run: The folder of a finished run.
        name: Name in the zoo, such as "hopper": lower-case letters, digits and "_".
        replace: Whether a policy of this name is replaced although it is better, or plays another environment.
        workers: Processes to play in, as for `evaluate`.
        zoo: Folder of the zoo.

    Returns:
        What zoo.json says.

    Raises:
        UserError: If the run is not finished; has no policy, one that needs code or files that are not of this package,
            or one that is too large; or no command repeats the run; or the policy of this name is better. Nothing is
            written then.

    Warns:
        ResultsWarning: If the run was not trained by a clean commit, from which it could be repeated.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name: expected lower-case letters, digits and '_', after a letter; got '{name}'")
    config, saved = _read_finished(run)
    files = {file: (run / file).read_bytes() for file in (POLICY_DESCRIPTION, POLICY_TENSORS)}
    command = run_command({key: value for key, value in config.items() if key != "run_dir"})
    if command is None:
        raise UserError(f"'{run}': expected a run that a command can repeat; its configuration needs files of its own")
    commit = str(config["versions"].get("git_commit"))
    if not COMMIT.fullmatch(commit):
        warnings.warn(f"'{run}' was not trained by a clean commit, but by '{commit}'", ResultsWarning, stacklevel=2)
    episodes = evaluate(run, EPISODES, SEED, workers)
    if not np.isfinite(episodes["return"]).all():
        raise UserError(f"'{run}': expected finite returns in {EPISODES} episodes")
    training = trained(run)
    entry = Entry(
        environment=saved.env["id"],
        agent=config["agent"]["name"],
        searcher=config["searcher"]["name"],
        dtype=str(saved.policy.agent.dtype).removeprefix("torch."),
        possible_connections=saved.policy.agent.solution_length,
        connections=_count_connections(saved),
        command=command,
        seed=config["seed"],
        git_commit=commit,
        generations=training.generations,
        episodes=training.episodes,
        steps=training.steps,
        versions={package: version for package, version in config["versions"].items() if package != "git_commit"},
        score={"episodes": EPISODES, "seed": SEED, **summaries(episodes)},
    )
    files[ENTRY] = entry_bytes(entry)
    size = sum(map(len, files.values()))
    if size > MOST_BYTES:
        raise UserError(f"'{run}': expected a policy of at most {MOST_BYTES:,} bytes; got {size:,}")
    if is_entry(zoo / name) and not replace:
        _check_not_better(read_entry(zoo / name), entry, name)
    with writing(zoo / name):
        (zoo / name).mkdir(exist_ok=True)
    for file, content in files.items():
        write_atomic(zoo / name / file, content)
    return entry


def _read_finished(run: Path) -> tuple[dict, SavedPolicy]:
    """Returns the configuration and the policy of a finished run that needs nothing but this package."""
    if not is_run_folder(run):
        raise UserError(f"run: expected the folder of a run; got '{run}'")
    state = read_status(run)["state"] if (run / STATUS).exists() else "of an unknown state"
    if state != FINISHED:
        raise UserError(f"'{run}': expected a finished run; it is {state}")
    try:
        saved = load_policy_of_run(run)
    except UntrustedError as error:
        raise UserError(f"{error.what}; a policy of the zoo must need no code but that of this package") from error
    if saved.model_digest is not None:
        raise UserError(f"'{run}': env.xml_file: expected none, because a policy of the zoo must need no other files")
    return read_config(run / CONFIG), saved


def _count_connections(saved: SavedPolicy) -> int:
    solution = torch.as_tensor(saved.policy.solution)
    is_thresholded = getattr(saved.policy.agent, "connections", None) == "sign"
    return int((solution > 0 if is_thresholded else solution != 0).sum())


def _check_not_better(there: Entry, new: Entry, name: str) -> None:
    """Checks that an entry may be replaced.

    Raises:
        UserError: If not.
    """
    if there.environment != new.environment:
        raise UserError(
            f"name: 'zoo/{name}' plays {there.environment}, not {new.environment}: choose another name, or "
            "add --replace"
        )
    if there.mean_return > new.mean_return:
        raise UserError(
            f"name: 'zoo/{name}' is better, with a mean return of {there.mean_return:,.1f} against "
            f"{new.mean_return:,.1f}; to replace it all the same, add --replace"
        )


def main(argv: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The words after the program's name; None for those that this process was started with.

    Returns:
        The exit code: 0, or 2 for a user's mistake, which is told in one line on stderr.
    """
    parser = ArgumentParser(
        prog="python -m experiments.zoo.add",
        description=f"Plays {EPISODES} episodes with the policy of a finished run, and adds it to the zoo.",
    )
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("name", help="name in the zoo, such as hopper")
    parser.add_argument(
        "--replace", action="store_true", help="replace the policy of this name, even if it is the better one"
    )
    try:
        arguments = parser.parse_args(argv)
        with results_warnings_as_lines(parser.prog):
            entry = add(arguments.run, arguments.name, arguments.replace, default_workers(EPISODES))
    except UserError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return error.exit_code
    print_zoo({arguments.name: entry})
    return 0


if __name__ == "__main__":
    sys.exit(main())
