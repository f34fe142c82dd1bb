"""Proximal policy optimisation (PPO) with surrogate gradients.

`ppo` is the searcher. Its `actor` draws actions from an `action_distribution`. How steps are collected, and what they
are worth, is in `ec_evotorch.searchers.actor_critic`.
"""
