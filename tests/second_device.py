"""A second device that any machine has: CUDA's rules of where tensors lie, CPU numbers.

Where there is no GPU, a tensor that is made or left on the wrong device goes unseen:
all devices are one. `installed` gives torch a second one, of the kind that is left free
for accelerators of others (``PrivateUse1``). To torch and to the code under test it is
a device as CUDA is: ``tensor.device`` says so, factories, ``to``, modules, autograd in
a thread of its own, in-place operations, views, custom functions and sparse CSR work.

*Its memory is the CPU's.* A tensor of it is a tensor of the CPU under another label,
made by DLPack without a copy. Torch has no kernels for such a device and asks the
fallback below for every operation; that lifts the labels, lets the CPU compute, and
labels what comes out. So numbers are those of the CPU.

*Its rules are CUDA's.* Refused are

- a tensor of the CPU beside one of the device in one operation: by torch's own checks
  where there are any, else by the fallback. Allowed are, as with CUDA, those without
  dimensions where a number could stand, and indices;
- ``numpy()`` and ``numpy.asarray``: by torch itself;
- random numbers on the device from a generator of the CPU.

*What it cannot show:* anything of CUDA's kernels: numbers, the order of sums, streams,
memory; operations that torch composes of others here only; generators of its own.

Registration cannot be undone, and torch wants it before the first backward pass of the
process: what needs it runs in a process of its own (`tests/test_second_device.py`).
"""

from __future__ import annotations

import ctypes
import functools
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration

NAME = "twin"
_STRIDED, _SPARSE = "PrivateUse1", "SparseCsrPrivateUse1"
# DLPack's DLTensor begins with a pointer and then the kind of its device, an int32.
_KIND_AT = ctypes.sizeof(ctypes.c_void_p)
_KINDS = {"cpu": 1, NAME: 12}  # kDLCPU and kDLExtDev
_PARTS = ("crow_indices", "col_indices", "values")
_ACROSS = ("aten::_copy_from", "aten::_copy_from_and_resize")
_INDEXING = ("aten::index", "aten::index_put", "aten::_index_put_impl_")
# Operations besides those that torch checks itself in which a number could stand.
_TAKES_NUMBERS = (*_INDEXING, "aten::where", "aten::masked_fill_", "aten::fill_")
_NUMBERS = (bool, int, float)
# Operations that take them for tensors.
_ARITHMETIC = ("aten::add", "aten::sub", "aten::mul", "aten::div")

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _labelled(tensor: Tensor, name: str) -> Tensor:
    """The same memory under the name of another device."""
    if tensor.layout is torch.sparse_csr:
        parts = [_labelled(_part(tensor, p), name) for p in _PARTS]
        with warnings.catch_warnings():  # torch calls the format a beta
            warnings.simplefilter("ignore", UserWarning)
            return torch.sparse_csr_tensor(*parts, tensor.shape, check_invariants=False)
    capsule = torch._C._to_dlpack(tensor)
    address = _pointer(capsule, b"dltensor")
    ctypes.c_int32.from_address(address + _KIND_AT).value = _KINDS[name]
    return torch._C._from_dlpack(capsule)


def _part(tensor: Tensor, name: str) -> Tensor:
    """One of the tensors that a sparse one is made of, by the kernel of the CPU."""
    kernels = torch._C.DispatchKeySet(torch._C.DispatchKey.SparseCsrCPU)
    return getattr(torch.ops.aten, name).default.redispatch(kernels, tensor)


class _Call:
    """One operation: its tensors without labels, and with labels again."""

    def __init__(self, op: torch._ops.OpOverload) -> None:
        self._op = op
        self._name = op.name().partition(".")[0]
        self._pairs: list[tuple[Tensor, Tensor]] = []  # without, with

    def lifted(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._bare(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self.lifted, value))
        if isinstance(value, torch.device):
            return torch.device("cpu") if value.type == NAME else value
        if isinstance(value, torch.Generator):
            raise RuntimeError(f"{self._op}: a generator of {value.device} on {NAME}")
        return value

    def _bare(self, tensor: Tensor) -> Tensor:
        if tensor.device.type != NAME:
            self._require_allowed(tensor)
            return tensor
        if tensor.layout is torch.strided and tensor.numel() == 0:
            # It may be made larger, which lent memory cannot be.
            bare = torch.empty(tensor.shape, dtype=tensor.dtype)
        else:
            bare = _labelled(tensor, "cpu")
        self._pairs.append((bare, tensor))
        return bare

    def _require_allowed(self, tensor: Tensor) -> None:
        if self._name in _ACROSS:
            return
        index = self._name in _INDEXING and not tensor.dtype.is_floating_point
        checked = self._op._overloadname.endswith("out")
        takes = checked or self._name in _TAKES_NUMBERS
        if not (index or (takes and tensor.dim() == 0)):
            raise RuntimeError(
                f"{self._op}: expected all tensors on {NAME}, one is on {tensor.device}"
            )

    def labelled(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(map(self.labelled, value))
        if not isinstance(value, Tensor):
            return value
        for bare, own in self._pairs:
            if bare is value:  # changed in place
                if bare.shape != own.shape:
                    own.data = _labelled(bare, NAME)
                return own
        return _labelled(value, NAME)


def _fallback(op: torch._ops.OpOverload, *args: Any, **options: Any) -> Any:
    if op.is_view:  # nothing is computed
        return op.redispatch(torch._C.DispatchKeySet(torch._C.DispatchKey.CPU), *args)
    call = _Call(op)
    given = _with_numbers(op, call.lifted(args))
    named = {name: call.lifted(value) for name, value in options.items()}
    if op is torch.ops.aten._copy_from.default:  # which the CPU does not have
        source, target, *_ = given
        return call.labelled(target.copy_(source))
    return call.labelled(op(*given, **named))


@functools.cache
def _tensors_wanted(op: torch._ops.OpOverload) -> tuple[bool, ...]:
    """Which arguments are tensors, and may not be numbers."""
    if op.name().startswith(_ARITHMETIC):
        return ()
    return tuple(isinstance(a.type, torch.TensorType) for a in op._schema.arguments)


def _with_numbers(op: torch._ops.OpOverload, given: Any) -> Any:
    """Numbers as tensors, where torch took tensors that stand for numbers apart."""
    wanted = _tensors_wanted(op)
    if not any(wanted[1:]):
        return given
    pairs = zip(given, wanted, strict=False)
    return [torch.tensor(v) if w and type(v) in _NUMBERS else v for v, w in pairs]


def _convolution_backward(grad: Any, images: Any, weight: Any, *rest: Any) -> Any:
    real = torch.ops.aten.convolution_backward.default
    return _fallback(real, grad, images, weight, None, *rest)


_deepcopy = Tensor.__deepcopy__


def _copied(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    """`copy.deepcopy`, which would ask the device for memory to copy bytes into."""
    if tensor.device.type != NAME:
        return _deepcopy(tensor, memo)
    return memo.setdefault(id(tensor), tensor.detach().clone())


@functools.cache
def installed() -> torch.device:
    """The device, registered by the first call."""
    backend_registration._setup_privateuseone_for_python_backend(NAME)
    every = torch.library.Library("_", "IMPL")
    every.fallback(_fallback, _STRIDED)
    every.fallback(_fallback, _SPARSE)
    # What torch has an answer of its own for, so that it would not ask the fallback.
    own = torch.library.Library("aten", "IMPL")
    for name, op, key in (
        ("convolution_overrideable", torch.ops.aten.convolution, _STRIDED),
        ("mse_loss", torch.ops.aten.mse_loss, _STRIDED),
        ("addmm", torch.ops.aten.addmm, _SPARSE),
    ):
        own.impl(name, functools.partial(_fallback, op.default), key)
    own.impl("convolution_backward_overrideable", _convolution_backward, _STRIDED)
    for name in _PARTS:
        own.impl(name, functools.partial(_part, name=name), _SPARSE)
    Tensor.__deepcopy__ = _copied  # type: ignore[method-assign]
    _KEPT.extend((every, own))
    return torch.device(NAME)


_KEPT: list[torch.library.Library] = []  # they are taken back when they are forgotten
