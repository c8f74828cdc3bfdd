/* The verification classes: one row each in classes.def, everything else is made from it.
 * Thread: any, constant. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* In the order of precedence: the primary class of a handshake is the lowest of its findings. */
enum peer_class {
#define CLASS(symbol, name, code_leaf, code_issuer, alert, severity, tolerable, sentence, \
              server_sentence) \
	CLASS_##symbol,
#include "peer/classes.def"
#undef CLASS
	CLASS_COUNT,
};

struct peer_class_row {
	const char *name;     /* as in events: "expired" */
	unsigned code_leaf;   /* numeric code at depth 0 */
	unsigned code_issuer; /* at depth > 0 */
	unsigned alert;       /* TLS alert that tells the client; 0: none is sent */
	unsigned severity;    /* 0-10, event.severity */
	bool tolerable;
	const char *sentence;        /* about a client and its certificate */
	const char *server_sentence; /* about a server of an upstream; NULL: the same */
};

const struct peer_class_row *peer_class_row(enum peer_class class);
/* Of a client, or of a server of an upstream. */
const char *peer_class_sentence(enum peer_class class, bool server);
/* By its event name; CLASS_COUNT if there is none. */
enum peer_class peer_class_by_name(const char *name);
/* docs/classes.md: the classes and their codes for people. */
void peer_classes_write(struct buf *out);
