"""Playing a trained policy: returns, spikes and energy."""
