"""What searchers share that learn from single steps with a critic: they are PPO and `ActorCriticEC`.

A `collector` plays steps of episodes that go on, a `critic` estimates values, and `advantages` turns rewards and values
into what is learned from.
"""
