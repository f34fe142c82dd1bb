"""Playing a population on several processes or machines with Ray."""
