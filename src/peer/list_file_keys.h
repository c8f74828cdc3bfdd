/* What a list file holds once it is read: sorted keys, and pairs of serial number and issuer. Private to peer/. Thread: filled by
 * the main thread, then immutable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/arena.h"

#define SHA1_BYTES 20
#define SHA256_BYTES 32

/* Keys of one width. Starts zeroed but for `width`. */
struct keys {
	uint8_t *bytes;
	size_t width; /* SHA1_BYTES or SHA256_BYTES */
	size_t count;
	size_t cap;
};

/* Copies `width` bytes. E_NOMEM. */
int keys_add(struct keys *keys, const uint8_t *key);
/* Once all are there, before the first keys_have(). */
void keys_sort(struct keys *keys);
bool keys_have(const struct keys *keys, const uint8_t *key);
void keys_release(struct keys *keys);

struct serial_entry {
	struct slice serial; /* without leading zeros, but for one byte at least */
	struct slice issuer; /* RFC 4514 without blanks around separators and types */
};

/* Starts zeroed. */
struct serials {
	struct serial_entry *entries;
	size_t count;
	size_t cap;
	struct arena arena;
};

/* Copies both; blanks around `,`, `+` and the `=` of a type in the issuer go. E_NOMEM. */
int serials_add(struct serials *serials, struct slice serial, struct slice issuer);
void serials_sort(struct serials *serials);
/* `serial`: content of the INTEGER; `issuer` as in dn.text. Letter case does not count (RFC 5280 7.1). */
bool serials_have(const struct serials *serials, struct slice serial, struct slice issuer);
void serials_release(struct serials *serials);
