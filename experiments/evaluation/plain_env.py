"""The plain Gymnasium environment that a saved policy plays in."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium

from envs import make_plain, model_digest
from experiments.errors import ResultsWarning, UserError
from experiments.run_config.environment import is_other_model
from experiments.run_config.keywords import env_refusal
from experiments.run_config.own_code import told_of
from experiments.run_config.targets import packages_of
from experiments.run_folder.policy import SavedPolicy


@contextmanager
def open_env(saved: SavedPolicy) -> Iterator[gymnasium.Env]:
    """Makes the environment of a policy, which is closed at the end of the block.

    Args:
        saved: The policy.

    Raises:
        UserError: If the environment cannot be made or played, or the policy was made for another one; or if an error
            in its code, or in that of the agent, ends the block.
    """
    packages = [type(saved.policy.agent).__module__.partition(".")[0], *packages_of({"env": saved.env})]
    try:
        env = make_plain(**saved.env)
    except (ValueError, TypeError) as error:
        raise env_refusal(error, saved.env) from error
    except Exception as error:
        raise UserError(f"env: cannot be made: {told_of(error, packages)}") from error
    try:
        expected = {"observation": (saved.policy.agent.obs_length,), "action": saved.policy.action_low.shape}
        for name, space in (("observation", env.observation_space), ("action", env.action_space)):
            if space.shape != expected[name]:
                raise UserError(
                    f"env: expected an {name} of shape {expected[name]} for this policy; {saved.env['id']} has {space}"
                )
        yield env
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the policy cannot play: {told_of(error, packages)}") from error
    finally:
        env.close()


def warn_of_other_model(saved: SavedPolicy, env: gymnasium.Env) -> None:
    """Compares the model of an environment with the one that the policy was trained with.

    Warns:
        ResultsWarning: If it is another one.
    """
    if is_other_model(saved.model_digest, model_digest(env)):
        warnings.warn(
            f"the policy was trained with another model than '{saved.env.get('xml_file')}' is now",
            ResultsWarning,
            stacklevel=2,
        )
