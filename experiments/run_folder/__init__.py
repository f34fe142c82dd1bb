"""The files of a run folder: their names, formats, and how they are written so that a crash loses nothing."""
