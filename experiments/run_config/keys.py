"""The parts of a configuration, and which of their keys are no keywords or change no result."""

from collections.abc import Iterator, Mapping

COMPONENTS = ("env", "agent", "searcher", "problem")
MODEL_DIGEST = "model_digest"  # label of an environment: which model of the user's own it simulates
STARTED_FROM = "started_from"  # key of config.yaml: name of a run or file that a search began from -> what that was
STARTS = ("prob_init", "center_init")  # keywords of searchers that may name a run, a rule or a file
LABELS = {  # keys of a component's YAML that are not keywords of its constructor
    "env": ("name", "alive_bonus", MODEL_DIGEST, "same_results"),
    "agent": ("name", "label", "gradient_label", "weight_scale", "same_results"),
    "searcher": ("name", "label", "solutions", "decrease_rewards_by", "same_results"),
    "problem": ("same_results",),
}
SAME_RESULTS = {  # keywords on which no result depends, such as those that trade memory for time
    "env": ("render_mode", "vectorization_mode"),
    "agent": (),
    "searcher": ("chunk_size", "episodes.chunk_size"),
    "problem": ("seed", "num_envs", "num_threads", "num_actors", "actor_timeout", "scalar_only"),
}
WITHOUT_INFLUENCE = tuple(
    f"{component}.{key}" for component in COMPONENTS for key in (*LABELS[component], *SAME_RESULTS[component])
)
ADDED_LATER = {  # keys that runs of earlier versions do not have, and the value that does nothing
    "incumbent": None,
    "problem.device": None,
    "problem.max_episode_steps": None,
    "problem.physics": None,
    "searcher.anneal_steps": None,
    "searcher.batch_growth": 1,
    "searcher.center_init": None,
    "searcher.entropy_penalty": 0,
    "searcher.episodes.entropy_penalty": 0,
    "searcher.metric": "euclidean",
    "searcher.prob_min_final": None,
    "searcher.warmup_steps": 0,
}


def keys_without_influence(config: Mapping) -> set[str]:
    """Returns the dotted keys of components that no result of a run depends on.

    These are `WITHOUT_INFLUENCE` and what the YAML of a component lists under `same_results`. The seed is among them,
    because runs that differ in nothing else are runs of one method.

    Args:
        config: The configuration of a run.
    """
    keys = set(WITHOUT_INFLUENCE)
    for component in COMPONENTS:
        node = config.get(component)
        declared = node.get("same_results") if isinstance(node, Mapping) else None
        keys |= {f"{component}.{key}" for key in (declared if isinstance(declared, list) else ())}
    return keys


def keys_without_effect(config: Mapping) -> set[str]:
    """Returns the dotted keys of `ADDED_LATER` that do nothing in a run, as if they were not there.

    Args:
        config: The configuration of a run, as plain containers.
    """
    values = {key: value for part in (*COMPONENTS, "incumbent") for key, value in leaves(config.get(part), part)}
    return {key for key, nothing in ADDED_LATER.items() if key in values and values[key] == nothing}


def leaves(node: object, key: str) -> Iterator[tuple[str, object]]:
    """Yields (dotted key, value) of everything in nested dictionaries; a list is one value.

    Args:
        node: Plain containers.
        key: The dotted key of `node` itself.
    """
    if isinstance(node, Mapping) and node:
        for name, child in node.items():
            yield from leaves(child, f"{key}.{name}")
    else:
        yield key, node
