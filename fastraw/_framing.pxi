# What the fields of a head say together, once every line is well-formed: a part of _parse.pyx.

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
