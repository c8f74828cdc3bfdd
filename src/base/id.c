#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/bug.h"

void id_boot(char out[static ID_BOOT_LEN + 1])
{
	uint64_t bits = 0;
	ssize_t got;
	do {
		/* Early in the life of a machine this waits for randomness, and a signal may come. */
		got = getrandom(&bits, sizeof(bits), 0);
	} while (got == -1 && errno == EINTR);
	BUG_IF(got != sizeof(bits));
	for (int i = 0; i < ID_BOOT_LEN; i++) {
		out[i] = "0123456789abcdefghjkmnpqrstvwxyz"[bits & 31];
		bits >>= 5;
	}
	out[ID_BOOT_LEN] = '\0';
}

void id_source_init(struct id_source *s, const char *boot, unsigned worker)
{
	BUG_IF(strlen(boot) != ID_BOOT_LEN);
	memcpy(s->boot, boot, ID_BOOT_LEN + 1);
	s->worker = worker;
	s->next = 1;
}

void id_next(struct id_source *s, char out[static ID_MAX + 1])
{
	snprintf(out, ID_MAX + 1, "%s-%u-%llx", s->boot, s->worker, (unsigned long long)s->next++);
}
