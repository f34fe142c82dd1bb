"""Search distributions and the science of sampling from them, as functions of arrays and as EvoTorch distributions."""
