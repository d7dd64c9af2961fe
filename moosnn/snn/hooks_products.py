"""Products of somebody's network that nobody counts: attention, weights of its own.

Knows: which operations of torch multiply matrices or convolve, and in which module's
call. Must not know: how many there are, what they cost.

What is not heard here are products entry by entry, which no neuron and no mask can do
without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from moosnn.errors import ConfigError
from moosnn.snn.hooks_connections import accounted_for

# Names of torch's operators, or how they begin.
_PRODUCTS = (
    "mm",
    "mv",
    "bmm",
    "dot",
    "addmm",
    "addmv",
    "addbmm",
    "baddbmm",
    "linear",
    "convolution",
    "mkldnn_",
    "_thnn_fused_",
    "_cudnn_rnn",
    "miopen_rnn",
    "_scaled_dot_product",
    "_native_multi_head_attention",
    "_trilinear",
)


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch
    """Hears products outside of modules whose operations are counted.

    Args:
        module: the whole network.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self._module = module
        self._inside: list[str] = []  # the modules that are being called
        self._counted = 0  # how many of them count what goes on in them
        self._found: dict[str, str] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        """Hear."""
        for name, module in self._module.named_modules():
            called = f"{name or 'network'} ({type(module).__name__})"
            counts = accounted_for(module)
            self._hooks += [
                module.register_forward_pre_hook(self._begins(called, counts)),
                module.register_forward_hook(self._ends(counts)),
            ]
        entered: Self = super().__enter__()  # type: ignore[no-untyped-call]  # of torch
        return entered

    def __exit__(self, *raised: object) -> None:
        """Hear no more."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]  # of torch
        for hook in self._hooks:
            hook.remove()

    def require_none(self) -> None:
        """Refuse a network of which only a part would be counted.

        Raises:
            ConfigError: with the modules and their products.
        """
        if self._found:
            found = ", ".join(f"{where}: {what}" for where, what in self._found.items())
            raise ConfigError(
                f"task.factory: operations in {found} cannot be counted (attention, "
                "weights outside of nn.Linear and convolutions): set "
                "task.operations=false for a search without metrics of operations."
            )

    def _begins(self, called: str, counts: bool) -> Callable[..., None]:
        def begin(*_: object) -> None:
            self._inside.append(called)
            self._counted += counts

        return begin

    def _ends(self, counts: bool) -> Callable[..., None]:
        def end(*_: object) -> None:
            self._inside.pop()
            self._counted -= counts

        return end

    def __torch_dispatch__(
        self,
        operator: Any,  # noqa: ANN401 -- torch's signature, as what follows
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Note an operator if it is a product, and go on."""
        name = operator.overloadpacket.__name__
        if not self._counted and name.startswith(_PRODUCTS):
            self._found.setdefault(self._inside[-1], name)
        return operator(*args, **(kwargs or {}))
