"""`ec-evotorch watch`: shows a policy in a window."""

from experiments.commands.arguments import add_episode_arguments, add_policy_argument, add_trust_argument
from experiments.errors import ArgumentParser, results_warnings_as_lines
from experiments.evaluation.episodes import episode_seed, load_policy_of_run
from experiments.video.window import watch
from experiments.zoo.zoo import resolve


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, the run has no policy that can be read, or there is no display.
    """
    parser = ArgumentParser(
        prog="ec-evotorch watch",
        description="Shows episodes of the policy of a run in a window, in real time. In a window of MuJoCo the space "
        "bar pauses, the right arrow plays a step, the mouse moves the camera, and Esc leaves.",
    )
    add_policy_argument(parser)
    add_episode_arguments(parser)
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    saved = load_policy_of_run(resolve(arguments.run), arguments.trust)
    seeds = [episode_seed(arguments.seed, episode) for episode in range(arguments.episodes)]
    with results_warnings_as_lines(parser.prog):
        watch(saved, seeds, arguments.max_seconds, lambda episode: print(f"{saved.env['id']}: {episode.outcome}"))
