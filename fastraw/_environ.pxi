# Head.environ in C, a part of _parse.pyx. `_environ_py` is the reference, and does what few
# requests have: a target in another form than a plain path, or percent-encoding in it.

cdef extern from "Python.h":
    Py_ssize_t PyDict_Size(object)
    PyObject* PyDict_SetDefault(object, object key, object value) except NULL

cdef PyObject* known_keys[KNOWN]
"""The environ's key for each of known_objects."""

cdef str REQUEST_METHOD = "REQUEST_METHOD"
cdef str GET = "GET"
cdef str REQUEST_URI = "REQUEST_URI"
cdef str SERVER_PROTOCOL = "SERVER_PROTOCOL"
cdef str PATH_INFO = "PATH_INFO"
cdef str QUERY_STRING = "QUERY_STRING"
cdef str REMOTE_ADDR = "REMOTE_ADDR"
cdef str REMOTE_PORT = "REMOTE_PORT"
cdef str HTTP_COOKIE = "HTTP_COOKIE"
cdef str HTTP_1_0 = "HTTP/1.0"


cdef object key_of(octets name, Py_ssize_t length):
    """HTTP_NAME_OF_IT; None for a name with an underscore."""
    cdef object key = PyUnicode_New(5 + length, 127)
    cdef uint8_t* out = <uint8_t*>PyUnicode_DATA(key)
    cdef Py_ssize_t i
    cdef uint8_t octet
    memcpy(out, b"HTTP_", 5)
    for i in range(length):
        octet = name[i]
        if octet == c"_":
            return None
        if c"a" <= octet <= c"z":
            octet -= 32
        out[5 + i] = c"_" if octet == c"-" else octet
    if length == 12 and key == "HTTP_CONTENT_TYPE":
        return "CONTENT_TYPE"
    if length == 14 and key == "HTTP_CONTENT_LENGTH":
        return "CONTENT_LENGTH"
    return key


cdef int fill_keys() except -1:
    cdef uint32_t number = 0
    while number < KNOWN:
        if known_objects[number] != NULL:
            key = key_of(<octets>known_texts[number], known_lengths[number])
            key = sys.intern(key)
            Py_INCREF(key)
            known_keys[number] = <PyObject*>key
        number += 1
    return 0


fill_keys()


cdef int put_fields(Head head, dict environ) except -1:
    cdef field_line* field = head.fields
    cdef uint32_t i
    cdef Py_ssize_t size
    cdef object key, value
    for i in range(head.count):
        if field.known:
            key = <object>known_keys[field.known]
        else:
            key = key_of(head.start + field.name, field.name_length)
        if key is not None:
            if field.ascii:
                value = ascii_text_of(head.start + field.value, field.value_length)
            else:
                value = text_of(head.start + field.value, field.value_length)
            size = PyDict_Size(environ)
            PyDict_SetDefault(environ, key, value)
            if PyDict_Size(environ) == size:
                joint = "; " if key == HTTP_COOKIE else ", "
                environ[key] += joint + value
        field += 1
    return 0


cdef str text_of_port(object port):
    """str(port), without a look at what it is for each digit."""
    cdef long number, left
    cdef Py_ssize_t length = 1
    cdef str text
    cdef uint8_t* out
    if not PyLong_CheckExact(port) or not 0 <= port <= 65535:
        return str(port)
    number = left = port
    while left >= 10:
        left = left // 10
        length += 1
    text = PyUnicode_New(length, 127)
    out = <uint8_t*>PyUnicode_DATA(text)
    while length:
        length -= 1
        out[length] = <uint8_t>(c"0" + number % 10)
        number = number // 10
    return text


def ordinary_environ(RequestBase request, object origin, dict template):
    """See `_environ_py`."""
    cdef object head = request.head, peer = request._peer
    cdef octets target
    if not request.ordinary or peer.origin is not origin:
        return None
    if request.mounted is not None and request.mounted:
        return None
    if type(head) is not Head:
        return None if head.target == "*" else head.environ(template, peer.client)
    target = (<Head>head).start + len((<Head>head).method) + 1
    if target[0] == c"*":
        return None
    return environ_in_c(<Head>head, template, peer.client)


cdef dict environ_in_c(Head head, dict template, object client):
    cdef octets target = head.start + len(head.method) + 1
    cdef octets end = target + head.target_length
    cdef octets query
    cdef object whole = head.target
    cdef dict environ
    # Fields that have been asked for may have been changed since, by a middleware.
    if (
        not head.constant
        or head.wrapped is not None
        or head.authority is not None
        or target[0] != c"/"
    ):
        return environ_of(head, template, client)
    environ = template.copy()
    query = <octets>memchr(target, c"?", head.target_length)
    if memchr(target, c"%", (end if query == NULL else query) - target) != NULL:
        environ[PATH_INFO], environ[QUERY_STRING] = path_and_query(whole)
    elif query == NULL:
        environ[PATH_INFO] = whole
    else:
        environ[PATH_INFO] = text_of(target, query - target)
        environ[QUERY_STRING] = text_of(query + 1, end - query - 1)
    if head.method is not GET:
        environ[REQUEST_METHOD] = head.method
    environ[REQUEST_URI] = whole
    if not head.minor_version:
        environ[SERVER_PROTOCOL] = HTTP_1_0
    if isinstance(client, str):
        environ[REMOTE_ADDR] = client
    else:
        environ[REMOTE_ADDR] = (<tuple?>client)[0]
        environ[REMOTE_PORT] = text_of_port((<tuple?>client)[1])
    put_fields(head, environ)
    return environ
