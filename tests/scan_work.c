/* Counts the work of the scanner on heads that come one octet at a time: blocks of code that run,
 * and octets that memchr looks at. Compiled by test_parse_work.py with
 * -fsanitize-coverage=trace-pc; prints one number for each kind of head and each length given.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static volatile unsigned long work; /* nothing that the compiler sees calls what counts */

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
    work++;
}

static const void *counted_memchr(const void *p, int octet, size_t size)
{
    const unsigned char *octets = p;
    for (size_t i = 0; i < size; i++)
        if (octets[i] == octet)
            return octets + i;
    return NULL;
}

#define memchr counted_memchr
#include "_scan.h"

static void fill_classes(void)
{
    for (int octet = 0; octet < 256; octet++)
        octet_class[octet] =
            (octet > 32 && octet < 127 && !strchr("\"(),/:;<=>?@[\\]{}", octet) ? TOKEN : 0) |
            (octet > 32 && octet < 127 && octet != '#' ? TARGET : 0) |
            (octet == 9 || (octet >= 32 && octet != 127) ? VALUE : 0);
}

/* The octets of a head of about this length. */
static size_t write_head(char kind, char *head, size_t length)
{
    char *p = head;
    p += sprintf(p, "GET /");
    if (kind == 't') /* a long target */
        for (; p < head + length; p++)
            *p = 'a';
    p += sprintf(p, " HTTP/1.1\r\nHost: a\r\n");
    if (kind == 'v' || kind == 'b') { /* a long value; one of blanks */
        p += sprintf(p, "X: ");
        for (; p < head + length; p++)
            *p = kind == 'v' ? 'a' : ' ';
        p += sprintf(p, "\r\n");
    }
    if (kind == 'n') { /* a long name */
        for (; p < head + length; p++)
            *p = 'a';
        p += sprintf(p, ": a\r\n");
    }
    while (kind == 'l' && p < head + length) /* many lines */
        p += sprintf(p, "A: bcd\r\n");
    p += sprintf(p, "\r\n");
    return (size_t)(p - head);
}

int main(int count, char **arguments)
{
    static char head[1 << 20];
    const bounds none = {1u << 30, 1u << 30, 1u << 30};
    const bounds some = {1u << 30, 1u << 30, 1024};
    fill_classes();
    for (int i = 1; i < count; i++) {
        size_t length = write_head(arguments[i][0], head, (size_t)atol(arguments[i] + 1));
        const bounds *limits = length < 8000 ? &some : &none;
        octets start = (octets)head;
        size_t end = 0;
        int outcome = INCOMPLETE;
        scan s;
        work = 0;
        while (outcome == INCOMPLETE && end < length) {
            end++;
            outcome = scan_head(&s, start, start + end - 1, start + end, limits);
            release(&s);
        }
        if (outcome != COMPLETE || end != length)
            return 1;
        printf("%lu\n", work);
    }
    return 0;
}
