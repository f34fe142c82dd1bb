"""Proximal policy optimisation with surrogate gradients: the learner, its collector of steps, and its critic."""
