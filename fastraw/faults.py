"""What can be wrong with the octets of a request: (status, sentence), each in one place.

Both parsers take their words from here, so they cannot differ; none repeats what was received.
"""

from __future__ import annotations

from typing import Final

Fault = tuple[int, str]

# Request line, RFC 9112 section 3.
BEGINNING: Final = (400, "A request must begin with a method.")
REQUEST_LINE_LONG: Final = (414, "The request line is too long.")
LINE_END: Final = (400, "Every line of a request must end in CRLF.")
SHAPE: Final = (400, "A request line is a method, a target and a version, one space between them.")
METHOD: Final = (400, "The method must be a token.")
TARGET_OCTETS: Final = (400, "The request target holds an octet that no URI may have.")
VERSION: Final = (400, "The version must be HTTP/, a digit, a dot and a digit.")
MAJOR_VERSION: Final = (505, "This server speaks HTTP/1.1 and HTTP/1.0.")
TARGET_FORM: Final = (400, "The request target has no form that this method allows.")

# Field lines, RFC 9112 section 5.
HEAD_LONG: Final = (431, "The header section is too long.")
HEAD_LINES: Final = (431, "The header section has too many field lines.")
FOLDED: Final = (400, "A field line must not begin with white space.")
COLON: Final = (400, "A field line must have a colon.")
FIELD_NAME: Final = (400, "A field name must be a token, directly followed by its colon.")
FIELD_VALUE: Final = (400, "A field value must have no control characters.")

# Fields that frame and route the message, RFC 9112 sections 3.2 and 6, RFC 9110 section 10.1.1.
HOST_MISSING: Final = (400, "An HTTP/1.1 request must have a Host field.")
HOST_REPEATED: Final = (400, "A request must have one Host field only.")
HOST_INVALID: Final = (400, "The Host field must be a host, with or without a port.")
CODING_VERSION: Final = (400, "An HTTP/1.0 request must not have Transfer-Encoding.")
CODING_AND_LENGTH: Final = (400, "Transfer-Encoding and Content-Length exclude each other.")
CODING_INVALID: Final = (400, "Transfer-Encoding must end in chunked, named once.")
CODING_UNKNOWN: Final = (501, "No transfer coding but chunked is supported.")
LENGTH_REPEATED: Final = (400, "A request must have one Content-Length field only.")
LENGTH_INVALID: Final = (400, "Content-Length must be a decimal number.")
CONTENT_LARGE: Final = (413, "The content is larger than this server allows.")
EXPECTATION: Final = (417, "No expectation but 100-continue is supported.")

# Chunked content, RFC 9112 section 7.1.
CHUNK_SIZE: Final = (400, "A chunk must begin with its size in hexadecimal digits.")
CHUNK_EXTENSION: Final = (400, "A chunk extension must be a name, or a name and a value.")
CHUNK_LINE_LONG: Final = (400, "The line of a chunk size is too long.")
CHUNK_EXTENSIONS_LONG: Final = (400, "The content has too many octets of chunk extensions.")
CHUNK_END: Final = (400, "The data of a chunk must be followed by CRLF.")
TRAILERS_LONG: Final = (431, "The trailer section is too long.")
TRAILERS_LINES: Final = (431, "The trailer section has too many field lines.")
TRAILER_FIELD: Final = (400, "A field that frames or routes the message must not be a trailer.")
