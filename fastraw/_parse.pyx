# cython: language_level=3, freethreading_compatible=True, embedsignature=False
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""parse_head in C, and all that is built with it: the octets in `_scan.h`, the objects here.

    parse_head -> scan_head      the octets: lines, offsets, limits          _scan.h
               -> make_head      a Head that keeps the offsets
               -> check_host     what the fields say together                _framing.pxi
                  read_framing
                  read_options

The Head is in `_head.pxi`; what goes with it, in the other parts that are included.

What few requests have (another form of target, an IPv6 host, several fields of a name that frames
the message) is left to `grammar`, so that it is decided in one place.

Nothing is read beyond the data, whatever another thread writes into a bytearray meanwhile: lengths
are looked at once, and what a Head keeps of a bytearray is a copy.
"""

import sys
from urllib.parse import unquote

cimport cython
from cpython.bytearray cimport PyByteArray_Check
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from cpython.list cimport PyList_New
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.tuple cimport PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from . import faults
from ._environ_py import environ_of, path_and_query, raw_path_and_query
from ._message_py import JOINED_BYTES, OCTETS
from ._parse_py import DEFAULT
from .errors import ParseError
from .grammar import (
    UNLIMITED, authority_of, check_coding, connection_options, is_host, length_of,
)
from .headers import Headers

cdef extern from "Python.h":
    object PyUnicode_DecodeLatin1(const char* text, Py_ssize_t length, const char* errors)
    object PyUnicode_New(Py_ssize_t length, Py_UCS4 highest)
    void* PyUnicode_DATA(object text)
    # Without the counting of references that Cython would add.
    PyObject* new_latin1 "PyUnicode_DecodeLatin1" (
        const char* text, Py_ssize_t length, const char* errors
    ) except NULL
    PyObject* new_unicode "PyUnicode_New" (Py_ssize_t length, Py_UCS4 highest) except NULL
    void* data_of "PyUnicode_DATA" (PyObject* text)
    PyObject* new_tuple "PyTuple_New" (Py_ssize_t length) except NULL
    void put_in_tuple "PyTuple_SET_ITEM" (PyObject* items, Py_ssize_t place, PyObject* item)
    void put_in_list "PyList_SET_ITEM" (object items, Py_ssize_t place, PyObject* item)
    object PyType_GenericAlloc(PyTypeObject* type, Py_ssize_t items)

cdef extern from "_reuse.h":
    void reuse_memory(PyTypeObject* type, size_t room)

cdef extern from "_scan.h" nogil:
    ctypedef const uint8_t* octets
    enum: TOKEN, TARGET, VALUE, HOST_NAME
    uint8_t octet_class[256]
    enum: COMPLETE, INCOMPLETE, NO_MEMORY, TARGET_FORM
    enum: HOST, TRANSFER_ENCODING, CONTENT_LENGTH, CONNECTION, EXPECT, UPGRADE
    enum: KNOWN, KNOWN_LENGTH, SLOTS
    ctypedef struct field_line:
        uint32_t name, name_length, value, value_length
        uint16_t known, ascii
    ctypedef struct bounds:
        uint32_t request_line, head, lines
    ctypedef struct scan:
        octets start
        uint32_t method_length, target_length, size
        int minor_version
        uint32_t* first
        uint32_t* repeated
        uint32_t count
        field_line* fields
    uint8_t known_texts[KNOWN][KNOWN_LENGTH]
    uint8_t known_lengths[KNOWN]
    uint8_t known_kinds[KNOWN]
    uint8_t known_slots[SLOTS]
    uint32_t known_slot(octets name, size_t length)
    uint32_t next_slot(uint32_t slot)
    uint32_t find_known(octets name, size_t length)
    int kind_of(octets name, size_t length)
    bint is_text(octets p, const char* text, size_t length)
    octets skip_host(octets p, octets end, octets low)
    int scan_head(scan* s, octets start, octets seen, octets end, const bounds* limits)
    void release(scan* s)


# In the order of `enum outcome`.
cdef tuple FAULTS = (
    None, None, None,
    faults.BEGINNING, faults.REQUEST_LINE_LONG, faults.LINE_END, faults.SHAPE, faults.METHOD,
    faults.TARGET_OCTETS, faults.VERSION, faults.MAJOR_VERSION, faults.TARGET_FORM,
    faults.HEAD_LONG, faults.HEAD_LINES, faults.FOLDED, faults.COLON, faults.FIELD_NAME,
    faults.FIELD_VALUE,
)

include "_names.pxi"
include "_head.pxi"
include "_framing.pxi"
include "_chunks.pxi"
include "_environ.pxi"
include "_message.pxi"

cdef object DEFAULT_LIMITS = DEFAULT


cdef Head make_head(scan* s, object data, octets begin):
    cdef Head head = Head.__new__(Head)
    cdef Py_ssize_t size = s.count * sizeof(field_line)
    if s.count <= INSIDE:
        head.fields = head.inside
        memcpy(head.fields, s.fields, size)
    else:
        head.outside = PyBytes_FromStringAndSize(<const char*>s.fields, size)
        head.fields = <field_line*>PyBytes_AS_STRING(head.outside)
    if PyBytes_Check(data):
        head.data = <bytes>data
        head.start = s.start
        head.constant = True
    else:
        head.data = PyBytes_FromStringAndSize(<const char*>s.start, s.size)
        head.start = <octets>PyBytes_AS_STRING(head.data)
    head.count = s.count
    head.method = method_of(head.start, s.method_length)
    head.target_length = s.target_length
    head.minor_version = s.minor_version
    head.size = s.size + (s.start - begin)
    head.host = s.first[<int>HOST]
    head.length = -1
    return head


cdef bounds read_bounds(object limits) except *:
    cdef bounds found
    found.request_line = min(limits.request_line_bytes or UNLIMITED, UNLIMITED)
    found.head = min(limits.head_bytes or UNLIMITED, UNLIMITED)
    found.lines = min(limits.field_lines or UNLIMITED, UNLIMITED)
    return found


cdef bounds default_bounds = read_bounds(DEFAULT)


cdef object parse(object data, octets begin, octets seen, octets end, object limits):
    cdef scan s
    cdef str authority = None
    cdef Head head
    cdef bounds room = default_bounds if limits is DEFAULT_LIMITS else read_bounds(limits)
    cdef int outcome = scan_head(&s, begin, seen, end, &room)
    try:
        if s.target_length and (
            s.start[s.method_length + 1] != c"/"
            or (s.method_length == 7 and memcmp(s.start, b"CONNECT", 7) == 0)
        ):
            authority = authority_of(
                method_of(s.start, s.method_length),
                text_of(s.start + s.method_length + 1, s.target_length),
            )
            if authority is None:
                outcome = TARGET_FORM
        if outcome == INCOMPLETE:
            return None
        if outcome == NO_MEMORY:
            raise MemoryError
        if outcome != COMPLETE:
            raise ParseError(*FAULTS[outcome])
        head = make_head(&s, data, begin)
        check_host(head, &s)
        read_framing(head, &s)
        read_options(head, &s)
        if authority and head.method != "CONNECT":
            head.authority = authority
        head.ordinary = (
            head.keep_alive and head.minor_version and head.length <= 0 and not head.chunked
            and not (s.method_length == 4 and memcmp(s.start, b"HEAD", 4) == 0)
            and not (s.method_length == 7 and memcmp(s.start, b"CONNECT", 7) == 0)
        )
        return head
    finally:
        release(&s)


def parse_head(data, Py_ssize_t start=0, Py_ssize_t seen=0, limits=DEFAULT):
    """Parse the request head that begins at `data[start]` (RFC 9112 sections 2 to 6).

    Args:
        data: what was received; a bytearray may grow between calls.
        start: index of the first octet of the request.
        seen: how far an earlier call with the same start, which returned None, has looked: its
            `len(data)`; 0 when there was none.
        limits: how long the request line and the header section may be.

    Returns None as long as the head is neither complete nor certain to be wrong. Raises
    ParseError with the status to answer with, TypeError unless data is bytes or a bytearray,
    ValueError for a start outside of data.
    """
    return head_of(data, start, seen, limits)


cdef object head_of(object data, Py_ssize_t start, Py_ssize_t seen, object limits):
    cdef Py_buffer view
    cdef octets octets_of
    cdef Py_ssize_t length
    if PyBytes_Check(data):
        octets_of = <octets>PyBytes_AS_STRING(data)
        length = PyBytes_GET_SIZE(data)
        if not 0 <= start <= length:
            raise ValueError("start must be an index into data")
        seen = min(max(seen, start), length)
        return parse(data, octets_of + start, octets_of + seen, octets_of + length, limits)
    if not PyByteArray_Check(data):
        raise TypeError("data must be bytes or a bytearray")
    # While there is a view, no other thread can change the size of a bytearray.
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= start <= view.len:
            raise ValueError("start must be an index into data")
        seen = min(max(seen, start), view.len)
        octets_of = <octets>view.buf
        return parse(data, octets_of + start, octets_of + seen, octets_of + view.len, limits)
    finally:
        PyBuffer_Release(&view)
