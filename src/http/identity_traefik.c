/* X-Forwarded-Tls-Client-Cert and -Info, as Traefik 2 writes them: escaped. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/err.h"
#include "http/identity_encode.h"
#include "http/identity_parts.h"

/* Base64 as in PEM, without its first and last line and the line ends. */
static void traefik_body(struct identity_value *v, struct slice der)
{
	for (size_t i = 0; i < der.len && v->out.err == E_OK; i += 3) {
		char text[5];
		struct buf four;
		buf_init_fixed(&four, text, sizeof(text));
		encode_base64(&four, slice_of(der.data + i, der.len - i < 3 ? der.len - i : 3));
		encode_percent(&v->out, buf_slice(&four), PERCENT_STRICT);
	}
}

static void traefik_leaf(struct identity_value *v)
{
	traefik_body(v, v->identity->der);
}

static void traefik_others(struct identity_value *v)
{
	for (size_t i = 0; i < v->identity->chain_count && v->out.err == E_OK; i++) {
		buf_append_text(&v->out, i > 0 ? "," : "");
		traefik_body(v, v->identity->chain[i]);
	}
}

bool identity_render_traefik_cert(struct identity_value *v)
{
	static const struct identity_part parts[] = {
		{traefik_leaf, 0, NULL},
		{traefik_others, 1, "X-Forwarded-Tls-Client-Cert: chain"},
	};
	return identity_parts_write(v, parts, sizeof(parts) / sizeof(parts[0]), ",");
}

/* The whole value of -Info is percent-encoded once more, so each value is encoded on its own before: what its quotes, commas
 * and semicolons mean is then never a question of what a name holds. */
static void info_raw(struct identity_value *v, const char *text)
{
	encode_percent(&v->out, slice_text(text), PERCENT_STRICT);
}

static void info_value(struct identity_value *v, struct slice value)
{
	for (size_t i = 0; i < value.len && v->out.err == E_OK; i++) {
		uint8_t room[3];
		struct buf one;
		buf_init_fixed(&one, room, sizeof(room));
		encode_percent(&one, slice_of(value.data + i, 1), PERCENT_NAME);
		encode_percent(&v->out, buf_slice(&one), PERCENT_STRICT);
	}
}

static void info_name(struct identity_value *v, const char *key,
                      const struct identity_attribute *attributes, size_t count,
                      const char *const *order)
{
	const char *before = key;
	for (; *order != NULL; order++) {
		for (size_t i = 0; i < count && v->out.err == E_OK; i++) {
			if (strcmp(attributes[i].name, *order) != 0 || attributes[i].value.len == 0) {
				continue;
			}
			info_raw(v, before);
			info_raw(v, *order);
			info_raw(v, "=");
			info_value(v, attributes[i].value);
			before = ",";
		}
	}
	if (before != key) {
		info_raw(v, "\"");
	}
}

static void info_subject(struct identity_value *v)
{
	static const char *const order[] = {"C", "ST", "L", "O", "OU", "CN", NULL};
	info_name(v, "Subject=\"", v->identity->subject_attributes,
	          v->identity->subject_attribute_count, order);
}

static void info_issuer(struct identity_value *v)
{
	static const char *const order[] = {"C", "ST", "L", "O", "CN", NULL};
	info_name(v, "Issuer=\"", v->identity->issuer_attributes,
	          v->identity->issuer_attribute_count, order);
}

static void info_seconds(struct identity_value *v, const char *key, int64_t s)
{
	char text[40];
	snprintf(text, sizeof(text), "%s=\"%lld\"", key, (long long)s);
	info_raw(v, text);
}

static void info_not_before(struct identity_value *v)
{
	info_seconds(v, "NB", v->identity->not_before_s);
}

static void info_not_after(struct identity_value *v)
{
	info_seconds(v, "NA", v->identity->not_after_s);
}

static void info_san(struct identity_value *v, const struct identity_san *san, const char *before)
{
	char ip[INET6_ADDRSTRLEN];
	struct slice value = san->value;
	if (san->type == IDENTITY_SAN_IP) {
		/* RFC 5280 4.2.1.6 knows 4 and 16 bytes only: anything else is no address. */
		if ((value.len != 4 && value.len != 16) ||
		    inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.data, ip, sizeof(ip)) ==
		            NULL) {
			return;
		}
		value = slice_text(ip);
	}
	info_raw(v, before);
	info_value(v, value);
}

static void info_sans(struct identity_value *v)
{
	static const enum identity_san_type order[] = {IDENTITY_SAN_DNS, IDENTITY_SAN_EMAIL,
	                                               IDENTITY_SAN_IP, IDENTITY_SAN_URI};
	size_t start = v->out.len;
	for (size_t type = 0; type < sizeof(order) / sizeof(order[0]); type++) {
		for (size_t i = 0; i < v->identity->san_count && v->out.err == E_OK; i++) {
			const struct identity_san *san = &v->identity->sans[i];
			if (san->type == order[type] && san->value.len > 0) {
				info_san(v, san, v->out.len == start ? "SAN=\"" : ",");
			}
		}
	}
	if (v->out.len > start) {
		info_raw(v, "\"");
	}
}

bool identity_render_traefik_info(struct identity_value *v)
{
	static const struct identity_part parts[] = {
		{info_subject, 3, "X-Forwarded-Tls-Client-Cert-Info: Subject"},
		{info_issuer, 2, "X-Forwarded-Tls-Client-Cert-Info: Issuer"},
		{info_not_before, 0, NULL},
		{info_not_after, 0, NULL},
		{info_sans, 1, "X-Forwarded-Tls-Client-Cert-Info: SAN"},
	};
	return identity_parts_write(v, parts, sizeof(parts) / sizeof(parts[0]), "%3B");
}
