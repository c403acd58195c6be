# cython: language_level=3, freethreading_compatible=True, embedsignature=False
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What every request to a WSGI application goes through, in C; `_wsgi_py` is the reference, and
does what is unusual or wrong."""

from functools import partial

cimport cython
from cpython.bytes cimport PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from ...engine.stream import close_iterable
from ...parse import ordinary_environ
from ...response import Response
from .answers import write
from .file_wrapper import FileWrapper
from .pieces import Begun, finish
from ._wsgi_py import CALLED_BEFORE, HOP_BY_HOP, encode_start

ctypedef const uint8_t* octets

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyTuple_CheckExact(object value)
    bint PyList_Check(object value)
    bint PyList_CheckExact(object value)
    int PyUnicode_KIND(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    uint8_t* PyUnicode_1BYTE_DATA(object text)

cdef enum:
    TOKEN = 1
    VALUE = 2
    ROOM = 1024  # octets on the stack; a longer head is left to Python

cdef uint8_t octet_class[256]
cdef uint8_t managed[20]  # lengths of the names in HOP_BY_HOP

for octet in range(256):
    octet_class[octet] = (
        (TOKEN if octet < 128 and (chr(octet).isalnum() or chr(octet) in "!#$%&'*+-.^_`|~") else 0)
        | (VALUE if octet == 9 or (octet >= 32 and octet != 127) else 0)
    )

for managed_name in HOP_BY_HOP:
    managed[len(managed_name)] = 1


cdef bint has_only(octets text, Py_ssize_t length, uint8_t bits) noexcept:
    cdef uint8_t found = bits
    cdef Py_ssize_t i
    for i in range(length):
        found &= octet_class[text[i]]
    return found != 0


cdef bint is_name(octets text, Py_ssize_t length, const char* name, Py_ssize_t size) noexcept:
    """Whether a token is this name, given in lower case."""
    cdef Py_ssize_t i
    if length != size:
        return False
    for i in range(length):
        if text[i] | 0x20 != name[i]:
            return False
    return True


cdef int64_t length_of(octets text, Py_ssize_t length) noexcept:
    """A decimal number of at most 18 digits; -1 for anything else."""
    cdef int64_t value = 0
    cdef Py_ssize_t i
    if not 0 < length <= 18:
        return -1
    for i in range(length):
        if not c"0" <= text[i] <= c"9":
            return -1
        value = value * 10 + (text[i] - c"0")
    return value


cdef bint is_status(octets text, Py_ssize_t length) noexcept:
    """RFC 9112 section 4, from 200 to 599."""
    return (
        c"2" <= text[0] <= c"5"
        and c"0" <= text[1] <= c"9"
        and c"0" <= text[2] <= c"9"
        and text[3] == c" "
        and has_only(text, length, VALUE)
    )


cdef bint is_space(uint8_t octet) noexcept:
    return octet == c" " or octet == c"\t"


cdef bint may_be_managed(octets name, Py_ssize_t length) noexcept:
    """Whether a name has the length and the first letter of one in HOP_BY_HOP."""
    return length < 20 and managed[length] and (name[0] | 0x20) in b"ckptu"


cdef bint is_latin1(object text):
    return PyUnicode_CheckExact(text) and PyUnicode_KIND(text) == 1


cdef object prepared = Response.prepared


@cython.final
@cython.freelist(8)
cdef class Start:
    """See `_wsgi_py.Start`."""

    cdef readonly object request
    cdef readonly bytes start
    cdef readonly int code
    cdef readonly int64_t length
    cdef readonly bint dated
    cdef public bint committed
    cdef public object written

    def __init__(self, request):
        self.request = request
        self.length = -1

    def __call__(self, status, headers, exc_info=None):
        """See `_wsgi_py.Start`."""
        if exc_info is not None:
            try:
                if self.committed:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame, which holds it
        elif self.start is not None:
            raise RuntimeError(CALLED_BEFORE)
        if not encode(self, status, headers):
            self.code, self.start, self.length, self.dated = encode_start(status, headers)
        return self.write

    def write(self, data):
        """See `answers.write`."""
        write(self, data)

    cpdef object whole(self, object result):
        """See `_wsgi_py.Start`."""
        cdef object body
        if not PyList_CheckExact(result) or PyList_GET_SIZE(result) != 1:
            return None
        body = <object>PyList_GET_ITEM(result, 0)
        if (
            not PyBytes_CheckExact(body)
            or PyBytes_GET_SIZE(body) == 0
            or self.start is None
            or self.written is not None
            or self.dated
            or (self.length >= 0 and self.length != PyBytes_GET_SIZE(body))
        ):
            return None
        return prepared(self.start, self.code, body)


cdef bint encode(Start self, object status, object headers) except -1:
    """As encode_start; False when that is to look at it."""
    cdef uint8_t room[ROOM]
    cdef uint8_t* out = room
    cdef uint8_t* end = room + ROOM
    cdef octets name, value
    cdef Py_ssize_t name_length, value_length, i
    cdef int64_t length = -1
    cdef bint dated = False
    cdef object pair, first, second
    if not is_latin1(status) or not PyList_Check(headers):
        return False
    value, value_length = PyUnicode_1BYTE_DATA(status), PyUnicode_GET_LENGTH(status)
    if not 4 <= value_length <= ROOM - 16 or not is_status(value, value_length):
        return False
    self.code = (value[0] - c"0") * 100 + (value[1] - c"0") * 10 + (value[2] - c"0")
    memcpy(out, b"HTTP/1.1 ", 9)
    memcpy(out + 9, value, value_length)
    memcpy(out + 9 + value_length, b"\r\n", 2)
    out += 11 + value_length
    for i in range(PyList_GET_SIZE(headers)):
        pair = <object>PyList_GET_ITEM(headers, i)
        if not PyTuple_CheckExact(pair) or PyTuple_GET_SIZE(pair) != 2:
            return False
        first = <object>PyTuple_GET_ITEM(pair, 0)
        second = <object>PyTuple_GET_ITEM(pair, 1)
        if not is_latin1(first) or not is_latin1(second):
            return False
        name, name_length = PyUnicode_1BYTE_DATA(first), PyUnicode_GET_LENGTH(first)
        value, value_length = PyUnicode_1BYTE_DATA(second), PyUnicode_GET_LENGTH(second)
        if (
            not name_length
            or name_length + value_length + 4 > end - out
            or not has_only(name, name_length, TOKEN)
            or not has_only(value, value_length, VALUE)
            or may_be_managed(name, name_length)
        ):
            return False
        while value_length and is_space(value[0]):
            value += 1
            value_length -= 1
        while value_length and is_space(value[value_length - 1]):
            value_length -= 1
        if is_name(name, name_length, b"content-length", 14):
            if length >= 0:
                return False
            length = length_of(value, value_length)
            if length < 0:
                return False
            continue
        if is_name(name, name_length, b"date", 4):
            dated = True
        memcpy(out, name, name_length)
        memcpy(out + name_length, b": ", 2)
        memcpy(out + name_length + 2, value, value_length)
        memcpy(out + name_length + 2 + value_length, b"\r\n", 2)
        out += name_length + value_length + 4
    self.start = PyBytes_FromStringAndSize(<const char*>room, out - room)
    self.length = length
    self.dated = dated
    return True


cdef class Adapter:
    """See `_wsgi_py.Adapter`."""

    cdef object application
    cdef public tuple usual
    cdef public bint stream_body

    def __init__(self, application):
        self.application = application

    def __call__(self, request):
        """See `_wsgi_py.Adapter`."""
        cdef object environ = None, result, response
        cdef tuple usual = self.usual
        cdef Start start
        if usual is not None:
            environ = ordinary_environ(request, usual[0], usual[1])
        if environ is None:
            environ = self.environ_of(request)
            if environ is None:
                return Response(status=204)
        start = Start.__new__(Start)
        start.request = request
        start.length = -1
        result = self.application(environ, start)
        response = start.whole(result)
        if response is not None:
            return response
        if (
            self.stream_body
            or start.written is not None
            or type(result) in (list, tuple, FileWrapper)
        ):
            return self.iterate(start, result)
        return self.begin(start, result)

    cdef object begin(self, Start start, object iterable):
        """See `_wsgi_py.Adapter._begin`."""
        cdef object iterator, piece, response
        cdef tuple taken = ()
        try:
            iterator = iter(iterable)
            for piece in iterator:
                if not PyBytes_CheckExact(piece) or PyBytes_GET_SIZE(piece):
                    taken = (piece,)
                    break
        except BaseException:
            close_iterable(iterable)
            raise
        if (
            not taken
            or not PyBytes_CheckExact(piece)
            or PyBytes_GET_SIZE(piece) != start.length
            or start.start is None
            or start.dated
            or start.written is not None
        ):
            return self.iterate(start, Begun(iterable, taken, iterator))
        start.committed = True
        response = prepared(start.start, start.code, piece)
        response.after = partial(finish, iterable, iterator)
        return response
