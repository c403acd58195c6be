/* The octets of a request head, validated and split in one pass. Knows limits and offsets, and
 * no Python; `_parse.pyx` makes objects of what is found here.
 *
 * The rules are those of `_parse_py.py`, which names the sections of the RFCs; so is the order of
 * faults. A line is first read in the way of nearly every line. Only where that fails, one of the
 * *_fault functions reads it again, part by part, to say what is wrong.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef const uint8_t *octets;

enum { TOKEN = 1, TARGET = 2, VALUE = 4, HOST_NAME = 8 }; /* bits of octet_class */
static uint8_t octet_class[256];                          /* filled on import, then constant */

enum outcome {
    COMPLETE, INCOMPLETE, NO_MEMORY,
    BEGINNING, REQUEST_LINE_LONG, LINE_END, SHAPE, METHOD, TARGET_OCTETS, VERSION, MAJOR_VERSION,
    TARGET_FORM, HEAD_LONG, HEAD_LINES, FOLDED, COLON, FIELD_NAME, FIELD_VALUE
};

enum kind { ORDINARY, HOST, TRANSFER_ENCODING, CONTENT_LENGTH, CONNECTION, EXPECT, UPGRADE, KINDS };

typedef struct {
    uint32_t name, name_length, value, value_length; /* offsets from scan.start */
    uint32_t known;                                  /* slot in known_names and 1, 0 for none */
} field_line;

typedef struct {
    uint32_t request_line, head, lines; /* at most this many octets, octets, lines */
} bounds;

enum { ROOM = 128 };

typedef struct {
    octets start;
    uint32_t method_length, target_length, size;
    int minor_version;
    uint32_t first[KINDS];    /* of each kind of field: number of its first line, from 1 */
    uint32_t repeated[KINDS]; /* and whether there is another one */
    uint32_t count, room;
    field_line *fields; /* `inside`, or from malloc when that is too small */
    field_line inside[ROOM];
} scan;

/* Field names with a str that is ready, found by length and three octets. */

enum { KNOWN = 512, KNOWN_LENGTH = 32 };
typedef struct {
    uint8_t length; /* 0: an empty slot, where a search ends */
    uint8_t kind;
    uint8_t text[KNOWN_LENGTH];
} known_name;
static known_name known_names[KNOWN]; /* filled on import, then constant */

static inline uint32_t known_slot(octets name, size_t length)
{
    uint32_t key = name[0] | (uint32_t)name[length - 1] << 8 | (uint32_t)name[length / 2] << 16 |
                   (uint32_t)length << 24;
    return key * 2654435761u >> 23;
}

static inline uint32_t find_known(octets name, size_t length)
{
    if (length > KNOWN_LENGTH)
        return 0;
    uint32_t slot = known_slot(name, length);
    for (; known_names[slot].length; slot = (slot + 1) % KNOWN)
        if (known_names[slot].length == length && !memcmp(known_names[slot].text, name, length))
            return slot + 1;
    return 0;
}

/* Octets of one class, 16 at a time: the first octet from p on that stops them, or end. */

#ifdef __SSE2__
#include <emmintrin.h>

static inline unsigned stops_value(__m128i block)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    control = _mm_andnot_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('\t')), control);
    return _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f))));
}

static inline unsigned stops_target(__m128i block)
{
    /* As signed octets, 80-FF are below 0. */
    __m128i other = _mm_cmplt_epi8(block, _mm_set1_epi8(0x21));
    other = _mm_or_si128(other, _mm_cmpeq_epi8(block, _mm_set1_epi8('#')));
    return _mm_movemask_epi8(_mm_or_si128(other, _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f))));
}

/* What is left at the end is read with the last 16 octets, of which those before p are let out;
 * `low` is where the octets begin that may be read. */
#define SKIP_BLOCKS(stops)                                                                      \
    for (; end - p >= 16; p += 16) {                                                            \
        unsigned mask = stops(_mm_loadu_si128((const __m128i *)p));                             \
        if (mask)                                                                               \
            return p + __builtin_ctz(mask);                                                     \
    }                                                                                           \
    if (p < end && end - low >= 16) {                                                           \
        unsigned mask = stops(_mm_loadu_si128((const __m128i *)(end - 16))) >> (16 - (end - p)); \
        return mask ? p + __builtin_ctz(mask) : end;                                            \
    }
#else
#define SKIP_BLOCKS(stops) (void)low;
#endif

static inline octets skip(octets p, octets end, uint8_t bits)
{
    while (p < end && octet_class[*p] & bits)
        p++;
    return p;
}

static inline octets skip_value(octets p, octets end, octets low)
{
    SKIP_BLOCKS(stops_value)
    return skip(p, end, VALUE);
}

static inline octets skip_target(octets p, octets end, octets low)
{
    SKIP_BLOCKS(stops_target)
    return skip(p, end, TARGET);
}

static inline octets find(octets p, octets end, char octet)
{
    return p < end ? (octets)memchr(p, octet, (size_t)(end - p)) : NULL;
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

static int kind_of(octets name, size_t length)
{
    switch (length) {
    case 4: return is_text(name, "host", 4) ? HOST : ORDINARY;
    case 6: return is_text(name, "expect", 6) ? EXPECT : ORDINARY;
    case 7: return is_text(name, "upgrade", 7) ? UPGRADE : ORDINARY;
    case 10: return is_text(name, "connection", 10) ? CONNECTION : ORDINARY;
    case 14: return is_text(name, "content-length", 14) ? CONTENT_LENGTH : ORDINARY;
    case 17: return is_text(name, "transfer-encoding", 17) ? TRANSFER_ENCODING : ORDINARY;
    }
    return ORDINARY;
}

/* Request line. */

static int request_line_fault(octets p, octets end)
{
    octets lf = find(p, end, '\n');
    if (!lf)
        return INCOMPLETE;
    if (lf[-1] != '\r')
        return LINE_END;
    octets stop = lf - 1;
    octets first = find(p, stop, ' ');
    octets second = first ? find(first + 1, stop, ' ') : NULL;
    if (!second || find(second + 1, stop, ' '))
        return SHAPE;
    if (skip(p, first, TOKEN) < first)
        return METHOD;
    if (skip(first + 1, second, TARGET) < second)
        return TARGET_OCTETS;
    octets version = second + 1;
    if (stop - version != 8 || memcmp(version, "HTTP/", 5) || version[5] < '0' ||
        version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9')
        return VERSION;
    return version[5] == '1' ? TARGET_FORM : MAJOR_VERSION;
}

static inline int scan_request_line(scan *s, octets p, octets end, octets low)
{
    octets sp = skip(p, end, TOKEN);
    if (sp == end || *sp != ' ')
        return request_line_fault(p, end);
    octets stop = skip_target(sp + 1, end, low);
    if (stop == sp + 1 || end - stop < 11 || memcmp(stop, " HTTP/1.", 8) || stop[8] < '0' ||
        stop[8] > '9' || stop[9] != '\r' || stop[10] != '\n')
        return request_line_fault(p, end);
    s->start = p;
    s->method_length = (uint32_t)(sp - p);
    s->target_length = (uint32_t)(stop - sp - 1);
    s->minor_version = stop[8] != '0';
    return COMPLETE;
}

/* Field lines. */

static int field_line_fault(octets p, octets end)
{
    octets lf = find(p, end, '\n');
    if (!lf)
        return INCOMPLETE;
    if (lf == p || lf[-1] != '\r')
        return LINE_END;
    if (is_blank(*p))
        return FOLDED;
    octets colon = find(p, lf - 1, ':');
    if (!colon)
        return COLON;
    return colon == p || skip(p, colon, TOKEN) < colon ? FIELD_NAME : FIELD_VALUE;
}

static int make_room(scan *s)
{
    size_t size = s->room * sizeof(field_line);
    field_line *more = realloc(s->fields == s->inside ? NULL : s->fields, 2 * size);
    if (!more)
        return 0;
    if (s->fields == s->inside)
        memcpy(more, s->inside, size);
    s->fields = more;
    s->room *= 2;
    return 1;
}

/* The name that begins at p: its colon, or NULL; sets what is known of it. */
static inline octets scan_name(octets p, octets end, uint32_t *known, int *kind)
{
#ifdef __SSE2__
    if (end - p >= 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)p);
        unsigned mask = _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(':')));
        if (mask > 1) { /* a name that is known needs no look at its octets */
            unsigned length = __builtin_ctz(mask);
            for (uint32_t slot = known_slot(p, length); known_names[slot].length;
                 slot = (slot + 1) % KNOWN) {
                __m128i text = _mm_loadu_si128((const __m128i *)known_names[slot].text);
                unsigned same = _mm_movemask_epi8(_mm_cmpeq_epi8(block, text));
                if (known_names[slot].length == length && !(~same & ((1u << length) - 1))) {
                    *known = slot + 1;
                    *kind = known_names[slot].kind;
                    return p + length;
                }
            }
        }
    }
#endif
    octets colon = skip(p, end, TOKEN);
    if (colon == p || colon == end || *colon != ':')
        return NULL;
    *known = find_known(p, (size_t)(colon - p));
    *kind = kind_of(p, (size_t)(colon - p));
    return colon;
}

/* The field lines from p on, to the empty line that ends them. */
static int scan_fields(scan *s, octets p, octets end, octets low, uint32_t lines)
{
    for (;;) {
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
            s->size = (uint32_t)(p + 2 - s->start);
            return COMPLETE;
        }
        if (s->count == lines)
            return find(p, end, '\n') ? HEAD_LINES : INCOMPLETE;
        uint32_t known;
        int kind;
        octets colon = scan_name(p, end, &known, &kind);
        if (!colon)
            return field_line_fault(p, end);
        octets value = colon + 1;
        while (value < end && is_blank(*value))
            value++;
        octets stop = skip_value(value, end, low);
        if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
            return field_line_fault(p, end);
        if (s->count == s->room && !make_room(s))
            return NO_MEMORY;
        field_line *field = &s->fields[s->count++];
        field->known = known;
        field->name = (uint32_t)(p - s->start);
        field->name_length = (uint32_t)(colon - p);
        field->value = (uint32_t)(value - s->start);
        p = stop + 2;
        while (stop > value && is_blank(stop[-1]))
            stop--;
        field->value_length = (uint32_t)(stop - value);
        if (kind) {
            if (s->first[kind])
                s->repeated[kind] = 1;
            else
                s->first[kind] = s->count;
        }
    }
}

/* A whole head. */

static void reset(scan *s, octets start)
{
    s->start = start;
    s->count = 0;
    memset(s->first, 0, sizeof s->first);
    memset(s->repeated, 0, sizeof s->repeated);
}

enum { COUNTED_LINES = 1024 };

static int too_many(octets start, octets seen, octets end, uint32_t lines)
{
    if (lines > COUNTED_LINES) {
        ptrdiff_t step = (end - start) >> 7 ? (end - start) >> 7 : 1;
        if ((end - start) / step == (seen - start) / step)
            return 0;
    }
    size_t count = 0;
    for (octets p = start; p < end; p++)
        count += *p == '\n';
    return count > (size_t)lines + 1;
}

/* Whether the octets from `seen` on may have brought a fault or the end of the head. */
static int worth_a_look(scan *s, octets start, octets seen, octets end, const bounds *limits)
{
    if (seen < start + 3)
        return 1;
    if (*start == '\r')
        start += 2;
    size_t length = (size_t)(end - start), line_room = (size_t)limits->request_line + 2;
    if (length >= line_room && (size_t)(seen - start) < line_room &&
        !find(start, start + line_room, '\n'))
        return 1;
    size_t section = (size_t)limits->head + 2;
    if (length > section) {
        octets from = (size_t)(seen - start) > section ? seen - section : start;
        if (find(from, end - section, '\n'))
            return 1;
    }
    if (!find(seen, end, '\n'))
        return 0;
    octets line = seen;
    while (line > start && line[-1] != '\n')
        line--;
    if (line == start)
        return 1;
    reset(s, start);
    return scan_fields(s, line, end, start, UINT32_MAX) != INCOMPLETE ||
           too_many(start, seen, end, limits->lines);
}

static int scan_head(scan *s, octets start, octets seen, octets end, const bounds *limits)
{
    octets low = start;
    s->fields = s->inside;
    s->room = ROOM;
    s->target_length = 0; /* until the request line has been read */
    if (seen > start && !worth_a_look(s, start, seen, end, limits))
        return INCOMPLETE;
    if (start < end && *start == '\r') {
        if (end - start > 1 && start[1] != '\n')
            return BEGINNING;
        start += 2;
    }
    if (start >= end)
        return INCOMPLETE;
    if (!(octet_class[*start] & TOKEN))
        return BEGINNING;
    reset(s, start);
    size_t room = (size_t)limits->request_line + 2;
    int whole = (size_t)(end - start) < room;
    int outcome = scan_request_line(s, start, whole ? end : start + room, low);
    if (outcome)
        return outcome == INCOMPLETE && !whole ? REQUEST_LINE_LONG : outcome;
    octets section = start + s->method_length + s->target_length + 12;
    room = (size_t)limits->head + 2;
    whole = (size_t)(end - section) < room;
    outcome = scan_fields(s, section, whole ? end : section + room, low, limits->lines);
    return outcome == INCOMPLETE && !whole ? HEAD_LONG : outcome;
}

static inline void release(scan *s)
{
    if (s->fields != s->inside)
        free(s->fields);
}
