"""Proximal policy optimisation (PPO) with surrogate gradients.

`ppo` is the searcher. It has a `collector` that plays the episodes, an `action_distribution` that actions are drawn
from, a `critic` that estimates values, and `advantages`, which turns rewards and values into what the policy learns
from.
"""
