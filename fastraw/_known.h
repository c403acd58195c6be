/* Names of fields that are known: those that say something about the message, and those with a str
 * that is ready.
 */
#include "_octets.h"

enum kind { ORDINARY, HOST, TRANSFER_ENCODING, CONTENT_LENGTH, CONNECTION, EXPECT, UPGRADE, KINDS };

/* Field names with a str that is ready, found by length and two octets at each end. Few of the
 * slots are taken, so that a look for another name ends at once. */

enum { KNOWN = 256, KNOWN_LENGTH = 32, SLOTS = 2048 };
/* By number, from 1; filled on import, then constant. */
static uint8_t known_texts[KNOWN][KNOWN_LENGTH], known_lengths[KNOWN], known_kinds[KNOWN];
static uint8_t known_slots[SLOTS]; /* numbers of names; 0: an empty slot, where a search ends */

static inline uint32_t known_slot(octets name, size_t length)
{
    uint16_t first, last;
    memcpy(&first, name, 2);
    memcpy(&last, name + length - 2, 2);
    return ((first | (uint32_t)last << 16) + (uint32_t)length) * 2654435761u >> 21;
}

static inline uint32_t next_slot(uint32_t slot)
{
    return (slot + 1) % SLOTS;
}

static inline uint32_t find_known(octets name, size_t length)
{
    if (length < 2 || length > KNOWN_LENGTH)
        return 0;
    uint32_t number, slot = known_slot(name, length);
    for (; (number = known_slots[slot]); slot = next_slot(slot))
        if (known_lengths[number] == length && !memcmp(known_texts[number], name, length))
            return number;
    return 0;
}

/* One bit for each length of the names that kind_of knows. */
#define KIND_LENGTHS (1u << 4 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 14 | 1u << 17)

static inline int kind_of(octets name, size_t length)
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
