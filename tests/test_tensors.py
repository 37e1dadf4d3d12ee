"""Arrays in, the same arrays out; anything that is not safetensors is refused."""

import json
import mmap
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load_file, save_file

from ipse import tensors
from ipse.errors import StoreFailure

DTYPES = ["bool", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64", "complex64"]
NAMED = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(DTYPES).flatmap(lambda d: arrays(d, array_shapes(min_dims=0, min_side=0))),
    max_size=4,
)


def identical(one, other):
    return one.keys() == other.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (other[n].dtype, other[n].shape, other[n].tobytes())
        for n, a in one.items()
    )


@given(NAMED)
def test_what_is_packed_is_unpacked(named):
    data = tensors.pack(named)
    assert identical(tensors.unpack(data), named)
    assert tensors.pack(dict(reversed(named.items()))) == data


@given(NAMED)
def test_equal_arrays_hash_equal_in_any_order(named):
    found = tensors.content_hash(named)
    assert tensors.content_hash(dict(reversed(named.items()))) == found
    assert tensors.content_hash(tensors.unpack(tensors.pack(named))) == found


def test_name_type_shape_and_value_all_count_in_the_hash():
    base = np.zeros((2, 3), np.float32)
    variants = [{"a": base}, {"b": base}, {"a": base.T}, {"a": base + 1}, {"a": base.view("i4")}]
    assert len({tensors.content_hash(named) for named in variants}) == len(variants)


def test_the_hash_is_of_the_content_and_so_is_the_same_for_ever():
    assert tensors.content_hash({"w": np.arange(3, dtype=np.int8)}) == (
        "b6c627b8cfd76524090cb7c4cc0f6a1d2f76c5bddf240cd100d143f16141a1a4"
    )


def test_files_are_read_as_the_library_reads_them(tmp_path):
    named = {"b": np.arange(6.0).reshape(2, 3), "a": np.ones(3, np.float16), "s": np.array(2.0)}
    save_file(named, tmp_path / "theirs.safetensors", metadata={"format": "np"})
    tensors.write(tmp_path / "ours.safetensors", named)
    assert identical(tensors.read(tmp_path / "theirs.safetensors"), named)
    assert identical(load_file(tmp_path / "ours.safetensors"), named)


@pytest.mark.parametrize("odd", [np.arange(12.0).reshape(3, 4).T, np.arange(5, dtype=">i4")])
def test_order_and_endianness_do_not_change_the_values(odd):
    assert np.array_equal(tensors.unpack(tensors.pack({"a": odd}))["a"], odd)


@pytest.mark.parametrize(("size", "kind"), [(4, bytes), (2**20, mmap.mmap)])
def test_a_large_file_is_mapped_and_any_outlives_its_name(tmp_path, size, kind):
    path = tmp_path / "a.safetensors"
    tensors.write(path, {"a": np.arange(size)})
    array = tensors.read(path)["a"]
    path.unlink()
    assert isinstance(array.base, kind)
    assert not array.flags.writeable
    assert np.array_equal(array, np.arange(size))


def test_more_arrays_are_held_than_files_may_be_open(tmp_path):
    tensors.write(tmp_path / "a.safetensors", {"a": np.arange(4)})
    code = (
        "import pathlib, resource, sys; from ipse import tensors\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "held = [tensors.read(pathlib.Path(sys.argv[1])) for _ in range(200)]\n"
        "assert all(each['a'][3] == 3 for each in held)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.safetensors")], check=True)


def test_a_write_replaces_and_leaves_no_draft(tmp_path):
    path = tmp_path / "a.safetensors"
    for n in range(2):
        tensors.write(path, {"a": np.full(3, n)})
    assert tensors.read(path)["a"].tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o077 == 0


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    tensors.write(path, {"a": np.zeros(3)})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensors.os, "fsync", full)
    with pytest.raises(StoreFailure, match="No space left"):
        tensors.write(path, {"a": np.ones(3)})
    assert tensors.read(path)["a"].tolist() == [0, 0, 0]
    assert list(tmp_path.iterdir()) == [path]


def test_another_content_than_expected_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors.write(path, {"a": np.zeros(3)})
    assert tensors.read(path, tensors.content_hash({"a": np.zeros(3)}))
    with pytest.raises(StoreFailure, match="damaged"):
        tensors.read(path, tensors.content_hash({"a": np.ones(3)}))


def packed(header, data=b""):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data


ENTRY = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 not at all",
        b"\xff" * 32,
        packed(b"{"),
        packed([1]),
        packed({"a": 1}),
        packed({"a": ENTRY}, b"1"),
        packed({"a": ENTRY}, b"123"),
        packed({"a": ENTRY, "b": ENTRY}, b"12"),
        packed({"a": ENTRY | {"data_offsets": [1, 3]}}, b"123"),
        packed({"a": ENTRY | {"shape": [-1, -2]}}, b"12"),
        packed({"a": ENTRY | {"shape": ["2"]}}, b"12"),
        packed({"a": ENTRY | {"dtype": "BF16"}}, b"12"),
        packed(b'{"a":' + b"[" * 100_000),
    ],
)
def test_what_is_not_safetensors_is_refused(data, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(StoreFailure, match=r"a\.safetensors is not a whole safetensors file"):
        tensors.read(path)


@pytest.mark.parametrize("bad", [np.array(["text"]), np.array([None]), np.zeros(1, "complex128")])
def test_types_without_a_place_in_safetensors_are_refused(bad):
    with pytest.raises(StoreFailure, match=r"'a' is of type .* Known types: bool"):
        tensors.pack({"a": bad})


def test_the_reserved_name_is_refused():
    with pytest.raises(StoreFailure, match="__metadata__"):
        tensors.pack({"__metadata__": np.zeros(1)})
