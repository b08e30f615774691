#!/usr/bin/env python3
"""Decodes the golden frames with nothing but docs/PROTOCOL.md at hand. Usage: check_vectors.py <sources>

An independent reading of the protocol's text: if this file, the C code and the stored vectors agree, a
third implementation can be written from the text alone.
"""

import math
import pathlib
import struct
import sys

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
ROTATION_STREAM = 0xC0DEC002
EDEN2_CENTROIDS = (-1.51042, -0.45278, 0.45278, 1.51042)
SPARSE = {7: (41, 4, 1), 8: (10, 6, 16)}  # kept of 1,024, low bits, value bits


def mix(x):
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def rng(seed, stream, counter):
    x = mix(seed + GOLDEN & MASK)
    x = mix(x ^ (stream + GOLDEN & MASK) * 0xD1B54A32D192ED03 & MASK)
    return mix(x + (counter + 1) * GOLDEN & MASK)


def bits_of(data):
    return [data[i // 8] >> i % 8 & 1 for i in range(8 * len(data))]


def number(bits, at, width):
    return sum(bits[at + i] << i for i in range(width))


def half(value):
    return struct.unpack("<e", struct.pack("<H", value))[0]


def hadamard(x):
    x, stride = list(x), 1
    while stride < len(x):
        for start in range(0, len(x), 2 * stride):
            for i in range(start, start + stride):
                x[i], x[i + stride] = x[i] + x[i + stride], x[i] - x[i + stride]
        stride *= 2
    return [value / math.sqrt(len(x)) for value in x]


def rotate_back(values, seed, block):
    words = [rng(seed, ROTATION_STREAM, 16 * block + i) for i in range(16)]
    signs = [1 if words[i // 64] >> i % 64 & 1 else -1 for i in range(1024)]
    return [value * sign for value, sign in zip(hadamard(values), signs)]


def decode_sparse(codec, data, count, scale):
    share, low, width = SPARSE[codec]
    kept = -(-share * count // 1024)
    upper = kept + (count - 1 >> low)
    size = (upper + kept * (low + width) + 7) // 8
    bits, values = bits_of(data[:size]), [0.0] * count
    for j, bit in enumerate(i for i in range(upper) if bits[i]):
        position = bit - j << low | number(bits, upper + j * low, low)
        value = number(bits, upper + kept * low + j * width, width)
        values[position] = half(value) if codec == 8 else (scale if value else -scale)
    return values, size


def decode_block(codec, data, count, scale, seed, block):
    """The values of one block, and how many bytes they took."""
    if codec == 0:
        return struct.unpack(f"<{count}f", data[:4 * count]), 4 * count
    if codec == 1:
        return struct.unpack(f"<{count}e", data[:2 * count]), 2 * count
    if codec == 2:
        return [scale * q for q in struct.unpack(f"<{count}b", data[:count])], count
    if codec == 3:
        size = (count + 1) // 2
        nibbles = [q for byte in data[:size] for q in (byte & 15, byte >> 4)]
        return [scale * (q - 16 if q > 7 else q) for q in nibbles[:count]], size
    if codec == 4:
        bits = bits_of(data[:256])
        values = [scale * EDEN2_CENTROIDS[number(bits, 2 * i, 2)] for i in range(1024)]
        return rotate_back(values, seed, block)[:count], 256
    if codec == 5:
        values = [scale if bit else -scale for bit in bits_of(data[:128])]
        return rotate_back(values, seed, block)[:count], 128
    if codec == 6:
        size = (count + 7) // 8
        return [scale if bit else -scale for bit in bits_of(data[:size])[:count]], size
    return decode_sparse(codec, data, count, scale)


def decode(frame):
    magic, version, codec, count, _, seed, _, log2, flags, scales = struct.unpack(
        "<2sBBIIIIBBH", frame[:24])
    if (magic, version, flags) != (b"FU", 1, 0):
        raise ValueError("not a frame of version 1")
    at, values, size = 24 + 2 * scales, [], 1 << log2
    for block, first in enumerate(range(0, count, size)):
        length = min(size, count - first)
        scale = half(struct.unpack_from("<H", frame, 24 + 2 * block)[0]) if scales else None
        part, used = decode_block(codec, frame[at:], length, scale, seed, block)
        values += part
        at += used
    if at != len(frame):
        raise ValueError(f"{len(frame) - at} bytes too many")
    return values


def frames_of(patch):
    """The frames of a patch, each as long as its codec and its number of values say."""
    at = 0
    while at < len(patch):
        codec, count, scales = patch[at + 3], *struct.unpack_from("<I14xH", patch, at + 4)
        size = 24 + 2 * scales + {2: count, 5: 128 * scales}[codec]
        yield patch[at:at + size]
        at += size


def check_patch(folder):
    """A key frame and a delta, added to zeros."""
    stored = read_hex(folder / "patch.values.hex")
    expected = struct.unpack(f"<{len(stored) // 4}f", stored)
    values, frames = [0.0] * len(expected), list(frames_of(read_hex(folder / "patch.frames.hex")))
    for frame in frames:
        values = [a + b for a, b in zip(values, decode(frame))]
    worst = max(abs(a - b) for a, b in zip(values, expected))
    if [frame[3] for frame in frames] != [2, 5] or worst > 1e-6:
        sys.exit(f"patch: {len(frames)} frames, off by up to {worst}")
    print(f"patch: {len(frames)} frames, {len(values)} values agree")


def read_hex(path):
    return bytes.fromhex(path.read_text().replace("\n", ""))


def main():
    folder = pathlib.Path(sys.argv[1]) / "proto" / "vectors" / "codec"
    frames = sorted(folder.glob("*.frame.hex"))
    for path in frames:
        name = path.name.split(".")[0]
        stored = read_hex(folder / f"{name}.values.hex")
        expected = struct.unpack(f"<{len(stored) // 4}f", stored)
        values = decode(read_hex(path))
        worst = max(abs(a - b) for a, b in zip(values, expected))
        if len(values) != len(expected) or worst > 1e-7:
            sys.exit(f"{name}: {len(values)} values, off by up to {worst}")
        print(f"{name}: {len(values)} values agree")
    if len(frames) != 9:
        sys.exit(f"{len(frames)} frames instead of 9")
    check_patch(folder.parent / "downlink")


if __name__ == "__main__":
    main()
