"""The nine tasks as worlds of MuJoCo Warp, on a CPU or a CUDA device; imported only where they are asked for."""
