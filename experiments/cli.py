"""The command `ec-evotorch`: finds the sub-command and turns the user's mistakes into one line."""

import argparse
import importlib
import os
import sys

from experiments import __version__
from experiments.errors import ArgumentParser, UserError
from experiments.plain_text import any_output_can_be_shown
from experiments.rooms import check_rooms
from experiments.run_config.targets import UntrustedError
from experiments.training.stop_signals import Terminated
from experiments.video.opengl import check_mujoco_gl

# Sub-command -> module with `main(argv)`, imported only when asked for: importing torch takes seconds.
COMMANDS = {
    "train": "experiments.commands.train",
    "resume": "experiments.commands.resume",
    "evaluate": "experiments.commands.evaluate",
    "video": "experiments.commands.video",
    "watch": "experiments.commands.watch",
    "export": "experiments.commands.export",
    "table": "experiments.commands.table",
    "claims": "experiments.commands.claims",
    "plot": "experiments.commands.plot",
    "report": "experiments.commands.report",
    "energy": "experiments.commands.energy",
    "analyze": "experiments.commands.analyze",
    "bench": "experiments.commands.bench",
}

HELP = """\
commands (each has its own --help):
  train      train a policy: ec-evotorch train env=hopper agent=rsnn searcher=ec seed=0 budget=1e6
  resume     go on with a run that was interrupted or killed, or with a larger budget: ec-evotorch resume RUN budget=2e6
  evaluate   play the policy of a run in plain Gymnasium: ec-evotorch evaluate runs/hopper-rsnn-ec-seed0
  video      film an episode with the network's spikes: ec-evotorch video zoo/hopper -o hopper.gif
  watch      watch one in a window: ec-evotorch watch zoo/hopper
  export     write a policy for a neuromorphic chip, for PyTorch or for NumPy: ec-evotorch export RUN -o policy.nir
  table      compare the methods of runs: ec-evotorch table runs
  claims     compare them as the paper's claims do: ec-evotorch claims runs --score last5
  plot       draw their curves, scores or a map of surrogates: ec-evotorch plot runs --output curves.svg
  report     all about runs and their networks in one HTML file: ec-evotorch report runs
  energy     estimate the energy of a run on a neuromorphic chip: ec-evotorch energy runs/hopper-rsnn-ec-seed0
  analyze    compare a network's wiring with chance, and play it without each part: ec-evotorch analyze zoo/hopper
  bench      measure environments, agent and training against the speed of the bare physics
"""


def main(argv: list[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
        argv: The words after the program's name; None for those that this process was started with.

    Returns:
        The exit code: 0; 1 if a run crashed, or runs of a sweep are not finished; 2 for a user's mistake, or what else
        has ended a run, which is told in one line on stderr; 130 after Ctrl-C; 143 after SIGTERM.
    """
    with any_output_can_be_shown():
        return _run(argv)


def _run(argv: list[str] | None) -> int:
    parser = ArgumentParser(
        prog="ec-evotorch",
        description="Evolving Connectivity: recurrent spiking networks of one-bit connections, on EvoTorch.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ec-evotorch {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="command", help=", ".join(COMMANDS))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the command takes").required = False
    try:
        chosen = parser.parse_args(argv)
        check_rooms()
        check_mujoco_gl(os.environ)
        return importlib.import_module(COMMANDS[chosen.command]).main(chosen.arguments) or 0
    except UntrustedError as error:
        message = error.with_command([chosen.command, *chosen.arguments])
        print(f"ec-evotorch: error: {message}", file=sys.stderr)
        return error.exit_code
    except UserError as error:
        print(f"ec-evotorch: error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # who reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        what = f"cannot read or write '{error.filename}': {error.strerror}" if error.filename else error
        print(f"ec-evotorch: error: {what}", file=sys.stderr)
        return 2
    except Terminated:
        return 143
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
