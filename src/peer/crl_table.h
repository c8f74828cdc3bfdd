/* The entries of a CRL by serial number: 16 bytes each, found in well below a microsecond. Private to peer/.
 *
 * What stands for a serial is 88 bits of its SipHash-2-4-128 under a key that is made with the table. A hash that could be
 * computed elsewhere would let a CA look for two serials that collide, so that revoking one revokes the other, or for many that lie
 * together and make a lookup slow; with a secret key nobody can, and 500,000 entries meet a given serial by accident
 * once in 2^69 lookups. A revoked serial is always found.
 *
 * Thread: one while it is filled, then immutable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/crl.h"

struct crl_row {
	uint8_t hash[11];
	uint8_t reason;
	uint32_t revoked_at; /* seconds since 1970; what lies outside is held at its ends */
};
_Static_assert(sizeof(struct crl_row) == 16, "what 500,000 entries cost");

struct crl_table {
	uint8_t key[16];
	size_t count;
	size_t cap;
	struct crl_row *rows; /* sorted by hash, of two the same the earlier revocation first */
};

/* Room for `cap` entries. E_NOMEM, also where no key is to be had. Ends with crl_table_release(). */
int crl_table_init(struct crl_table *table, size_t cap);
void crl_table_release(struct crl_table *table);
/* At most `cap` times. `serial` is the content of an INTEGER, as it is there. */
void crl_table_add(struct crl_table *table, struct slice serial, const struct crl_entry *entry);
/* After the last one; nothing is found before. */
void crl_table_sort(struct crl_table *table);
/* By value: octets in front that an INTEGER does not need do not count. */
bool crl_table_find(const struct crl_table *table, struct slice serial, struct crl_entry *entry);

/* SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
void crl_siphash(uint8_t out[static 16], const uint8_t key[static 16], struct slice data);
