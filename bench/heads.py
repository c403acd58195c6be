"""The five request heads that the parsers are measured on, by name, from small to large."""

from __future__ import annotations

CRLF = b"\r\n"

MINIMAL = b"GET / HTTP/1.1\r\nHost: localhost:7878\r\n\r\n"

API = (
    b"GET /v1/items?page=2 HTTP/1.1\r\n"
    b"Host: api.example.com\r\n"
    b"User-Agent: python-client/2.3\r\n"
    b"Accept: application/json\r\n"
    b"Accept-Encoding: gzip\r\n"
    b"X-Request-Id: 7f3a9c2e41d0b8f6\r\n"
    b"Connection: keep-alive\r\n"
    b"\r\n"
)

BROWSER = (
    b"GET /gallery/2024/mountains/index.html?size=large&sort=newest HTTP/1.1\r\n"
    b"Host: www.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/126.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"image/apng,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-GB,en;q=0.9,de;q=0.8,fr;q=0.7\r\n"
    b"Referer: https://www.example.com/gallery/2024/index.html?from=startpage\r\n"
    b"Cookie: session=5d1f0c7a9b3e4826a1c4; theme=dark; consent=all; seen=12; basket=0c9e77; "
    b"language=english-GB; c=123; visitor=GA1.1.1836420395.1717171717; experiment=b-17\r\n"
    b"Cache-Control: max-age=0\r\n"
    b"Connection: keep-alive\r\n"
    b"\r\n"
)

COOKIE = (
    b"GET /account HTTP/1.1\r\n"
    b"Host: shop.example.com\r\n"
    b"Cookie: " + b"; ".join(b"item%03d=%024d" % (n, n) for n in range(120)) + b"\r\n"
    b"\r\n"
)

FIELDS = (
    b"POST /collect HTTP/1.1\r\n"
    b"Host: metrics.example.com\r\n"
    + b"".join(b"X-Custom-Field-%d: value of field %d\r\n" % (n, n) for n in range(98))
    + b"Content-Length: 0\r\n"
    b"\r\n"
)

HEADS = {
    f"{len(head)} B, {head.count(CRLF) - 2} fields": head
    for head in (MINIMAL, API, BROWSER, COOKIE, FIELDS)
}
