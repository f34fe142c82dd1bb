"""Playing a population on several processes or machines with Ray.

`schedule` decides who plays which rows, `driver` sends and collects, `worker` plays, `messages` is what travels between
the two, and `ray_cluster` is the only module that knows Ray; `cluster` says what stands in for it.
"""
