"""`ec-evotorch video`: films a policy, with the activity of its network."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from experiments.commands.arguments import (
    add_episode_arguments,
    add_policy_argument,
    add_trust_argument,
    file_in_a_folder_named,
    whole_number_in,
)
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.evaluation.episodes import episode_seed, load_policy_of_run
from experiments.run_folder.layout import VIDEO
from experiments.training.stop_signals import sigterm_interrupts
from experiments.video.film import film
from experiments.video.video_file import FASTEST_GIF, GIF, SUFFIXES
from experiments.zoo.entry import is_entry
from experiments.zoo.zoo import resolve

FASTEST, SMALLEST, LARGEST = 240, 160, 4096  # frames per second; width and height, pixels


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, the run has no policy that can be read, or it cannot be filmed.
    """
    parser = ArgumentParser(
        prog="ec-evotorch video",
        description="Films episodes of the policy of a run in real time, without a display: the body, the spikes or "
        "hidden units of its network, return and speed.",
    )
    add_policy_argument(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=file_in_a_folder_named(*SUFFIXES),
        metavar="FILE",
        help=f"the file to write, which ends in .mp4 or .gif (default: {VIDEO} in the folder of the run, where report "
        "finds it; NAME.mp4 for a policy of the zoo)",
    )
    add_episode_arguments(parser)
    parser.add_argument(
        "--fps",
        type=whole_number_in(1, FASTEST),
        metavar="N",
        help="frames per second; the film stays in real time (default: the steps per second of the environment, but at "
        "most 50, and 25 in a GIF)",
    )
    size = whole_number_in(SMALLEST, LARGEST, even=True)
    parser.add_argument(
        "--width", type=size, metavar="PIXELS", help="width of the picture (default: 960; 540 with the body alone)"
    )
    parser.add_argument("--height", type=size, metavar="PIXELS", help="height of the picture (default: 540)")
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    run = resolve(arguments.run)
    saved = load_policy_of_run(run, arguments.trust)
    output = arguments.output or (Path(f"{run.name}.mp4") if is_entry(run) else run / VIDEO)
    if output.suffix == GIF and (arguments.fps or 0) > FASTEST_GIF:
        raise UserError(f"--fps: expected at most {FASTEST_GIF} for a GIF; got {arguments.fps}")
    console = Console(stderr=True)
    with (
        results_warnings_as_lines(parser.prog),
        sigterm_interrupts(),
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("filming")
        played = film(
            saved,
            output,
            [episode_seed(arguments.seed, episode) for episode in range(arguments.episodes)],
            arguments.fps,
            arguments.width,
            arguments.height,
            arguments.max_seconds,
            lambda steps, of: progress.update(task, completed=steps, total=of),
        )
    print(f"{output}: {saved.env['id']}, {'; '.join(episode.outcome for episode in played)}")
