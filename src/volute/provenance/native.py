"""Two functions of c2pa's C interface that its Python one does not have."""

from __future__ import annotations

import contextlib
import ctypes
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c2pa import Builder, Signer


def by_hash(
    builder: Builder, signer: Signer, mime: str, told: Callable[[int], dict[str, Any]]
) -> bytes:
    """Return a manifest as it goes into a file of a type, which c2pa does not see.

    Args:
        builder: holds what is said.
        signer: signs it.
        mime: the type.
        told: from the length of the manifest in bytes to what is said of the file's hash.

    Raises:
        C2paError: if it cannot be signed.
    """
    import c2pa.c2pa as bound

    native: Any = bound._lib
    size, kind = ctypes.c_size_t(signer.reserve_size()), mime.encode()
    begun, made = (ctypes.POINTER(ctypes.c_ubyte)() for _ in range(2))
    prepare = native.c2pa_builder_data_hashed_placeholder
    finish = native.c2pa_builder_sign_data_hashed_embeddable
    prepare.restype = finish.restype = ctypes.c_int64
    with contextlib.ExitStack() as stack:
        count = prepare(builder._handle, size, kind, ctypes.byref(begun))
        bound._check_ffi_operation_result(count, "cannot begin", check=_negative)
        stack.callback(native.c2pa_free, begun)
        about = json.dumps(told(count)).encode()
        count = finish(builder._handle, signer._handle, about, kind, None, ctypes.byref(made))
        bound._check_ffi_operation_result(count, "cannot sign", check=_negative)
        stack.callback(native.c2pa_free, made)
        return ctypes.string_at(made, count)


def _negative(count: int) -> bool:
    return count < 0
