"""Networks of ordinary units on a device of NVIDIA Warp, and kernels of all networks there; an extra."""
