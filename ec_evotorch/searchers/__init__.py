"""The searchers: Evolving Connectivity, the evolution strategy of the paper, and PPO."""
