"""What a run keeps of how the connection probabilities ρ changed: a histogram of all, and a summary of each block."""
