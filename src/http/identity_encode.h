/* How bytes of a certificate become characters of a header field. Whatever goes in, what comes out is visible ASCII and the space,
 * so that no value can end its line or begin another. Private to http/identity*. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* What percent-encoding (RFC 3986 2.1) leaves as it is. */
enum percent_set {
	PERCENT_STRICT, /* unreserved characters alone (RFC 3986 2.3): form decoders read the same */
	PERCENT_TEXT, /* a value that has its field for itself: all but `%`; spaces but at its ends */
	PERCENT_NAME, /* a value inside of a list: all but `%`, `"`, `\`, `,`, `;`, `=`; spaces, too */
	PERCENT_URI,  /* what is encoded already: all but `"`, `\` and the space */
	PERCENT_HOST, /* unreserved characters and `*` */
};

void encode_percent(struct buf *out, struct slice bytes, enum percent_set set);
/* RFC 4648 4, with padding, in one line. */
void encode_base64(struct buf *out, struct slice bytes);
/* PEM (RFC 7468 2: lines of 64 characters, LF at the end), percent-encoded strictly. */
void encode_url_pem(struct buf *out, struct slice der);

enum dn_form {
	DN_PLAIN, /* as RFC 4514 2.4 writes it, escapes like `\,` kept */
	DN_HEX, /* every escape as `\xx`, and no `"` or `;` anywhere: cannot end a quoted string early */
};
/* A name as RFC 4514 text (UTF-8). What is not visible ASCII becomes `\xx` of its bytes; so do escaped spaces, which would
 * otherwise be taken for white space at the end of the field. */
void encode_dn(struct buf *out, struct slice dn, enum dn_form form);

/* RFC 8941 3.3.3, of what the functions above or we ourselves wrote: visible ASCII. */
void encode_sf_string(struct buf *out, struct slice ascii);
/* RFC 8941 3.3.5 */
void encode_sf_bytes(struct buf *out, struct slice bytes);

enum time_form {
	TIME_ASN1, /* YYMMDDhhmmssZ for the years 1950 to 2049, else YYYYMMDDhhmmssZ, as RFC 5280 4.1.2.5 */
	TIME_PLAIN, /* YYYYMMDDhhmmss */
};
/* False: outside of the years 0 to 9999, nothing was written. */
bool encode_time(struct buf *out, int64_t s, enum time_form form);
