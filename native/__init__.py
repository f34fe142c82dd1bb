"""Shared by the rooms: C memory and C functions in numba code, and the number of threads. Knows numba alone."""
