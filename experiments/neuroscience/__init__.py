"""In silico neuroscience: what evolution has wired, how it acts, and which parts carry the behaviour.

Science is functions of arrays, for any network: `structure` (with `triads` and `modules`) measures wiring, and
`null_models` with `comparison` says what differs from chance; `matching` finds the neurons of one network in another;
the files of `activity` describe recorded spikes; `lesions` measures what is lost without a neuron, a module or a block
of connections. `wiring` holds the connections of one network, and `analysis` takes trained policies through all of it.
"""
