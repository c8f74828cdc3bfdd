/* Event ids: "<64 random bits per boot, base32>-<worker>-<n>", unique without coordination.
 *
 * Every entry of the journal has one; the id of an ingress handshake is the id of its connection.
 * Thread: each id_source belongs to one thread; the boot part is shared and constant. */
#pragma once

#include <stdint.h>

#define ID_BOOT_LEN 13                         /* 64 bits in Crockford's base32, lower case */
#define ID_MAX (ID_BOOT_LEN + 1 + 10 + 1 + 16) /* characters; n is lower-case hexadecimal */

struct id_source {
	char boot[ID_BOOT_LEN + 1];
	unsigned worker;
	uint64_t next;
};

/* A new boot part from getrandom(2). */
void id_boot(char out[static ID_BOOT_LEN + 1]);
void id_source_init(struct id_source *s, const char *boot, unsigned worker);
/* Writes the next id and a NUL. */
void id_next(struct id_source *s, char out[static ID_MAX + 1]);
