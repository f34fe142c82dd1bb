"""Episodes in slots that stay on a device of NVIDIA Warp: a step of all slots is launched, or replayed from a graph.

`slots` joins the parts: `queue` says which episode each slot plays, `interface` is between environment and network,
`members` brings the networks, `results` are what the host reads in the end, and `kernels` are theirs. Imported only
where a problem is given a device, because Warp is an extra.
"""
