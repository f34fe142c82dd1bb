"""What the other packages of ec-evotorch share: compiled code, C memory, threads and checks of arguments.

It knows NumPy and numba, and none of the other packages.
"""
