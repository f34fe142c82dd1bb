"""The spiking network on a device of NVIDIA Warp, a CPU or a GPU; imported only where it is asked for."""
