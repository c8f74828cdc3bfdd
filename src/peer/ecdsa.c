#include "peer/ecdsa.h"

#include <gnutls/crypto.h>

#include "base/buf.h"
#include "base/err.h"
#include "peer/der.h"
#include "peer/der_put.h"

/* SEC 2, version 2: the order n of each curve whose keys verify here (algorithm.c), the smallest first. */
static const struct slice orders[] = {
	/* P-192 */
	SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x99\xde\xf8\x36\x14\x6b\xc9\xb1"
              "\xb4\xd2\x28\x31"),
	/* P-224 */
	SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x16\xa2\xe0\xb8\xf0\x3e"
              "\x13\xdd\x29\x45\x5c\x5c\x2a\x3d"),
	/* P-256 */
	SLICE("\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad"
              "\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"),
	/* P-384 */
	SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
              "\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a"
              "\xec\xec\x19\x6a\xcc\xc5\x29\x73"),
	/* P-521 */
	SLICE("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
              "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfa\x51\x86\x87\x83\xbf\x2f"
              "\x96\x6b\x7f\xcc\x01\x48\xf7\x09\xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f"
              "\xb7\x1e\x91\x38\x64\x09"),
};

/* A positive INTEGER in its shortest form. */
static bool get_number(struct slice *in, struct slice *out)
{
	if (!der_get(in, DER_INTEGER, out) || out->len == 0 || out->data[0] >= 0x80) {
		return false;
	}
	if (out->data[0] == 0) {
		if (out->len == 1 || out->data[1] < 0x80) {
			return false;
		}
		*out = slice_of(out->data + 1, out->len - 1);
	}
	return out->len <= ECDSA_BYTES_MAX;
}

bool ecdsa_read(struct ecdsa *out, struct slice signature)
{
	struct slice in;
	return der_get(&signature, DER_SEQUENCE, &in) && signature.len == 0 &&
	       get_number(&in, &out->r) && get_number(&in, &out->s) && in.len == 0;
}

/* Neither has leading zeros. */
static bool is_below(struct slice a, struct slice b)
{
	return a.len != b.len ? a.len < b.len : memcmp(a.data, b.data, a.len) < 0;
}

/* The order that the two numbers are below, an empty slice if there is none. Both are random below that of their curve: that they are
 * below a smaller one as well happens once in 2^64 signatures of P-256 and P-224, and else less often. */
static struct slice order_of(const struct ecdsa *signature)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (is_below(signature->r, orders[i]) && is_below(signature->s, orders[i])) {
			return orders[i];
		}
	}
	return (struct slice){0};
}

/* Into `out`, of n.len + 1 bytes: n - s as the content of an INTEGER. Nothing of it is secret. */
static struct slice subtract(uint8_t *out, struct slice n, struct slice s)
{
	int borrow = 0;
	out[0] = 0;
	for (size_t i = 0; i < n.len; i++) {
		int digit = n.data[n.len - 1 - i] - borrow - (i < s.len ? s.data[s.len - 1 - i] : 0);
		borrow = digit < 0 ? 1 : 0;
		out[n.len - i] = (uint8_t)digit;
	}
	struct slice number = slice_of(out, n.len + 1);
	while (number.len > 1 && number.data[0] == 0 && number.data[1] < 0x80) {
		number = slice_of(number.data + 1, number.len - 1);
	}
	return number;
}

/* `rest` is what stands before the signature: what is signed, and with which algorithm. */
static bool open_certificate(struct slice certificate, struct slice *rest, struct slice *octets)
{
	struct slice in;
	struct slice tbs;
	struct slice algorithm;
	struct slice bits;
	unsigned unused;
	if (!der_get(&certificate, DER_SEQUENCE, &in) || certificate.len != 0) {
		return false;
	}
	const uint8_t *first = in.data;
	if (!der_get(&in, DER_SEQUENCE, &tbs) || !der_get(&in, DER_SEQUENCE, &algorithm)) {
		return false;
	}
	*rest = slice_of(first, (size_t)(in.data - first));
	return der_get(&in, DER_BIT_STRING, &bits) && in.len == 0 &&
	       der_bits(bits, octets, &unused) && unused == 0;
}

int ecdsa_twin(uint8_t sha256[static 32], uint8_t sha1[static 20], struct slice certificate)
{
	struct slice rest;
	struct slice octets;
	struct ecdsa signature;
	if (!open_certificate(certificate, &rest, &octets) || !ecdsa_read(&signature, octets)) {
		return E_NOT_FOUND;
	}
	struct slice n = order_of(&signature);
	if (n.len == 0) {
		return E_NOT_FOUND;
	}
	uint8_t number[ECDSA_BYTES_MAX + 1];
	struct slice s = subtract(number, n, signature.s);
	bool sign = signature.r.data[0] >= 0x80;
	size_t r_len = signature.r.len + (sign ? 1 : 0);
	size_t pair = der_put_len(r_len) + der_put_len(s.len);
	size_t bits = 1 + der_put_len(pair);

	struct buf twin;
	/* A short s makes a long one, and lengths of three octets. */
	buf_init(&twin, certificate.len + ECDSA_BYTES_MAX + 16);
	der_put_head(&twin, DER_SEQUENCE, rest.len + der_put_len(bits));
	buf_append_slice(&twin, rest);
	der_put_head(&twin, DER_BIT_STRING, bits);
	buf_append_byte(&twin, 0);
	der_put_head(&twin, DER_SEQUENCE, pair);
	der_put_head(&twin, DER_INTEGER, r_len);
	if (sign) {
		buf_append_byte(&twin, 0);
	}
	buf_append_slice(&twin, signature.r);
	der_put(&twin, DER_INTEGER, s);
	int err = twin.err;
	if (err == E_OK && (gnutls_hash_fast(GNUTLS_DIG_SHA256, twin.data, twin.len, sha256) < 0 ||
	                    gnutls_hash_fast(GNUTLS_DIG_SHA1, twin.data, twin.len, sha1) < 0)) {
		err = E_NOMEM;
	}
	buf_release(&twin);
	return err == E_OK ? E_OK : E_NOMEM;
}
