"""The commands of `ec-evotorch`: each parses its arguments and hands them on."""
