"""The short name by which papers call a searcher and a network together: EC-RSNN, ES-GRU, 1-bit SG-RSNN."""

from collections.abc import Mapping

LONGEST_ACRONYM = 5  # letters of a name that is written in capitals


def method_label(agent: Mapping, searcher: Mapping) -> str:
    """Returns the name of a method, as "1-bit ES-RSNN".

    The searcher's name, a hyphen and the agent's; names of up to five letters are acronyms and written in capitals. PPO
    on a spiking network is called SG, for its surrogate gradients, as in the paper. Sign connections put "1-bit" in
    front and leave the agent's name without its "_sign"; boolean ones are not told, for EC has no others.

    Args:
        agent: The agent's configuration: `name`, and where it has them `connections`.
        searcher: The searcher's configuration: `name`.
    """
    network = agent["name"].removesuffix("_sign")
    is_spiking = network == "rsnn"
    search = "sg" if searcher["name"] == "ppo" and is_spiking else searcher["name"]
    one_bit = "1-bit " if agent.get("connections") == "sign" else ""
    return f"{one_bit}{_capitals(search)}-{_capitals(network)}"


def _capitals(name: str) -> str:
    return name.upper() if len(name) <= LONGEST_ACRONYM else name
