"""zoo.json: what is known of a policy of the zoo, from which one can judge it and train it again.

Its keys are `format` and `format_version`, "ec-evotorch zoo" and 1, and the attributes of `Entry`.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from experiments.errors import UserError
from experiments.evaluation.energy import Training
from experiments.run_folder.archive import check_format

FORMAT, FORMAT_VERSION = "ec-evotorch zoo", 1
ENTRY = "zoo.json"


@dataclass(frozen=True)
class Entry:
    """What is known of a policy of the zoo.

    Attributes:
        environment: Gymnasium's id.
        agent: Name of the agent's YAML, as in agent=rsnn.
        searcher: Name of the searcher's YAML, as in searcher=ec.
        dtype: Of a connection: "bool" or "float32".
        possible_connections: How many connections, or other weights, the agent could have.
        connections: How many of them exist: are true, or differ from zero; thresholded ones (agent=rsnn_sign) those
            above zero.
        command: The command that trained it; what it does not say is as in the YAMLs when the entry was added.
        seed: Seed of the run.
        git_commit: Commit of this package that trained it, in hex.
        generations: Generations of the search.
        episodes: Episodes of training.
        steps: Environment steps of training.
        versions: Package -> version, in training.
        score: Evaluation in plain Gymnasium: `episodes`, `seed`, and for `return` and `length` (environment steps)
            their `mean`, `std`, `median`, `min` and `max` over these episodes.
    """

    environment: str
    agent: str
    searcher: str
    dtype: str
    possible_connections: int
    connections: int
    command: str
    seed: int
    git_commit: str
    generations: int
    episodes: int
    steps: int
    versions: dict
    score: dict

    @property
    def training(self) -> Training:
        """How long the policy was trained."""
        return Training(self.generations, self.episodes, self.steps)

    @property
    def mean_return(self) -> float:
        """Mean return of the evaluation, in the environment's own reward."""
        return self.score["return"]["mean"]


def is_entry(folder: Path) -> bool:
    """Returns whether a folder holds an entry of a zoo, and not a run."""
    return (folder / ENTRY).is_file()


def read_entry(folder: Path) -> Entry:
    """Reads what is known of a policy.

    Args:
        folder: Folder of the entry, as of `resolve`.

    Raises:
        FileNotFoundError: If it holds no entry.
        UserError: If zoo.json is damaged or not ours.
    """
    path = folder / ENTRY
    try:
        content = json.loads(path.read_bytes())
        check_format(content if isinstance(content, dict) else {}, FORMAT, FORMAT_VERSION)
    except ValueError as error:  # of JSON and of UTF-8 too
        raise UserError(f"'{path}': expected an entry of the zoo: {error}") from error
    values = {field.name: content.get(field.name) for field in fields(Entry)}
    for field in fields(Entry):
        value, kind = values[field.name], field.type
        if type(value) is not kind:
            raise UserError(f"'{path}': expected the key '{field.name}' with a {kind.__name__}; got {value!r}")
    _check_score(path, values["score"])
    return Entry(**values)


def entry_bytes(entry: Entry) -> bytes:
    """Returns the content of zoo.json."""
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(entry)}
    return (json.dumps(content, indent=2) + "\n").encode()


def _check_score(path: Path, score: dict) -> None:
    for column in ("return", "length"):
        statistics = score.get(column)
        for name in ("mean", "std", "min", "max"):
            value = statistics.get(name) if isinstance(statistics, dict) else None
            if type(value) not in (int, float):
                raise UserError(f"'{path}': score.{column}.{name}: expected a number; got {value!r}")
