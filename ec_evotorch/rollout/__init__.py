"""Playing a population in an environment.

`problem` is the EvoTorch problem; `slots` plays many episodes in a fixed number of environment slots, in C where
environment and agent offer that (`native_policy`); `normalizer` and `visited_states` keep the statistics of
observations, `episode_statistics` those of returns; `policy` is one trained solution for a plain Gymnasium loop;
`components` makes environment and agent, `spaces` says how observations and actions of any space are vectors, and
`flat_env` makes them so; `vector_calls` checks what the environment returns, and `resting` lets slots rest where it
does not; `episode_seeds` says with which seeds is played; `workers` plays on several processes or machines.
"""
