"""What searchers share that learn from single steps with a critic: they are PPO and `ActorCriticEC`.

`actor_critic_search` is their base class: iterations that count when they are whole. A `collector` plays steps of
episodes that go on, a `critic` estimates values, and `advantages` turns rewards and values into what is learned from.
"""
