"""What happens to one generation: its rows are made from a seed, ranked, and learned from."""
