"""From the words of a command line to a checked configuration, and from that to problem and searcher."""
