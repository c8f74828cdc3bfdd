/* Values made of parts. When one would be too long, parts that its grammar lets be absent are left out, whole, those first that
 * can be had elsewhere: the chain, then the certificate, then names. A list of names is never shortened: a reader could not tell.
 * Private to http/identity*. Thread: any. */
#pragma once

#include "http/identity_private.h"

#define IDENTITY_PARTS_MAX 8

struct identity_part {
	/* Writes nothing if the certificate has no such thing. */
	void (*write)(struct identity_value *v);
	unsigned drop;    /* the lowest goes first; 0: never */
	const char *name; /* what identity_omitted says of it */
};

/* Writes the parts with `between` between them. False: nothing to say, or no room even without what can be dropped (v->out.err). */
bool identity_parts_write(struct identity_value *v, const struct identity_part *parts, size_t count,
                          const char *between);
