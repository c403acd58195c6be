/* Octets by class, and by 16 where the compiler has SSE2: which is the first that ends a method, a
 * target, a name or a value? Reads from `low` to `end` and nowhere else. Knows no Python.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef const uint8_t *octets;

enum { TOKEN = 1, TARGET = 2, VALUE = 4, HOST_NAME = 8 }; /* bits of octet_class */
static uint8_t octet_class[256];                          /* filled on import, then constant */

static inline octets skip(octets p, octets end, uint8_t bits)
{
    while (p < end && octet_class[*p] & bits)
        p++;
    return p;
}

static inline octets find(octets p, octets end, char octet)
{
    return p < end ? (octets)memchr(p, octet, (size_t)(end - p)) : NULL;
}

static inline int is_crlf(octets p)
{
    uint16_t both, crlf;
    memcpy(&both, p, 2);
    memcpy(&crlf, "\r\n", 2);
    return both == crlf;
}

static inline int is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t';
}

/* Whether the octets at p are `text`, which is in lower case, in any case. */
static inline int is_text(octets p, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((p[i] | (text[i] >= 'a' ? 0x20 : 0)) != (uint8_t)text[i])
            return 0;
    return 1;
}

#ifdef __SSE2__
#include <emmintrin.h>

/* One bit for each octet of a block, the first is the lowest. Octets compare as signed numbers
 * only, of which 80-FF are below 0. */

static inline __m128i block_at(octets p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline unsigned bits_of(__m128i truth)
{
    return (unsigned)_mm_movemask_epi8(truth);
}

static inline __m128i equal(__m128i block, char octet)
{
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(octet));
}

/* 20-7E, which are 21-7F, and all others below, once one is added. */
static inline __m128i text(__m128i block)
{
    return _mm_cmpgt_epi8(_mm_add_epi8(block, _mm_set1_epi8(1)), _mm_set1_epi8(0x20));
}

/* All but what a value may have. */
static inline __m128i beyond_value(__m128i block)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    return _mm_or_si128(_mm_andnot_si128(equal(block, '\t'), control), equal(block, 0x7f));
}

static inline __m128i beyond_target(__m128i block)
{
    return _mm_or_si128(
        _mm_cmplt_epi8(_mm_add_epi8(block, _mm_set1_epi8(1)), _mm_set1_epi8(0x22)),
        equal(block, '#'));
}

static inline __m128i letters_and_digits(__m128i block)
{
    /* Where x - first - 80, as a signed number, is below -80 + count, x is first or one of the
     * count - 1 octets behind it. */
    __m128i letter = _mm_sub_epi8(_mm_or_si128(block, _mm_set1_epi8(0x20)),
                                  _mm_set1_epi8((char)('a' - 0x80)));
    __m128i digit = _mm_sub_epi8(block, _mm_set1_epi8((char)('0' - 0x80)));
    return _mm_or_si128(_mm_cmplt_epi8(letter, _mm_set1_epi8(-0x80 + 26)),
                        _mm_cmplt_epi8(digit, _mm_set1_epi8(-0x80 + 10)));
}

/* All but letters, digits and hyphens, of which nearly every field name is made. */
static inline __m128i beyond_name(__m128i block)
{
    return _mm_cmpeq_epi8(_mm_or_si128(letters_and_digits(block), equal(block, '-')),
                          _mm_setzero_si128());
}

/* All but those and dots, of which nearly every host is made. */
static inline __m128i beyond_host(__m128i block)
{
    return _mm_andnot_si128(equal(block, '.'), beyond_name(block));
}

/* What is left at the end is read with the last 16 octets, of which those before p are let out. */
#define SKIP_BLOCKS(beyond)                                                                     \
    for (; end - p >= 16; p += 16) {                                                            \
        __m128i block = block_at(p);                                                            \
        unsigned mask = beyond;                                           \
        if (mask)                                                                               \
            return p + __builtin_ctz(mask);                                                     \
    }                                                                                           \
    if (p < end && end - low >= 16) {                                                           \
        __m128i block = block_at(end - 16);                                                     \
        unsigned mask = (beyond) >> (16 - (end - p));                \
        return mask ? p + __builtin_ctz(mask) : end;                                            \
    }

static inline octets skip_text(octets p, octets end, octets low)
{
    while (end - p >= 80) { /* one, then four at a time: most values are short */
        unsigned mask = bits_of(text(block_at(p)));
        if (mask != 0xffff)
            return p + __builtin_ctz(~mask);
        p += 16;
        __m128i all = _mm_and_si128(
            _mm_and_si128(text(block_at(p)), text(block_at(p + 16))),
            _mm_and_si128(text(block_at(p + 32)), text(block_at(p + 48))));
        if (bits_of(all) != 0xffff)
            break;
        p += 64;
    }
    SKIP_BLOCKS(0xffff ^ bits_of(text(block)))
    return p;
}
#else
#define SKIP_BLOCKS(beyond) (void)low;
#define skip_text(p, end, low) (p)
#endif

static octets skip_value(octets p, octets end, octets low)
{
    SKIP_BLOCKS(bits_of(beyond_value(block)))
    return skip(p, end, VALUE);
}

static inline octets skip_target(octets p, octets end, octets low)
{
    SKIP_BLOCKS(bits_of(beyond_target(block)))
    return skip(p, end, TARGET);
}

static inline octets skip_plain_host(octets p, octets end, octets low)
{
    SKIP_BLOCKS(bits_of(beyond_host(block)))
    return p;
}

static inline octets skip_host(octets p, octets end, octets low)
{
    return skip(skip_plain_host(p, end, low), end, HOST_NAME);
}
