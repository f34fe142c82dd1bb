"""Compiled code shared by the rooms: reading C memory and calling C functions from numba. Knows numba alone."""
