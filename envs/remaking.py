"""Copies of vector environments, by `pickle` and `copy`, as environments that are made anew."""

from collections.abc import Callable


class Remade:
    """A vector environment of which `pickle`, `copy` and their like keep how it was made, and nothing else.

    The copy is what `make_vec` returned at first: none of its sub-environments runs before its first reset, and without
    a seed that reset draws new random numbers.

    Attributes:
        made_by: Function without arguments that makes such an environment; `make_vec` says so of those that it makes.
    """

    made_by: Callable | None = None

    def __reduce__(self):
        """Returns how to make the environment anew."""
        if self.made_by is None:
            raise TypeError(f"a {type(self).__name__} can be pickled and copied only if make_vec has made it")
        return self.made_by, ()
