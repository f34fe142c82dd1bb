"""The commands of `ec-evotorch`, one module each: `main(argv)` parses the arguments and hands them on."""
