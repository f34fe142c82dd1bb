"""The recurrent spiking network: its definition, its compiled step and backpropagation through time."""
