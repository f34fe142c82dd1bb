"""Measures of speed, memory and scaling: the tables of `ec-evotorch bench`."""
