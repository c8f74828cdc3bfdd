#include "tls/certificate_message.h"

#include "base/err.h"

static size_t read_u24(const uint8_t *p)
{
	return (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
}

/* Takes `n` bytes off the front; false when they are not there. */
static bool take(struct slice *s, size_t n, struct slice *out)
{
	if (n > s->len) {
		return false;
	}
	*out = slice_of(s->data, n);
	s->data += n;
	s->len -= n;
	return true;
}

static bool take_vector24(struct slice *s, struct slice *out)
{
	struct slice length;
	return take(s, 3, &length) && take(s, read_u24(length.data), out);
}

int certificate_message_parse(struct slice *der, size_t *count, struct slice body, bool tls13)
{
	size_t room = *count;
	*count = 0;
	struct slice ignored;
	/* certificate_request_context: empty in the main handshake, GnuTLS checks that. */
	if (tls13 && (body.len < 1 || !take(&body, 1 + (size_t)body.data[0], &ignored))) {
		return E_INVALID;
	}
	struct slice list;
	if (!take_vector24(&body, &list) || body.len != 0) {
		return E_INVALID;
	}
	while (list.len > 0) {
		struct slice certificate;
		if (!take_vector24(&list, &certificate) || certificate.len == 0) {
			return E_INVALID;
		}
		struct slice length;
		if (tls13 &&
		    (!take(&list, 2, &length) ||
		     !take(&list, (size_t)(length.data[0] << 8 | length.data[1]), &ignored))) {
			return E_INVALID;
		}
		if (*count == room) {
			return E_LIMIT;
		}
		der[(*count)++] = certificate;
	}
	return E_OK;
}
