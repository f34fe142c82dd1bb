"""EC with a critic on a device of NVIDIA Warp; imported only where it is asked for."""
