"""Measuring speed, memory and scaling."""
