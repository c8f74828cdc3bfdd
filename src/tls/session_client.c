/* The client's side: to a server of an upstream.
 *
 * What resumes a session is GnuTLS's own form of it behind a head that says whose it is and how old:
 *
 *   number of the client (8), monotonic time of the full handshake in ns (8), SHA-256 of the rest (32),
 *   length of the name (1), name, GnuTLS's data
 *
 * It never leaves the process. The hash is for GnuTLS 3.7.9, which reads through a NULL in the handshake after it was given
 * data cut short. */
#include "tls/session_private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "tls/digest.h"

/* What a server may send besides its certificates before the handshake is over: CA names that it asks for (65,535 bytes at
 * most, RFC 8446 4.2.4), its other messages, and what GnuTLS reads ahead. */
#define HANDSHAKE_REST_MAX (192U << 10)
/* RFC 8446 4.6.1: tickets must not prolong an old handshake without end. */
#define RESUME_MAX_NS (3600ULL * 1000000000)
#define NAME_MAX_LEN 255

struct resume_head {
	uint64_t client;
	uint64_t since_ns;
	uint8_t sha256[32];
};

static int on_message(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *msg)
{
	struct tls_session *s = gnutls_session_get_ptr(gnutls);
	if (!incoming) {
		return 0;
	}
	if (when == GNUTLS_HOOK_POST) {
		s->answered = s->answered || type == GNUTLS_HANDSHAKE_SERVER_HELLO;
		/* In TLS 1.2 a ticket is part of the handshake. */
		s->tickets += type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET &&
		                              gnutls_protocol_get_version(gnutls) == GNUTLS_TLS1_3
		                      ? 1
		                      : 0;
		return 0;
	}
	s->last_message = type;
	switch (type) {
	case GNUTLS_HANDSHAKE_CERTIFICATE_PKT:
		return session_certificate(s, slice_of(msg->data, msg->size));
	case GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY:
	case GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE:
		s->verify_seen = true;
		return 0;
	default:
		return 0;
	}
}

/* RFC 6066 3: a host name without trailing dot; addresses are not sent. */
static int set_server_name(struct tls_session *s, const char *name)
{
	uint8_t address[16];
	if (name == NULL || inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1) {
		return E_OK;
	}
	size_t len = strnlen(name, NAME_MAX_LEN + 1);
	if (len > 0 && name[len - 1] == '.') {
		len--;
	}
	if (len == 0 || len > NAME_MAX_LEN) {
		return E_OK;
	}
	s->server_name = strndup(name, len);
	if (s->server_name == NULL ||
	    gnutls_server_name_set(s->gnutls, GNUTLS_NAME_DNS, s->server_name, len) != 0) {
		return E_NOMEM;
	}
	return E_OK;
}

static struct slice name_of(const struct tls_session *s)
{
	return slice_text(s->server_name);
}

/* What does not fit leads to a full handshake and is no failure. E_NOMEM. */
static int set_resume(struct tls_session *s, struct slice resume)
{
	struct resume_head head;
	struct slice name = name_of(s);
	if (resume.len <= sizeof(head) + 1 + name.len) {
		return E_OK;
	}
	memcpy(&head, resume.data, sizeof(head));
	struct slice rest = slice_of(resume.data + sizeof(head), resume.len - sizeof(head));
	uint8_t sha256[32];
	digest_sha256(sha256, &rest, 1);
	/* RFC 8446 4.6.1: with the same name alone. */
	if (head.client != s->client->number || clock_mono_ns() - head.since_ns > RESUME_MAX_NS ||
	    memcmp(head.sha256, sha256, sizeof(sha256)) != 0 || rest.data[0] != name.len ||
	    !slice_equal(slice_of(rest.data + 1, name.len), name)) {
		return E_OK;
	}
	size_t skip = 1 + name.len;
	if (gnutls_session_set_data(s->gnutls, rest.data + skip, rest.len - skip) != 0) {
		return E_NOMEM;
	}
	s->since_ns = head.since_ns;
	return E_OK;
}

int tls_session_new_client(struct tls_session **out, const struct tls_owner *ops, void *owner,
                           const struct tls_limits *limits, const struct tls_client *client,
                           const char *server_name, struct slice resume,
                           struct negotiated *negotiated)
{
	struct tls_session *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		return E_NOMEM;
	}
	*s = (struct tls_session){
		.ops = ops,
		.owner = owner,
		.limits = *limits,
		.negotiated = negotiated,
		.client = client,
		.pull_max = limits->certificate_bytes + HANDSHAKE_REST_MAX,
	};
	/* Our certificate is for this upstream: it is shown whenever one is asked for, whatever CA names come with that. */
	int err = session_start(s, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	if (err != E_OK) {
		goto free_session;
	}
	err = E_NOMEM;
	if (gnutls_priority_set(s->gnutls, client->priority) != 0 ||
	    gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, client->credentials) != 0 ||
	    set_server_name(s, server_name) != E_OK || set_resume(s, resume) != E_OK) {
		goto free_session;
	}
	gnutls_handshake_set_max_packet_length(s->gnutls, s->pull_max);
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH,
	                                   on_message);
	*out = s;
	return E_OK;

free_session:
	tls_session_free(&s);
	return err;
}

int session_client_complete(struct tls_session *s)
{
	s->pull_max = 0;
	bool tls12 = gnutls_protocol_get_version(s->gnutls) == GNUTLS_TLS1_2;
	bool bound = gnutls_session_ext_master_secret_status(s->gnutls) != 0;
	if (s->negotiated->resumed) {
		/* RFC 7627 5.3: only such sessions are kept here, so the answer has to have the extension again. */
		if (tls12 && !bound) {
			s->gnutls_error = GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
			return session_fail(s, TLS_FAILURE_PROTOCOL);
		}
		s->proven = true;
	} else {
		s->since_ns = clock_mono_ns();
	}
	gnutls_datum_t id = {NULL, 0};
	if (tls12 && bound && gnutls_session_get_id2(s->gnutls, &id) == 0 && id.size > 0) {
		s->tickets++;
	}
	return 0;
}

void session_client_detach(struct tls_session *s)
{
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
	                                   GNUTLS_HOOK_POST, on_message);
}

bool tls_session_ticket(struct tls_session *s, struct buf *out)
{
	if (s->tickets == s->tickets_out || s->failure != TLS_FAILURE_NONE) {
		return false;
	}
	s->tickets_out = s->tickets;
	gnutls_datum_t data = {NULL, 0};
	if (gnutls_session_get_data2(s->gnutls, &data) != 0) {
		return false;
	}
	struct resume_head head = {s->client->number, s->since_ns, {0}};
	struct slice name = name_of(s);
	uint8_t name_len = (uint8_t)name.len;
	struct slice rest[] = {slice_of(&name_len, 1), name, slice_of(data.data, data.size)};
	digest_sha256(head.sha256, rest, 3);
	size_t before = out->len;
	buf_append(out, &head, sizeof(head));
	for (size_t i = 0; i < 3; i++) {
		buf_append_slice(out, rest[i]);
	}
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	if (out->err != E_OK) {
		buf_truncate(out, before);
		return false;
	}
	return true;
}

bool tls_session_asked(const struct tls_session *s)
{
	return gnutls_certificate_client_get_request_status(s->gnutls) != 0;
}
