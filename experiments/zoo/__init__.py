"""The zoo: trained policies that come with this package, each with its score and the command that trained it.

`names` lists them, `load` makes one ready to act, `resolve` finds its folder, and `read_entry` reads what is known of
it. `python -m experiments.zoo.add RUN NAME` adds the policy of a run.
"""

from experiments.zoo.entry import Entry, read_entry
from experiments.zoo.zoo import load, names, resolve

__all__ = ["Entry", "load", "names", "read_entry", "resolve"]
