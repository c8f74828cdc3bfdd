#include "tls/ticket_offer.h"

#include <gnutls/gnutls.h>

/* IANA TLS ExtensionType values. */
enum { EXT_SUPPORTED_GROUPS = 10, EXT_PSK_KEY_EXCHANGE_MODES = 45, EXT_KEY_SHARE = 51 };

/* RFC 8446 4.2.9 */
enum { PSK_DHE_KE = 1 };

/* IANA TLS Supported Groups: from here on finite fields. */
#define FIRST_FFDHE 256

struct scan {
	struct slice groups; /* data NULL: the extension is absent */
	struct slice shares;
	struct slice modes;
	bool twice;
};

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void keep(struct scan *scan, struct slice *out, const unsigned char *data, unsigned len)
{
	scan->twice = scan->twice || out->data != NULL;
	*out = slice_of(data, len);
}

static int on_extension(void *arg, unsigned id, const unsigned char *data, unsigned len)
{
	struct scan *scan = arg;
	switch (id) {
	case EXT_SUPPORTED_GROUPS:
		keep(scan, &scan->groups, data, len);
		break;
	case EXT_PSK_KEY_EXCHANGE_MODES:
		keep(scan, &scan->modes, data, len);
		break;
	case EXT_KEY_SHARE:
		keep(scan, &scan->shares, data, len);
		break;
	default:
		break;
	}
	return 0;
}

/* Takes off the two bytes of length before a list that is all there is. */
static bool open_list(struct slice *s)
{
	if (s->len < 2 || read_u16(s->data) != s->len - 2) {
		return false;
	}
	*s = slice_of(s->data + 2, s->len - 2);
	return true;
}

static bool has_mode(struct slice modes, uint8_t mode)
{
	if (modes.len < 1 || modes.data[0] != modes.len - 1) {
		return false;
	}
	for (size_t i = 1; i < modes.len; i++) {
		if (modes.data[i] == mode) {
			return true;
		}
	}
	return false;
}

static bool has_group(struct slice list, uint16_t group)
{
	for (size_t i = 0; i + 1 < list.len; i += 2) {
		if (read_u16(list.data + i) == group) {
			return true;
		}
	}
	return false;
}

/* RFC 8446 4.2.8: group, length, key */
static bool has_share(struct slice shares, uint16_t group)
{
	size_t at = 0;
	while (shares.len - at >= 4) {
		size_t len = read_u16(shares.data + at + 2);
		if (len > shares.len - at - 4) {
			return false;
		}
		if (read_u16(shares.data + at) == group) {
			return true;
		}
		at += 4 + len;
	}
	return false;
}

/* The first of the service's that the client knows; 0: none. */
static uint16_t first_of_service(const uint16_t *groups, size_t count, struct slice offered)
{
	for (size_t i = 0; i < count; i++) {
		if (has_group(offered, groups[i])) {
			return groups[i];
		}
	}
	return 0;
}

/* The first of the client's that the service knows; 0: none. */
static uint16_t first_of_client(const uint16_t *groups, size_t count, struct slice offered)
{
	for (size_t at = 0; at + 1 < offered.len; at += 2) {
		for (size_t i = 0; i < count; i++) {
			if (groups[i] == read_u16(offered.data + at)) {
				return groups[i];
			}
		}
	}
	return 0;
}

static bool is_ready(struct slice shares, uint16_t group)
{
	return group != 0 && group < FIRST_FFDHE && has_share(shares, group);
}

bool ticket_offer_fits(struct slice body, const uint16_t *groups, size_t count, bool client_order)
{
	struct scan scan = {.twice = false};
	gnutls_datum_t message = {(unsigned char *)body.data, (unsigned)body.len};
	if (gnutls_ext_raw_parse(&scan, on_extension, &message,
	                         GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) < 0 ||
	    scan.twice || !has_mode(scan.modes, PSK_DHE_KE) || !open_list(&scan.groups) ||
	    !open_list(&scan.shares)) {
		return false;
	}
	/* GnuTLS takes the preferred group whether its share came or not. Whose preference that is it does not tell:
	 * where it could be ours, both favourites have to be there. */
	return is_ready(scan.shares, first_of_client(groups, count, scan.groups)) &&
	       (client_order || is_ready(scan.shares, first_of_service(groups, count, scan.groups)));
}
