"""The short name by which papers call a searcher and a network together: EC-RSNN, ES-GRU, 1-bit SG-RSNN."""

from collections.abc import Mapping

LONGEST_ACRONYM = 5  # letters of a name that is written in capitals


def method_label(agent: Mapping, searcher: Mapping) -> str:
    """Returns the name of a method, as "1-bit ES-RSNN".

    It is the `label` of the searcher, a hyphen and the `label` of the agent. Sign connections put "1-bit" in front;
    boolean connections are not mentioned, because EC has no others.

    Args:
        agent: Configuration of the agent: `name`, and where it has them `label` and `connections`.
        searcher: Configuration of the searcher: `name`, and where it has it `label`.
    """
    old_search, old_network = _labels_of_old_run(agent, searcher)
    search, network = _label(searcher) or old_search, _label(agent) or old_network
    one_bit = "1-bit " if agent.get("connections") == "sign" else ""
    return f"{one_bit}{search}-{network}"


def _label(node: Mapping) -> str | None:
    label = node.get("label")
    return label if isinstance(label, str) and label else None


def _labels_of_old_run(agent: Mapping, searcher: Mapping) -> tuple[str, str]:
    """Returns the labels (searcher, agent) of components whose YAML did not say them when the run was made.

    Names of up to five letters are acronyms and are written in capitals; PPO on a spiking network was called SG.
    """
    network = agent["name"].removesuffix("_sign")
    search = "sg" if searcher["name"] == "ppo" and network == "rsnn" else searcher["name"]
    return _capitals(search), _capitals(network)


def _capitals(name: str) -> str:
    return name.upper() if len(name) <= LONGEST_ACRONYM else name
