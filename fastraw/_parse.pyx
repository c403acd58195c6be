# cython: language_level=3, freethreading_compatible=True, embedsignature=False
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""parse_head and take_chunks in C: the octets in `_scan.h`, the objects here.

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
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from . import faults
from ._environ_py import environ_of, path_and_query, raw_path_and_query
from ._message_py import OCTETS
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
    object PyType_GenericAlloc(PyTypeObject* type, Py_ssize_t items)

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
    ctypedef struct known_name:
        uint8_t length, kind
        uint8_t* text
    known_name known_names[KNOWN]
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

# Names that clients send often, for which no new str is made. Any case is recognised; these are
# here as written and in lower case.
cdef str NAMES = """
Host Transfer-Encoding Content-Length Connection Expect Upgrade Accept Accept-Charset
Accept-Encoding Accept-Language Access-Control-Request-Headers Access-Control-Request-Method
Authorization Cache-Control Content-Disposition Content-Encoding Content-Language Content-Location
Content-Range Content-Type Cookie DNT Date ETag Forwarded From HTTP2-Settings If-Match
If-Modified-Since If-None-Match If-Range If-Unmodified-Since Idempotency-Key Keep-Alive
Last-Modified Max-Forwards Origin Pragma Prefer Priority Proxy-Authorization Proxy-Connection
Range Referer Save-Data Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest
Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-WebSocket-Extensions Sec-WebSocket-Key
Sec-WebSocket-Protocol Sec-WebSocket-Version TE Traceparent Tracestate Trailer
Upgrade-Insecure-Requests User-Agent Via X-Api-Key X-Auth-Token X-CSRF-Token X-Correlation-ID
X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Real-IP X-Request-ID
X-Request-Id X-Requested-With
"""
cdef PyObject* known_objects[KNOWN]


cdef int fill_tables() except -1:
    cdef uint32_t number = 0, slot
    cdef bytes text
    for octet in range(256):
        letter = chr(octet)
        plain = octet < 128 and letter.isalnum()
        octet_class[octet] = (
            (TOKEN if plain or (octet < 128 and letter in "!#$%&'*+-.^_`|~") else 0)
            | (TARGET if 0x20 < octet < 0x7f and letter != "#" else 0)
            | (VALUE if octet == 9 or (octet >= 32 and octet != 127) else 0)
            | (HOST_NAME if plain or (octet < 128 and letter in "-._~!$&'()*+;=") else 0)
        )
    names = sorted({spelled for name in NAMES.split() for spelled in (name, name.lower())})
    assert len(names) < KNOWN and max(map(len, names)) <= KNOWN_LENGTH
    for number, name in enumerate(names, 1):
        text = name.encode()
        slot = known_slot(<octets>PyBytes_AS_STRING(text), len(text))
        while known_slots[slot]:
            slot = next_slot(slot)
        known_slots[slot] = <uint8_t>number
        memcpy(known_names[number].text, PyBytes_AS_STRING(text), len(text))
        known_names[number].length = <uint8_t>len(text)
        known_names[number].kind = <uint8_t>kind_of(<octets>PyBytes_AS_STRING(text), len(text))
        name = sys.intern(name)
        Py_INCREF(name)
        known_objects[number] = <PyObject*>name
    return 0


fill_tables()

cdef str text_of(octets start, Py_ssize_t length):
    return PyUnicode_DecodeLatin1(<const char*>start, length, NULL)


cdef str ascii_text_of(octets start, Py_ssize_t length):
    text = PyUnicode_New(length, 127)
    memcpy(PyUnicode_DATA(text), start, length)
    return text


cdef object headers_of(list pairs):
    """Headers.from_parsed, without a call."""
    headers = PyType_GenericAlloc(<PyTypeObject*>Headers, 0)
    headers._pairs = pairs
    headers._index = None
    return headers


cdef str method_of(octets start, Py_ssize_t length):
    cdef const char* text = <const char*>start
    if length == 3:
        if memcmp(text, b"GET", 3) == 0:
            return "GET"
        if memcmp(text, b"PUT", 3) == 0:
            return "PUT"
    elif length == 4:
        if memcmp(text, b"POST", 4) == 0:
            return "POST"
        if memcmp(text, b"HEAD", 4) == 0:
            return "HEAD"
    elif length == 5 and memcmp(text, b"PATCH", 5) == 0:
        return "PATCH"
    elif length == 6 and memcmp(text, b"DELETE", 6) == 0:
        return "DELETE"
    elif length == 7:
        if memcmp(text, b"OPTIONS", 7) == 0:
            return "OPTIONS"
        if memcmp(text, b"CONNECT", 7) == 0:
            return "CONNECT"
    return text_of(start, length)


cdef enum:
    INSIDE = 14  # field lines that a Head holds without asking for more memory


@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class Head:
    """A request's head: request line and header section (RFC 9112 section 2.1). Read only.

    `method`, `target` and the field names are as received. `minor_version` is 0 or 1; a higher
    one counts as 1 (RFC 9110 section 2.5). `ordinary` says that it is a request by HTTP/1.1 without
    content, neither HEAD nor CONNECT, after which the connection is kept.
    """

    cdef bytes data
    cdef octets start  # of the request line, in data; the offsets in fields count from here
    cdef field_line* fields
    cdef field_line inside[INSIDE]
    cdef uint32_t count, target_length, host
    cdef int64_t length
    cdef str authority, target_text
    cdef object wrapped
    cdef readonly str method
    cdef readonly str upgrade
    cdef readonly Py_ssize_t size
    cdef readonly int minor_version
    cdef readonly bint chunked, keep_alive, expect_continue, ordinary
    cdef bint constant  # whether data was that when it was checked

    def __init__(self):
        raise TypeError("a Head is made by parse_head")

    def __dealloc__(self):
        if self.fields != self.inside:
            PyMem_Free(self.fields)

    @property
    def target(self):
        """The request target as received (RFC 9112 section 3.2)."""
        return self.text()

    @property
    def content_length(self):
        """The stated length of the content in octets; None when none is stated."""
        return None if self.length < 0 else self.length

    @property
    def headers(self):
        """The header fields; Host is the authority of an absolute-form target."""
        with cython.critical_section(self):
            if self.wrapped is None:
                self.wrapped = headers_of(self.pairs())
            return self.wrapped

    def environ(self, dict template, client):
        """The environ of a WSGI request: the template, with this request's meta-variables (RFC
        3875 section 4.1, PEP 3333). `client` is its address: (host, port), or a path. The template
        holds what most requests have: GET, an empty query, HTTP/1.1."""
        return environ_in_c(self, template, client)

    def __repr__(self):
        return f"<Head {self.method} {self.target} HTTP/1.{self.minor_version}>"

    cdef str text(self):
        """The target."""
        with cython.critical_section(self):
            if self.target_text is None:
                self.target_text = text_of(
                    self.start + len(self.method) + 1, self.target_length
                )
            return self.target_text

    cdef bint has_plain_target(self):
        """Whether the target is a path, and one that says it as it is."""
        cdef octets target = self.start + len(self.method) + 1
        return (
            target[0] == c"/"
            and memchr(target, c"?", self.target_length) == NULL
            and memchr(target, c"%", self.target_length) == NULL
        )

    cdef list pairs(self):
        cdef list pairs = PyList_New(self.count)
        cdef field_line* field = self.fields
        cdef uint32_t i
        cdef tuple pair
        cdef object name, value
        for i in range(self.count):
            if field.known:
                name = <object>known_objects[field.known]
            elif self.constant:
                name = ascii_text_of(self.start + field.name, field.name_length)
            else:
                name = text_of(self.start + field.name, field.name_length)
            if field.ascii and self.constant:
                value = ascii_text_of(self.start + field.value, field.value_length)
            else:
                value = text_of(self.start + field.value, field.value_length)
            pair = PyTuple_New(2)
            Py_INCREF(name)
            PyTuple_SET_ITEM(pair, 0, name)
            Py_INCREF(value)
            PyTuple_SET_ITEM(pair, 1, value)
            Py_INCREF(pair)
            PyList_SET_ITEM(pairs, i, pair)
            field += 1
        if self.authority is not None:
            # RFC 9112 section 3.2.2: the host of an absolute form counts, not the field.
            if self.host:
                pairs[self.host - 1] = (pairs[self.host - 1][0], self.authority)
            else:
                pairs.append(("Host", self.authority))
        return pairs

    cdef str value(self, uint32_t number):
        """The value of the field line with this number, from 1."""
        cdef field_line* field = self.fields + (number - 1)
        return text_of(self.start + field.value, field.value_length)

    cdef list values(self, int kind):
        """The values of all field lines of one kind."""
        cdef uint32_t i
        cdef list values = []
        for i in range(self.count):
            if kind_of(self.start + self.fields[i].name, self.fields[i].name_length) == kind:
                values.append(self.value(i + 1))
        return values


include "_environ.pxi"
include "_message.pxi"

cdef object DEFAULT_LIMITS = DEFAULT


cdef Head make_head(scan* s, object data, octets begin):
    cdef Head head = Head.__new__(Head)
    cdef size_t size = s.count * sizeof(field_line)
    head.fields = head.inside
    if s.count > INSIDE:
        head.fields = <field_line*>PyMem_Malloc(size)
        if head.fields == NULL:
            raise MemoryError
    memcpy(head.fields, s.fields, size)
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


cdef int check_host(Head head, scan* s) except -1:
    """RFC 9112 section 3.2: one Host field, which an HTTP/1.0 request may lack."""
    if not head.host:
        if head.minor_version:
            raise ParseError(*faults.HOST_MISSING)
        return 0
    if s.repeated[<int>HOST]:
        raise ParseError(*faults.HOST_REPEATED)
    cdef field_line* field = head.fields + (head.host - 1)
    cdef octets begin = head.start + field.value
    cdef octets end = begin + field.value_length
    cdef octets colon = skip_host(begin, end, head.start)
    if colon == end:
        return 0
    if colon > begin and colon[0] == c":" and colon + 1 < end:
        colon += 1
        while colon < end and c"0" <= colon[0] <= c"9":
            colon += 1
        if colon == end:
            return 0
    if not is_host(head.value(head.host)):
        raise ParseError(*faults.HOST_INVALID)
    return 0


cdef int read_framing(Head head, scan* s) except -1:
    """RFC 9112 section 6."""
    cdef uint32_t coding = s.first[<int>TRANSFER_ENCODING]
    cdef uint32_t length = s.first[<int>CONTENT_LENGTH]
    cdef field_line* field
    cdef uint32_t i
    cdef uint8_t octet
    if coding:
        if not head.minor_version:
            raise ParseError(*faults.CODING_VERSION)
        if length:
            raise ParseError(*faults.CODING_AND_LENGTH)
        check_coding(",".join(head.values(TRANSFER_ENCODING)))
        head.chunked = True
    elif length:
        field = head.fields + (length - 1)
        if not s.repeated[<int>CONTENT_LENGTH] and 0 < field.value_length <= 18:
            head.length = 0
            for i in range(field.value_length):
                octet = head.start[field.value + i]
                if not c"0" <= octet <= c"9":
                    break
                head.length = head.length * 10 + (octet - c"0")
            else:
                return 0
        head.length = length_of(head.values(CONTENT_LENGTH))
    return 0


cdef int read_options(Head head, scan* s) except -1:
    """Expect, RFC 9110 section 10.1.1; Connection and Upgrade, sections 7.6.1 and 7.8."""
    cdef uint32_t number = s.first[<int>EXPECT]
    cdef field_line* field
    if number and head.minor_version:
        for value in head.values(EXPECT):
            if value.lower() != "100-continue":
                raise ParseError(*faults.EXPECTATION)
        head.expect_continue = True
    head.keep_alive = head.minor_version
    number = s.first[<int>CONNECTION]
    if not number:
        return 0
    field = head.fields + (number - 1)
    if (
        not s.repeated[<int>CONNECTION]
        and field.value_length == 10
        and is_text(head.start + field.value, b"keep-alive", 10)
    ):
        head.keep_alive = True
        return 0
    options = connection_options(head.values(CONNECTION))
    head.keep_alive = "close" not in options and (head.minor_version or "keep-alive" in options)
    if head.minor_version and "upgrade" in options:
        head.upgrade = ", ".join(head.values(UPGRADE)) or None
    return 0


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


# Chunked content.


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
