"""A small interpreter of NIR graphs: exact solutions of each node in steps of dt, numbers between nodes in float32."""

from graphlib import TopologicalSorter

import nir
import numpy as np


class Interpreter:
    """Steps a graph. A spike goes back along a loop one step later; everything else passes within a step."""

    def __init__(self, graph: nir.NIRGraph, dt: float, initial_v: dict, clip: dict):
        self.nodes, self.clip = graph.nodes, clip
        reached = {name: self._reached_from(name, graph.edges) for name in self.nodes}
        late = {(a, b) for a, b in graph.edges if isinstance(self.nodes[a], nir.LIF) and a in reached[b] | {b}}
        sources = {name: [a for a, b in graph.edges if b == name and (a, b) not in late] for name in self.nodes}
        self.order = list(TopologicalSorter(sources).static_order())
        self.sources = {name: [a for a, b in graph.edges if b == name] for name in self.nodes}
        self.value = {name: np.zeros(node.output_type["output"], np.float32) for name, node in self.nodes.items()}
        self.v = {name: value.copy() for name, value in self.value.items()} | initial_v
        self.decay = {
            name: np.exp(-dt / node.tau).astype(np.float32)
            for name, node in self.nodes.items()
            if isinstance(node, nir.LIF | nir.LI)
        }
        self.gain = {
            name: (self.nodes[name].r * (1 - decay.astype(np.float64))).astype(np.float32)
            for name, decay in self.decay.items()
        }

    @staticmethod
    def _reached_from(start, edges) -> set:
        found, waiting = set(), [start]
        while waiting:
            here = waiting.pop()
            new = {b for a, b in edges if a == here} - found
            found |= new
            waiting.extend(new)
        return found

    def step(self, observation: np.ndarray) -> np.ndarray:
        """Advances by dt with a constant input, and returns the output."""
        for name in self.order:
            node = self.nodes[name]
            if isinstance(node, nir.Input):
                self.value[name] = observation
                continue
            x = sum(self.value[source] for source in self.sources[name])
            self.value[name] = self._advance(name, node, x)
        (output,) = (name for name, node in self.nodes.items() if isinstance(node, nir.Output))
        return self.value[output]

    def _advance(self, name: str, node: nir.NIRNode, x: np.ndarray) -> np.ndarray:
        match node:
            case nir.Affine():
                y = node.weight @ x.astype(np.float64) + node.bias
                return np.clip(y, -self.clip.get(name, np.inf), self.clip.get(name, np.inf)).astype(np.float32)
            case nir.Linear():
                return (node.weight.astype(np.float64) @ x.astype(np.float64)).astype(np.float32)
            case nir.Scale():
                return x * node.scale.astype(np.float32)
            case nir.LI() | nir.LIF():
                assert not node.v_leak.any()
                v = x * self.gain[name] + self.v[name] * self.decay[name]
                if isinstance(node, nir.LI):
                    self.v[name] = v
                    return v
                fired = v > node.v_threshold
                self.v[name] = np.where(fired, node.v_reset, v).astype(np.float32)
                return fired.astype(np.float32)
            case nir.Output():
                return x
        raise TypeError(type(node).__name__)
