"""The checkpoints of a run: taken at its start and after every generation, written every few; the last two are kept."""

import json
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ec_evotorch import Resumable
from experiments.errors import UserError
from experiments.run_config.check_search import check_state
from experiments.run_config.keys import COMPONENTS, MODEL_DIGEST, STARTED_FROM
from experiments.run_config.targets import IMPORTED_FROM
from experiments.run_folder.archive import load_checkpoint, save_checkpoint
from experiments.run_folder.layout import CHECKPOINTS
from experiments.run_folder.metrics import COUNTS, MetricsWriter

KEPT = 2
KINDS = {dict: dict, int: int, float: (int, float), str: str}  # annotation -> types that a file may have
PATTERN = "generation-*.safetensors"
# Keys that may differ between the beginning of a run and its resumption:
MAY_DIFFER = (
    "budget",
    "early_stop",
    "versions",
    "runs",
    "run_dir",
    "overwrite",
    "progress",
    IMPORTED_FROM,
    STARTED_FROM,
)
NAMES_ONLY = ("label", "gradient_label", "same_results")  # keys of components, which earlier versions did not have


@dataclass(frozen=True)
class Checkpoint:
    """A run between the step of a generation and the evaluation of its centre.

    Attributes:
        row: Row of the generation, without the evaluation; empty before the first generation.
        steps_before: Environment steps before the generation.
        elapsed_seconds: Wall time of the run so far.
        metrics_size: Number of bytes in metrics.csv, which does not hold the row yet.
        metrics_sha256: SHA-256 of these bytes, in hex.
        search: State of the searcher and the problem, see `ec_evotorch.Resumable`.
        config: Configuration of the run without the keys that may differ when it is resumed.
        versions: Versions of the software, see `software_versions`.
    """

    row: dict
    steps_before: int
    elapsed_seconds: float
    metrics_size: int
    metrics_sha256: str
    search: dict
    config: dict
    versions: dict


class Checkpoints:
    """Writes the checkpoints of one run.

    Args:
        folder: Folder of the run.
        resumable: Search of the run.
        config: Configuration of the run, with versions.
        every: Generations between two checkpoints that are written; None writes only those that are asked for.
    """

    def __init__(self, folder: Path, resumable: Resumable, config: DictConfig, every: int | None):
        self._folder, self._resumable, self._every = folder / CHECKPOINTS, resumable, every
        self._config, self._versions = comparable(config), OmegaConf.to_container(config.versions)
        self._latest: Checkpoint | None = None
        self._written: Checkpoint | None = None

    def take(self, row: dict, steps_before: int, elapsed_seconds: float, metrics: MetricsWriter) -> None:
        """Takes the state of the search as it is now, and writes it if its time has come.

        Args:
            row: Row of the generation: column -> int, float or None; empty before the first generation.
            steps_before: Environment steps before the generation.
            elapsed_seconds: Wall time of the run so far.
            metrics: Rows written so far, without this one.

        Raises:
            UserError: If it cannot be written.
        """
        self._latest = Checkpoint(
            row=dict(row),
            steps_before=steps_before,
            elapsed_seconds=elapsed_seconds,
            metrics_size=metrics.size,
            metrics_sha256=metrics.sha256,
            search=self._resumable.state_dict(),
            config=self._config,
            versions=self._versions,
        )
        if self._every is not None and row.get("generation", 0) % self._every == 0:
            metrics.sync()
            self.write()

    def write(self) -> None:
        """Writes the latest checkpoint if that has not been done; then deletes all but the last two.

        Raises:
            UserError: If it cannot be written.
            ValueError: If the state of the searcher holds what no checkpoint can.
        """
        latest = self._latest
        if latest is None or latest is self._written:
            return
        check_state(latest.search["search"])
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot make '{self._folder}': {error.strerror}") from error
        tree = vars(latest) | {"config": json.dumps(latest.config)}
        save_checkpoint(self._folder / f"generation-{latest.row.get('generation', 0):08d}.safetensors", tree)
        self._written = latest
        for old in find_checkpoints(self._folder.parent)[:-KEPT]:
            old.unlink()


def find_checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints of a run, the newest last."""
    return sorted((folder / CHECKPOINTS).glob(PATTERN))


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        UserError: If it is missing, damaged or foreign. The message names it, what is wrong, and the one before it.
    """
    try:
        tree = load_checkpoint(path)
        checkpoint = Checkpoint(**{**tree, "config": json.loads(tree["config"])})
        _check(checkpoint)
        return checkpoint
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        before = [other for other in find_checkpoints(path.parent.parent) if other.name < path.name]
        advice = f"; to resume from the one before: --checkpoint {before[-1].name}" if before else ""
        raise UserError(f"'{path}': {what}{advice}") from error


def _check(checkpoint: Checkpoint) -> None:
    """Checks the types of what a checkpoint holds, but for the state of the search.

    Raises:
        ValueError: For the first that is another.
    """
    row = checkpoint.row
    expected = {name: KINDS[hint] for name, hint in Checkpoint.__annotations__.items()}
    for name, kinds in expected.items():
        value = getattr(checkpoint, name)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{name}: expected another type; got a {type(value).__name__}")
    for name, value in row.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"row: {name}: expected a number; got a {type(value).__name__}")
    for name in COUNTS[:3] if row else ():
        if type(row.get(name)) is not int or not 0 <= row[name] < 1 << 63:
            raise ValueError(f"row: {name}: expected a whole number; got {row.get(name)!r}")
    if not 0 <= checkpoint.metrics_size < 1 << 63:
        raise ValueError("metrics_size: expected a number of bytes")


def comparable(config: DictConfig) -> dict:
    """Returns the part of a configuration that must be the same when a run is resumed, as plain containers."""
    plain = OmegaConf.to_container(config, resolve=True)
    for component in COMPONENTS:
        for name in (*NAMES_ONLY, MODEL_DIGEST):  # the models are compared where the environment is made
            plain[component].pop(name, None)
    return {key: value for key, value in plain.items() if key not in MAY_DIFFER}


def differences(before: object, now: object, prefix: str = "") -> list[str]:
    """Lists the dotted keys in which two configurations differ, each as "key (before, now after)"."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in differences(before.get(key), now.get(key), f"{prefix}.{key}" if prefix else key)
        ]
    return [] if before == now else [f"{prefix} ({before!r}, now {now!r})"]
