/* The octets of a request head, validated and split in one pass. Knows limits and offsets, and
 * no Python; `_parse.pyx` makes objects of what is found here.
 *
 * The rules are those of `_parse_py.py`, which names the sections of the RFCs; so is the order of
 * faults. A line is first read in the way of nearly every line. Only where that fails, one of the
 * *_fault functions reads it again, part by part, to say what is wrong.
 */
#include "_known.h"

#include <stdlib.h>

enum outcome {
    COMPLETE, INCOMPLETE, NO_MEMORY,
    BEGINNING, REQUEST_LINE_LONG, LINE_END, SHAPE, METHOD, TARGET_OCTETS, VERSION, MAJOR_VERSION,
    TARGET_FORM, HEAD_LONG, HEAD_LINES, FOLDED, COLON, FIELD_NAME, FIELD_VALUE
};

typedef struct {
    uint32_t name, name_length, value, value_length; /* offsets from scan.start */
    uint16_t known;                                  /* number of the name, 0 for none */
    uint16_t ascii;                                  /* whether the value is known to be ASCII */
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

/* Request line. */

static int request_line_fault(octets p, octets end)
{
    octets lf = find(p, end, '\n');
    if (!lf)
        return INCOMPLETE;
    if (lf == p || lf[-1] != '\r')
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
static octets scan_name(octets p, octets end, uint32_t *known, int *kind)
{
    octets colon = skip(p, end, TOKEN);
    if (colon == p || colon == end || *colon != ':')
        return NULL;
    *known = find_known(p, (size_t)(colon - p));
    *kind = kind_of(p, (size_t)(colon - p));
    return colon;
}

#ifdef __SSE2__
/* The same, and a look at the value, of a line with a short and common name: sets where the
 * blocks from p on have the first octet beyond text, which is the CR of nearly every line that
 * ends in them. Everything is found from p, and nothing waits for what was found before it. */
static inline octets scan_line(octets p, int blocks, octets *beyond, uint32_t *known, int *kind)
{
    __m128i first = block_at(p), second = block_at(blocks > 1 ? p + 16 : p);
    unsigned colons = bits_of(equal(first, ':'));
    uint64_t texts = bits_of(text(first));
    if (blocks > 1)
        colons |= bits_of(equal(second, ':')) << 16;
    for (int block = 1; block < blocks; block++)
        texts |= (uint64_t)bits_of(text(block_at(p + 16 * block))) << 16 * block;
    if (blocks < 4)
        texts |= UINT64_MAX << 16 * blocks;
    *beyond = p + 16 * blocks;
    if (~texts)
        *beyond = p + __builtin_ctzll(~texts);
    if (!colons || colons & 3)
        return NULL;
    unsigned length = (unsigned)__builtin_ctz(colons), inside = (1u << length) - 1;
    uint32_t number, slot = known_slot(p, length);
    for (; (number = known_slots[slot]); slot = next_slot(slot)) {
        if (known_lengths[number] != length)
            continue;
        octets name = known_texts[number];
        unsigned same = bits_of(_mm_cmpeq_epi8(first, block_at(name)));
        if (blocks > 1 && length > 16)
            same |= bits_of(_mm_cmpeq_epi8(second, block_at(name + 16))) << 16;
        if ((same & inside) == inside) {
            *known = number;
            *kind = known_kinds[number];
            return p + length;
        }
    }
    unsigned rare = bits_of(beyond_name(first));
    if (blocks > 1 && length > 16)
        rare |= bits_of(beyond_name(second)) << 16;
    if (rare & inside)
        return NULL;
    *known = 0;
    *kind = KIND_LENGTHS >> length & 1 ? kind_of(p, length) : ORDINARY;
    return p + length;
}
#endif

/* The CRLF behind the value that begins at `value` and is text up to `seen`; NULL when there is
 * none. Sets whether all of it is ASCII. */
static inline octets scan_value(octets value, octets seen, octets end, octets low,
                                uint16_t *ascii)
{
    octets stop = skip_text(seen > value ? seen : value, end, low);
    *ascii = end - stop >= 2 && is_crlf(stop);
    if (*ascii)
        return stop;
    stop = skip_value(stop, end, low);
    return end - stop >= 2 && is_crlf(stop) ? stop : NULL;
}

/* The field lines from p on, to the empty line that ends them. */
static int scan_fields(scan *s, octets p, octets end, octets low, uint32_t lines)
{
    field_line *field = s->fields + s->count;
    for (;; field++, s->count++) {
        if (end - p >= 2 && is_crlf(p)) {
            s->size = (uint32_t)(p + 2 - s->start);
            return COMPLETE;
        }
        if (s->count == lines)
            return find(p, end, '\n') ? HEAD_LINES : INCOMPLETE;
        if (s->count == s->room) {
            if (!make_room(s))
                return NO_MEMORY;
            field = s->fields + s->count;
        }
        uint32_t known;
        int kind;
        octets colon = NULL, beyond = p;
#ifdef __SSE2__
        if (end - p >= 64)
            colon = scan_line(p, 4, &beyond, &known, &kind);
        else if (end - p >= 32)
            colon = scan_line(p, 2, &beyond, &known, &kind);
        else if (end - p >= 16)
            colon = scan_line(p, 1, &beyond, &known, &kind);
#endif
        if (!colon && !(colon = scan_name(p, end, &known, &kind)))
            return field_line_fault(p, end);
        octets value = colon + 1;
        if (value < end && *value == ' ')
            value++;
        while (value < end && *value <= ' ' && is_blank(*value))
            value++;
        octets stop = beyond;
        field->ascii = 1;
        if (end - stop < 2 || !is_crlf(stop)) {
            stop = scan_value(value, stop, end, low, &field->ascii);
            if (!stop)
                return field_line_fault(p, end);
        }
        field->known = (uint16_t)known;
        field->name = (uint32_t)(p - s->start);
        field->name_length = (uint32_t)(colon - p);
        field->value = (uint32_t)(value - s->start);
        p = stop + 2;
        while (stop > value && stop[-1] <= ' ' && is_blank(stop[-1]))
            stop--;
        field->value_length = (uint32_t)(stop - value);
        if (kind) {
            if (s->first[kind])
                s->repeated[kind] = 1;
            else
                s->first[kind] = s->count + 1;
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
        if (end - start < 2)
            return INCOMPLETE;
        if (start[1] != '\n')
            return BEGINNING;
        start += 2;
    }
    if (start == end)
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
