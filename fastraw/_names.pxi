# Names of fields with a str that is ready, and the tables of _octets.h and _names.h: a part of
# _parse.pyx.

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
        memcpy(known_texts[number], PyBytes_AS_STRING(text), len(text))
        known_lengths[number] = <uint8_t>len(text)
        known_kinds[number] = <uint8_t>kind_of(<octets>PyBytes_AS_STRING(text), len(text))
        name = sys.intern(name)
        Py_INCREF(name)
        known_objects[number] = <PyObject*>name
    return 0


fill_tables()
