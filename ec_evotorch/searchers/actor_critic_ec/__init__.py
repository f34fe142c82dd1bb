"""Evolving Connectivity with a critic: connections learn from single steps instead of whole episodes.

`actor_critic_ec` is the searcher. Its `network_actor` acts with networks that are drawn anew every few steps, and
`credit` turns what they were worth into a gradient of the connection probabilities. How steps are collected, and what
they are worth, is in `ec_evotorch.searchers.actor_critic`.
"""
