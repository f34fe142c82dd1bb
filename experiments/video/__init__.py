"""Watching a trained policy: films of an episode with the activity of its network, and a window in real time.

`film` writes a video file, `watch` opens a window. Both play the episodes of `ec-evotorch evaluate`.
"""
