"""Copies of vector environments, by `pickle` and `copy`, as environments that are made anew."""

from collections.abc import Callable


class Remade:
    """A vector environment of which `pickle`, `copy` and their like keep how it was made, and nothing else.

    The copy is what `make_vec` returned at first, with the limit that its episodes were given later: none of its
    sub-environments runs before its first reset, and without a seed that reset draws new random numbers.

    Attributes:
        made_by: Function without arguments that makes such an environment; `make_vec` says so of those that it makes.
        limit: What `limit_episodes` was called with; None if it was not.
    """

    made_by: Callable | None = None
    limit: int | None = None

    def __reduce__(self):
        """Returns how to make the environment anew."""
        if self.made_by is None:
            raise TypeError(f"a {type(self).__name__} can be pickled and copied only if make_vec has made it")
        return _make_anew, (self.made_by, self.limit)


def _make_anew(made_by: Callable, limit: int | None):
    env = made_by()
    if limit is not None:
        env.limit_episodes(limit)
    return env
