/* Distinguished names: from DER to what events show, and compared as name constraints need it.
 *
 * A peer can put any byte into a name. `text` is made safe here: valid UTF-8 without NUL and
 * control bytes, everything else as RFC 4514 hex pairs. GnuTLS 3.7.9 has no one form for these
 * (gnutls_x509_crt_get_dn3: a value with NUL becomes #hex, CR LF and invalid UTF-8 stay raw, a
 * T61String is hexadecimal text), so this one is ours. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/arena.h"
#include "peer/chain.h"

#define NAME_VALUES_MAX CERT_VALUES_MAX

/* One AttributeTypeAndValue. */
struct ava {
	struct slice oid;
	uint8_t tag;
	struct slice value;
	struct slice value_whole;
};

/* The next one of an RDN (the content of its SET). False: there is none, or none that can be read. */
bool name_next_ava(struct slice *rdn, struct ava *out);

/* Reads a Name (the content of its outer SEQUENCE). E_INVALID: its structure is broken; E_NOMEM. */
int name_read(struct arena *arena, struct dn *out, struct slice content);

/* The form by which two names are the same one (RFC 5280 7.1), for memcmp(): attributes of PrintableString, UTF8String
 * and the like in one type, ASCII letters small, spaces at the ends gone and runs of them one. Beyond ASCII bytes
 * count, since folding there takes tables that others do not have either (RFC 4518); so do T61String, BMPString
 * and what is no string, type and all. `whole` is a Name with its outer SEQUENCE; one that name_read() refuses
 * has no form: it is folded to nothing. The result is less than twice as long as the name. E_NOMEM only. */
int name_fold(struct arena *arena, struct slice *out, struct slice whole);

/* How a directory name stands to a subtree's base (RFC 5280 4.2.1.10, 7.1). */
enum name_match { NAME_OUTSIDE, NAME_WITHIN, NAME_UNDECIDED };

/* Is `name` within `base`? Both are contents of well-formed Names. Letter case and runs of
 * spaces do not count. Undecided: strings that differ in other than ASCII characters or in how
 * they are encoded, which we cannot fold; RDNs of more than 16 attributes, which are not compared. */
enum name_match name_within(struct slice name, struct slice base);
/* Calls `use` for every emailAddress attribute (PKCS #9); stops and returns false once it does. */
bool name_each_email(struct slice content, bool (*use)(void *context, struct slice email),
                     void *context);
