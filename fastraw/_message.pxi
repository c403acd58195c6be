"""`_message_py` in C. The `__init__` of Request and Response stays the one that counts; what most
calls of them come to is done here, without a frame, a tuple of arguments or a dictionary."""

cdef extern from "Python.h":
    ctypedef object (*vectorcall "vectorcallfunc")(object, PyObject**, size_t, PyObject*)
    ctypedef struct called_type "PyTypeObject":
        vectorcall tp_vectorcall
        object (*tp_call)(object, object, object)
        object (*tp_new)(PyTypeObject*, tuple, PyObject*)
    called_type PyType_Type
    Py_ssize_t PyVectorcall_NARGS(size_t count)
    object PyObject_Vectorcall(object called, PyObject** given, size_t count, PyObject* names)
    PyObject* PyTuple_GET_ITEM(object items, Py_ssize_t place)
    bint PyBytes_CheckExact(object value)
    bint PyLong_CheckExact(object value)
    bint PyUnicode_CheckExact(object value)
    PyObject* PyDict_GetItemWithError(dict table, object key) except? NULL


cdef class RequestBase:
    """A request's head, the connection it came by, and what most handlers ask for."""

    cdef public object head
    cdef public object _peer
    cdef public bint ordinary
    cdef object mounted

    @property
    def mount_path(self):
        """The part of `raw_path` that mounts have consumed, as received: `/app` in a handler
        mounted there, empty at the top. `path`, `raw_path` and `target` stay whole."""
        return "" if self.mounted is None else self.mounted

    @mount_path.setter
    def mount_path(self, value):
        self.mounted = value

    @property
    def method(self):
        """The method, in the case received; methods are case-sensitive (RFC 9110 section 9)."""
        if type(self.head) is Head:
            return (<Head>self.head).method
        return self.head.method

    @property
    def target(self):
        """The request target as received (RFC 9112 section 3.2)."""
        return self.head.target

    @property
    def path(self):
        """The path, percent-decoded as UTF-8; octets that are not UTF-8 become U+FFFD."""
        cdef str target
        if type(self.head) is Head and (<Head>self.head).has_plain_target():
            return (<Head>self.head).text()
        target = self.head.target
        if "?" in target or "%" in target or target[0] != "/":
            return unquote(raw_path_and_query(target)[0])
        return target


cdef class ResponseBase:
    """Content, status and media type; `ordinary`, for the server, says whether that is all."""

    cdef object octets, code, media_type, prefix
    cdef public object after
    cdef public bint ordinary

    @classmethod
    def prepared(cls, bytes start, status, bytes body):
        """See `_message_py`."""
        cdef ResponseBase response
        response = <ResponseBase>(<called_type*>cls).tp_new(<PyTypeObject*>cls, (), NULL)
        response.octets = body
        response.code = status
        response.prefix = start
        return response

    # Without the GIL another thread may set what this one reads.

    @property
    def start(self):
        with cython.critical_section(self):
            return self.prefix

    @start.setter
    def start(self, value):
        with cython.critical_section(self):
            self.prefix = value

    @property
    def body(self):
        with cython.critical_section(self):
            return self.octets

    @body.setter
    def body(self, value):
        with cython.critical_section(self):
            self.octets = value

    @property
    def status(self):
        with cython.critical_section(self):
            return self.code

    @status.setter
    def status(self, value):
        with cython.critical_section(self):
            self.code = value

    @property
    def content_type(self):
        with cython.critical_section(self):
            return self.media_type

    @content_type.setter
    def content_type(self, value):
        with cython.critical_section(self):
            self.media_type = value


cdef object call_by_init(object cls, PyObject** given, size_t count, PyObject* names):
    """What calling a class is without tp_vectorcall."""
    cdef Py_ssize_t places = PyVectorcall_NARGS(count), i
    cdef tuple arguments = PyTuple_New(places)
    cdef dict named = {}
    for i in range(places):
        Py_INCREF(<object>given[i])
        PyTuple_SET_ITEM(arguments, i, <object>given[i])
    if names != NULL:
        for name in <tuple>names:
            named[name] = <object>given[places]
            places += 1
    return PyType_Type.tp_call(cls, arguments, named)


cdef object new_request(object cls, PyObject** given, size_t count, PyObject* names):
    """Request(head, peer), with a head of ours."""
    cdef RequestBase request
    if PyVectorcall_NARGS(count) != 2 or names != NULL or type(<object>given[0]) is not Head:
        return call_by_init(cls, given, count, names)
    request = <RequestBase>(<called_type*>cls).tp_new(<PyTypeObject*>cls, (), NULL)
    request.head = <object>given[0]
    request._peer = <object>given[1]
    request.ordinary = (<Head>request.head).ordinary
    return request


cdef enum:
    BODY, STATUS, HEADERS, CONTENT_TYPE, ARGUMENTS


cdef bint place_arguments(
    PyObject** given, size_t count, PyObject* names, PyObject** found
) except -1:
    """The arguments of Response by their places; False when there is more to it."""
    cdef Py_ssize_t places = PyVectorcall_NARGS(count), i
    cdef PyObject* name
    cdef int place
    if places > ARGUMENTS:
        return False
    memset(found, 0, ARGUMENTS * sizeof(found[0]))
    memcpy(found, given, places * sizeof(found[0]))
    if names == NULL:
        return True
    for i in range(PyTuple_GET_SIZE(<object>names)):
        # Names in a call are interned.
        name = PyTuple_GET_ITEM(<object>names, i)
        if name == <PyObject*>"content_type":
            place = CONTENT_TYPE
        elif name == <PyObject*>"status":
            place = STATUS
        elif name == <PyObject*>"body":
            place = BODY
        else:
            return False
        if found[place] != NULL:
            return False
        found[place] = given[places + i]
    return True


cdef object new_response(object cls, PyObject** given, size_t count, PyObject* names):
    """Response(body, status, content_type=...): octets, and no more header fields."""
    cdef PyObject* found[<int>ARGUMENTS]
    cdef ResponseBase response
    cdef object status = 200, content_type = None
    if (
        not place_arguments(given, count, names, found)
        or found[<int>BODY] == NULL
        or not PyBytes_CheckExact(<object>found[<int>BODY])
        or not (found[<int>HEADERS] == NULL or found[<int>HEADERS] == <PyObject*>None)
    ):
        return call_by_init(cls, given, count, names)
    if found[<int>STATUS] != NULL:
        status = <object>found[<int>STATUS]
        if not PyLong_CheckExact(status) or not 200 <= status <= 599:
            return call_by_init(cls, given, count, names)
    if found[<int>CONTENT_TYPE] != NULL:
        content_type = <object>found[<int>CONTENT_TYPE]
    if content_type is None and PyBytes_GET_SIZE(<object>found[<int>BODY]):
        content_type = OCTETS
    response = <ResponseBase>(<called_type*>cls).tp_new(<PyTypeObject*>cls, (), NULL)
    response.octets = <object>found[<int>BODY]
    response.code = status
    response.media_type = content_type
    response.ordinary = True
    return response


def quick(cls):
    """Class decorator: what its `__init__` does in nearly every call may be done without it.

    Not for a subclass, which may have its own.
    """
    # The field is not inherited (C API, PyTypeObject.tp_vectorcall).
    if issubclass(cls, RequestBase):
        (<called_type*>cls).tp_vectorcall = <vectorcall>new_request
    else:
        (<called_type*>cls).tp_vectorcall = <vectorcall>new_response
    return cls


def parse_request(cls, data, Py_ssize_t seen, limits, peer):
    """`parse_head`, and `cls(head, peer)` where the data is an ordinary head and nothing more."""
    cdef PyObject* given[2]
    cdef object found = head_of(data, 0, seen, limits)
    if found is None or not (<Head>found).ordinary or (<Head>found).size != len(data):
        return found
    given[0], given[1] = <PyObject*>found, <PyObject*>peer
    return PyObject_Vectorcall(cls, given, 2, NULL)


cdef char* put(char* out, const char* octets, Py_ssize_t count) noexcept:
    """Where they end."""
    memcpy(out, octets, count)
    return out + count


cdef bint says(bytes start, object status) except -1:
    """Whether a status line says this, and lets content follow."""
    cdef long code
    cdef const char* digits
    if not PyLong_CheckExact(status) or PyBytes_GET_SIZE(start) < 12 or not 200 <= status <= 599:
        return False
    code = status
    digits = PyBytes_AS_STRING(start) + 9
    return (
        code not in (204, 205, 304)
        and digits[0] == c"0" + code // 100
        and digits[1] == c"0" + code // 10 % 10
        and digits[2] == c"0" + code % 10
    )


cdef Py_ssize_t joined_bytes = JOINED_BYTES


cdef bytes answer_of(object start, bytes date, object body):
    """A message of which `start` is the beginning of the head, and `date` its end."""
    cdef bytes answer
    cdef char[24] digits  # of any Py_ssize_t, and a line end
    cdef char* digit = digits + 24
    cdef char* out
    cdef Py_ssize_t left = PyBytes_GET_SIZE(body)
    digit -= 2
    memcpy(digit, b"\r\n", 2)
    while True:
        digit -= 1
        digit[0] = <char>(c"0" + left % 10)
        left = left // 10
        if not left:
            break
    answer = PyBytes_FromStringAndSize(
        NULL,
        PyBytes_GET_SIZE(start) + 16 + (digits + 24 - digit)
        + PyBytes_GET_SIZE(date) + PyBytes_GET_SIZE(body)
    )
    out = put(PyBytes_AS_STRING(answer), PyBytes_AS_STRING(start), PyBytes_GET_SIZE(start))
    out = put(out, b"Content-Length: ", 16)
    out = put(out, digit, digits + 24 - digit)
    out = put(out, PyBytes_AS_STRING(date), PyBytes_GET_SIZE(date))
    put(out, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return answer


cdef bint is_short(object body):
    """Whether it is content that is sent in one piece with the head."""
    return PyBytes_CheckExact(body) and PyBytes_GET_SIZE(body) <= joined_bytes


def prepared_answer(ResponseBase response, bytes date):
    """See `_message_py`."""
    cdef object start, status, body
    with cython.critical_section(response):
        start, status, body = response.prefix, response.code, response.octets
        if response.media_type is not None:
            return None
    if not PyBytes_CheckExact(start) or not is_short(body) or not says(start, status):
        return None
    return answer_of(start, date, body)


def known_answer(RequestBase request, ResponseBase response, tuple starts, bytes date):
    """See `_message_py`."""
    cdef object body, status, media_type
    cdef long code
    cdef PyObject* start
    if not request.ordinary:
        return None
    if not response.ordinary:
        return None if response.after is not None else prepared_answer(response, date)
    with cython.critical_section(response):
        body, status, media_type = response.octets, response.code, response.media_type
    if not is_short(body) or not PyLong_CheckExact(status) or not 200 <= status <= 599:
        return None
    code = status
    if media_type is None:
        media_type = ""
    elif not PyUnicode_CheckExact(media_type) or not media_type:
        return None
    start = PyDict_GetItemWithError(<object>PyTuple_GET_ITEM(starts, code), media_type)
    if start == NULL:
        return None
    return answer_of(<object>start, date, body)  # no start is ever taken out
