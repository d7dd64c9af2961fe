"""How a blueprint is drawn: node by node, with every shape worked out on the way.

Knows: nodes and shapes. Must not know: torch, genes, which architecture is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

from moosnn.errors import ConfigError
from moosnn.snn.blueprint import (
    INPUT,
    Blueprint,
    Conv,
    Delay,
    Linear,
    Mean,
    Node,
    Op,
    Pool,
    Shape,
    Sum,
)
from moosnn.snn.fixed import Decode, Heaviside, Lateral, OneToOne
from moosnn.snn.layer import Neurons


class Draft:
    """Collects the nodes of a blueprint. Every method adds one and gives its name.

    Args:
        input_shape: of a step of the coded input.
    """

    def __init__(self, input_shape: Shape) -> None:
        self._input_shape = input_shape
        self._nodes: list[Node] = []
        self._shapes: dict[str, Shape] = {INPUT: input_shape}
        self._counts: dict[str, int] = {}

    def shape(self, name: str) -> Shape:
        """The shape of a node."""
        return self._shapes[name]

    def linear(
        self, source: str, outputs: int, *, bias: bool = True, name: str | None = None
    ) -> str:
        """All entries of ``source`` to ``outputs`` ones; see `neurons` for ``name``."""
        op = Linear(outputs=outputs, bias=bias)
        return self._add(op, (source,), (outputs,), name)

    def conv(
        self,
        source: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        *,
        norm: bool = True,
    ) -> str:
        """A convolution, with a batch norm if ``norm``.

        Raises:
            ConfigError: the source is no image.
        """
        _, height, width = self._image(source)
        size = (-(-height // stride), -(-width // stride))
        op = Conv(channels=channels, kernel=kernel, stride=stride, norm=norm)
        return self._add(op, (source,), (channels, *size))

    def halve(self, source: str) -> str:
        """The largest of every 2 x 2; an image of one row or column stays as it is.

        The maximum of spikes is a spike, so what follows still adds and never
        multiplies.
        """
        return self.pool(source, "max", 2)

    def pool(self, source: str, kind: str, size: int) -> str:
        """The maximum or average of windows side by side.

        Args:
            source: an image.
            kind: see `Pool`.
            size: the side of a window; at most that of the image, and 1 = no pooling.
        """
        channels, height, width = self._image(source)
        window = min(size, height, width)
        if window == 1:
            return source
        op = Pool(kind=kind, kernel=window, stride=window)
        return self._add(op, (source,), (channels, height // window, width // window))

    def smooth(self, source: str) -> str:
        """The average of every 3 x 3, padded with 0."""
        op = Pool(kind="average", kernel=3, stride=1, padding=1)
        return self._add(op, (source,), self._image(source))

    def mean(self, source: str) -> str:
        """The mean over an image."""
        return self._add(Mean(), (source,), self._image(source)[:1])

    def sum(self, sources: Iterable[str]) -> str:
        """The sum of nodes of one shape; of one node: itself."""
        names = tuple(sources)
        if len(names) == 1:
            return names[0]
        return self._add(Sum(), names, self._shapes[names[0]])

    def neurons(
        self, current: str, neurons: Neurons, *, name: str | None = None
    ) -> str:
        """Spiking neurons driven by ``current``.

        Args:
            current: a node.
            neurons: type and constants.
            name: unique; ``None`` = the kind of node and how many of it came before,
                which depends on what else is drawn.
        """
        return self._add(neurons, (current,), self._shapes[current], name)

    def spikes(self, source: str) -> str:
        """1 where ``source`` is above 0."""
        return self._add(Heaviside(), (source,), self._shapes[source])

    def fixed(self, source: str, op: OneToOne | Lateral) -> str:
        """A connection of one strength to as many entries as ``source`` has."""
        return self._add(op, (source,), self._shapes[source])

    def decode(self, source: str, classes: int, decoder: str) -> str:
        """What makes classes of spikes; see `Decode`."""
        op = Decode(classes=classes, decoder=decoder)
        return self._add(op, (source,), (classes,))

    def delay(self, shape: Shape) -> str:
        """What a node that is added later gave one step ago; see `close`."""
        return self._add(Delay(), (), shape)

    def close(self, delay: str, source: str) -> None:
        """Tell a delay which node it reads."""
        index = next(i for i, n in enumerate(self._nodes) if n.name == delay)
        node = self._nodes[index]
        self._nodes[index] = Node(
            name=delay, op=node.op, sources=(source,), shape=node.shape
        )

    def finished(self) -> Blueprint:
        """The blueprint; its output is the node that was added last."""
        return Blueprint(input_shape=self._input_shape, nodes=tuple(self._nodes))

    def _image(self, source: str) -> tuple[int, int, int]:
        shape = self._shapes[source]
        if len(shape) != 3:
            raise ConfigError(
                "architecture: expected images of channels x height x width, got "
                f"{' x '.join(map(str, shape))} inputs; use architecture=mlp."
            )
        return shape

    def _add(
        self,
        op: Op,
        sources: tuple[str, ...],
        shape: Shape,
        name: str | None = None,
    ) -> str:
        if name is None:
            kind = type(op).__name__.lower()
            self._counts[kind] = self._counts.get(kind, 0) + 1
            name = f"{kind}_{self._counts[kind]}"
        self._nodes.append(Node(name=name, op=op, sources=sources, shape=shape))
        self._shapes[name] = shape
        return name
