"""What recorded spikes say: statistics of trains, assemblies, avalanches, currents, the gait, and GO and NOGO."""
