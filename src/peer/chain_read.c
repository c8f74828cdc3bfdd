/* A chain from a file, for judging offline: nothing of it is skipped, so that the verdict is on what the file has. */
#include <gnutls/x509.h>
#include <string.h>

#include "base/err.h"
#include "peer/chain.h"

static const char begin[] = "-----BEGIN CERTIFICATE-----";
static const char end[] = "-----END CERTIFICATE-----";

static const uint8_t *find(struct slice in, const char *what)
{
	return in.len == 0 ? NULL : memmem(in.data, in.len, what, strlen(what));
}

/* The next block, from its BEGIN to behind its END, or to the end of the file; false: there is none. */
static bool next_block(struct slice *rest, struct slice *block)
{
	const uint8_t *first = find(*rest, begin);
	if (first == NULL) {
		return false;
	}
	struct slice text = slice_of(first, rest->len - (size_t)(first - rest->data));
	const uint8_t *last = find(text, end);
	size_t len = last == NULL ? text.len : (size_t)(last - text.data) + sizeof(end) - 1;
	*block = slice_of(text.data, len);
	*rest = slice_of(text.data + len, text.len - len);
	return true;
}

/* What cannot be decoded stands for itself: a certificate that cannot be read. */
static struct slice decode(struct slice block, gnutls_datum_t *der)
{
	gnutls_datum_t pem = {(unsigned char *)block.data, (unsigned)block.len};
	if (gnutls_pem_base64_decode2("CERTIFICATE", &pem, der) < 0) {
		*der = (gnutls_datum_t){0};
		return block;
	}
	return slice_of(der->data, der->size);
}

int chain_read(struct chain **out, struct slice file)
{
	gnutls_datum_t ders[CHAIN_FILE_MAX];
	struct slice certs[CHAIN_FILE_MAX];
	size_t count = 0;
	struct slice rest = file;
	struct slice block;
	int err = E_OK;
	while (err == E_OK && next_block(&rest, &block)) {
		if (count == CHAIN_FILE_MAX) {
			err = E_LIMIT;
		} else {
			certs[count] = decode(block, &ders[count]);
			count++;
		}
	}
	size_t decoded = count;
	if (count == 0) { /* DER, or whatever it is */
		certs[count++] = file;
	}
	err = err == E_OK ? chain_new(out, certs, count) : err;
	for (size_t i = 0; i < decoded; i++) {
		gnutls_free(ders[i].data);
	}
	return err;
}
