"""Sends the rows of a run, while it goes on, through EvoTorch's logger hook to TensorBoard or Weights & Biases.

Both are optional packages, which are imported only when a run asks for one of them. (EvoTorch itself imports wandb
where that is installed.)
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from evotorch.tools.hook import Hook

from ec_evotorch import TensorBoardLogger
from experiments.errors import UserError, did_you_mean
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import TENSORBOARD, WANDB

STEP = "steps"  # the column of metrics.csv that is the horizontal axis
WANDB_ID = "run-id.txt"  # in the folder `WANDB`


class Live:
    """Hands the rows of a run to the loggers in `log_hook`, as EvoTorch's searchers do with their status.

    Attributes:
        log_hook: Functions that are called with each row.
    """

    def __init__(self):
        self.log_hook = Hook()

    def log(self, row: Mapping[str, object]) -> None:
        """Logs a row of metrics.csv.

        Args:
            row: Column -> number; None is left out.
        """
        self.log_hook({column: value for column, value in row.items() if value is not None})


@contextmanager
def to_tensorboard(live: Live, folder: Path) -> Iterator[None]:
    """Logs into event files in the folder of a run until the end of the block.

    Args:
        live: Source of the rows.
        folder: Folder of the run.
    """
    with closing(TensorBoardLogger(live, folder / TENSORBOARD, step=STEP)):
        yield


@contextmanager
def to_wandb(live: Live, folder: Path, **keywords) -> Iterator[None]:
    """Logs to Weights & Biases until the end of the block. A run that is resumed continues there as the same run.

    Args:
        live: Source of the rows.
        folder: Folder of the run.
        **keywords: Keywords of `wandb.init`.

    Raises:
        UserError: If `wandb.init` refuses the keywords, or there is no account and no `mode` that needs none.
    """
    import wandb
    from evotorch.logging import WandbLogger  # there only where wandb is

    id_path = folder / WANDB / WANDB_ID
    if not id_path.exists():
        id_path.parent.mkdir(exist_ok=True)
        write_atomic(id_path, uuid.uuid4().hex.encode())
    arguments = {"name": folder.name, "dir": folder, "id": id_path.read_text(), "resume": "allow", **keywords}
    try:
        WandbLogger(live, **arguments)
    except (wandb.Error, TypeError) as error:
        raise UserError(f"logger=wandb: {error}") from error
    try:
        wandb.define_metric("*", step_metric=STEP)
        yield
    finally:
        wandb.finish()


class Service(NamedTuple):
    """A place that rows can be logged to.

    Attributes:
        log_to: Context manager that logs the rows of a `Live` for the folder of a run.
        package: Package that must be installed.
        extra: Optional extra of this project that installs it.
    """

    log_to: Callable[..., AbstractContextManager]
    package: str
    extra: str


SERVICES = {
    "tensorboard": Service(to_tensorboard, package="tensorboard", extra="live"),
    "wandb": Service(to_wandb, package="wandb", extra="wandb"),
}


def live_logging(logger: Mapping | None) -> Callable[[Live, Path], AbstractContextManager]:
    """Returns the function that logs the rows of a run until the end of a `with` block.

    Args:
        logger: The part `logger` of a configuration: `name`, and keywords of the service; None to log nothing.

    Returns:
        A function of a `Live` and the folder of a run.

    Raises:
        UserError: If there is no such service, or its package is not installed.
    """
    if logger is None:
        return lambda live, folder: nullcontext()
    if not isinstance(logger, Mapping) or not isinstance(logger.get("name"), str):
        raise UserError(f"logger: expected the key 'name'; got {logger!r}")
    name, keywords = logger["name"], {key: value for key, value in logger.items() if key != "name"}
    if name not in SERVICES:
        raise UserError(f"logger: expected none, {' or '.join(SERVICES)}; got '{name}'{did_you_mean(name, SERVICES)}")
    service = SERVICES[name]
    if find_spec(service.package) is None:
        raise UserError(
            f"logger={name} needs the package '{service.package}': pip install 'ec-evotorch[{service.extra}]'"
        )
    return partial(service.log_to, **keywords)
