"""Playing a population in an environment: the problem, its slots, the observation normaliser and the saved policy."""
