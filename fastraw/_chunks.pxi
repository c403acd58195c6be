# take_chunks in C: a part of _parse.pyx. `_chunks_py` is the reference.


cdef int hex_value(uint8_t octet) noexcept:
    if c"0" <= octet <= c"9":
        return octet - c"0"
    octet |= 0x20
    return octet - c"a" + 10 if c"a" <= octet <= c"f" else -1


cdef octets next_chunk(
    octets p, octets end, uint64_t room, octets* content, uint64_t* size
) noexcept:
    """Find the whole plain chunk at p; where it ends, or NULL."""
    cdef octets begin = p
    cdef int value
    size[0] = 0
    while p < end:
        value = hex_value(p[0])
        if value < 0:
            break
        size[0] = size[0] << 4 | <uint64_t>value
        p += 1
    if not 0 < p - begin <= 16 or not 0 < size[0] <= room or end - p < 4:
        return NULL
    if p[0] != c"\r" or p[1] != c"\n" or size[0] > <uint64_t>(end - p - 4):
        return NULL
    content[0] = p + 2
    p += 2 + size[0]
    return p + 2 if p[0] == c"\r" and p[1] == c"\n" else NULL


cdef tuple chunks_of(octets data, octets start, octets end, uint64_t room):
    cdef octets p = start
    cdef octets after, content
    cdef uint64_t size, total = 0
    cdef bytes joined
    cdef char* out
    while True:
        after = next_chunk(p, end, room - total, &content, &size)
        if after == NULL:
            break
        total += size
        p = after
    joined = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>total)
    out = PyBytes_AS_STRING(joined)
    while start != NULL and start < p:
        # Sizes that have changed since they were added up are those of a bytearray that another
        # thread writes to: its content is not defined, but nothing is written beyond the end.
        start = next_chunk(start, p, total, &content, &size)
        if start != NULL:
            memcpy(out, content, size)
            out += size
            total -= size
    memset(out, 0, total)
    return joined, p - data


def take_chunks(data, Py_ssize_t start, int64_t room):
    """Take whole chunks off `data` from `start` on, as long as they are plain.

    Stops before a chunk that is incomplete, malformed or the last one, has extensions, or would
    make more than `room` octets. Returns the content, and the index of the first octet left.
    """
    cdef Py_buffer view
    cdef octets begin
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= start <= view.len or room < 0:
            raise ValueError("start must be an index into data, room not negative")
        begin = <octets>view.buf
        return chunks_of(begin, begin + start, begin + view.len, <uint64_t>room)
    finally:
        PyBuffer_Release(&view)
