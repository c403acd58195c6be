# What parse_head gives: a part of _parse.pyx.

cdef str text_of(octets start, Py_ssize_t length):
    return PyUnicode_DecodeLatin1(<const char*>start, length, NULL)


cdef PyObject* new_text(octets start, Py_ssize_t length, bint ascii) except NULL:
    """A new reference to a str; `ascii` says that the octets are known to be that."""
    cdef PyObject* text
    if not ascii or length == 1:  # there is a str ready for each octet
        return new_latin1(<const char*>start, length, NULL)
    text = new_unicode(length, 127)
    memcpy(data_of(text), start, length)
    return text


cdef str ascii_text_of(octets start, Py_ssize_t length):
    cdef PyObject* text = new_text(start, length, True)
    found = <str>text
    Py_DECREF(found)
    return found


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
cdef class Head:
    """A request's head: request line and header section (RFC 9112 section 2.1). Read only.

    `method`, `target` and the field names are as received. `minor_version` is 0 or 1; a higher
    one counts as 1 (RFC 9110 section 2.5). `ordinary` says that it is a request by HTTP/1.1 without
    content, neither HEAD nor CONNECT, after which the connection is kept.
    """

    cdef bytes data
    cdef octets start  # of the request line, in data; the offsets in fields count from here
    cdef field_line* fields
    cdef bytes outside  # the field lines, when those are too many for `inside`
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
    cdef field_line inside[INSIDE]  # the last of all: see _reuse.h

    def __init__(self):
        raise TypeError("a Head is made by parse_head")

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
        cdef octets target
        with cython.critical_section(self):
            if self.target_text is None:
                target = self.start + len(self.method) + 1
                if self.constant:
                    self.target_text = ascii_text_of(target, self.target_length)
                else:
                    self.target_text = text_of(target, self.target_length)
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
        cdef PyObject* pair
        cdef PyObject* name
        cdef uint32_t i
        for i in range(self.count):
            pair = new_tuple(2)
            put_in_list(pairs, i, pair)  # which owns it from here on
            if field.known:
                name = known_objects[field.known]
                Py_INCREF(<object>name)
            else:
                name = new_text(self.start + field.name, field.name_length, self.constant)
            put_in_tuple(pair, 0, name)
            name = new_text(
                self.start + field.value, field.value_length, field.ascii and self.constant
            )
            put_in_tuple(pair, 1, name)
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


reuse_memory(<PyTypeObject*>Head, INSIDE * sizeof(field_line))
