#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

#define ROUNDS_MAX 200000

static void must(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "pair: %s: %s\n", what, gnutls_strerror(code));
		exit(99);
	}
}
#define MUST(call) must((call), #call)

const struct pki_cert *pair_leaf(void)
{
	static const struct pki_cert *leaf;
	if (leaf == NULL) {
		leaf = pki_make(&(struct pki_spec){.subject = "CN=backend",
		                                   .key = PKI_P256_D,
		                                   .issuer = pki_intermediate(),
		                                   .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
		                                   .dns = {"backend.example"},
		                                   .purposes = {GNUTLS_KP_TLS_WWW_SERVER}});
	}
	return leaf;
}

char *pair_key_file(gnutls_x509_privkey_t key)
{
	gnutls_datum_t pem;
	MUST(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
	                                       &pem));
	char *path = pki_file(slice_of(pem.data, pem.size));
	gnutls_free(pem.data);
	return path;
}

struct tls_client *pair_client(const struct pki_cert *certificate)
{
	struct config_upstream_tls config = {.at = {1, 1}};
	if (certificate != NULL) {
		config.certificate.chain.text = pki_file(pki_pem(certificate->der));
		config.certificate.key.text = pair_key_file(pki_key(certificate->key));
	}
	struct diag diag;
	diag_init(&diag);
	struct tls_client *client = NULL;
	if (tls_client_new(&client, &config, "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	diag_release(&diag);
	return client;
}

static int store(void *ptr, gnutls_datum_t key, gnutls_datum_t data)
{
	struct pair_server *server = ptr;
	if (key.size > sizeof(server->stored.key) || data.size > sizeof(server->stored.data)) {
		exit(99);
	}
	memcpy(server->stored.key, key.data, key.size);
	memcpy(server->stored.data, data.data, data.size);
	server->stored.key_len = key.size;
	server->stored.data_len = data.size;
	return 0;
}

static gnutls_datum_t retrieve(void *ptr, gnutls_datum_t key)
{
	struct pair_server *server = ptr;
	gnutls_datum_t out = {NULL, 0};
	if (slice_equal(slice_of(key.data, key.size),
	                slice_of(server->stored.key, server->stored.key_len))) {
		out.data = gnutls_malloc(server->stored.data_len);
		out.size = (unsigned)server->stored.data_len;
		memcpy(out.data, server->stored.data, out.size);
	}
	return out;
}

static int forget(void *ptr, gnutls_datum_t key)
{
	(void)ptr;
	(void)key;
	return 0;
}

void pair_server_start(struct pair_server *server)
{
	if (server->leaf == NULL) {
		server->leaf = pair_leaf();
	}
	MUST(gnutls_certificate_allocate_credentials(&server->credentials));
	gnutls_pcert_st certs[2];
	int count = 0;
	MUST(gnutls_pcert_import_x509(&certs[count++], server->leaf->crt, 0));
	if (server->above != NULL) {
		MUST(gnutls_pcert_import_x509(&certs[count++], server->above->crt, 0));
	}
	if (server->key == NULL) {
		MUST(gnutls_privkey_init(&server->key));
		MUST(gnutls_privkey_import_x509(server->key, pki_key(server->leaf->key), 0));
	}
	/* A key that does not fit is what some tests want. */
	gnutls_certificate_set_flags(server->credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	MUST(gnutls_certificate_set_key(server->credentials, NULL, 0, certs, count, server->key));
	if (server->named != NULL) {
		gnutls_x509_crt_t named = server->named->crt;
		MUST(gnutls_certificate_set_x509_trust(server->credentials, &named, 1));
	}
	MUST(gnutls_priority_init(&server->cache,
	                          server->priority == NULL ? PAIR_BOTH : server->priority, NULL));
	if (server->tickets) {
		MUST(gnutls_session_ticket_key_generate(&server->ticket_key));
	}
}

void pair_server_stop(struct pair_server *server)
{
	gnutls_certificate_free_credentials(server->credentials);
	gnutls_priority_deinit(server->cache);
	gnutls_free(server->ticket_key.data);
}

static ssize_t pull(void *owner, void *data, size_t len)
{
	struct pair *pair = owner;
	pair->starve = pair->trickle && !pair->starve;
	if (pair->starve) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t n = recv(pair->fds[0], data, pair->trickle ? 1 : len, 0);
	pair->pulled += n > 0 ? (uint64_t)n : 0;
	return n;
}

static ssize_t push(void *owner, const struct iovec *iov, int count)
{
	struct pair *pair = owner;
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	return sendmsg(pair->fds[0], &message, MSG_NOSIGNAL);
}

static int presented(void *owner, const struct slice *der, size_t count)
{
	struct pair *pair = owner;
	pair->presented++;
	pair->shown_count = count;
	for (size_t i = 0; i < count && i < 4; i++) {
		pair->shown[i].len = der[i].len < sizeof(pair->shown[i].der)
		                             ? der[i].len
		                             : sizeof(pair->shown[i].der);
		memcpy(pair->shown[i].der, der[i].data, pair->shown[i].len);
	}
	return pair->refuse ? E_NOMEM : E_OK;
}

static int note_extension(void *ptr, unsigned id, const unsigned char *data, unsigned len)
{
	struct pair *pair = ptr;
	pair->extensions[pair->extension_count++ % sizeof(pair->extensions)] =
		id > 255 ? 255 : (uint8_t)id;
	/* RFC 6066 3: a list of one name of type 0 */
	if (id == 0 && len > 5 && len - 5 < sizeof(pair->sni)) {
		memcpy(pair->sni, data + 5, len - 5);
		pair->sni[len - 5] = '\0';
	}
	return 0;
}

static int on_server_hello(gnutls_session_t session, unsigned type, unsigned when,
                           unsigned incoming, const gnutls_datum_t *message)
{
	(void)type;
	(void)when;
	if (!incoming) {
		return 0;
	}
	return gnutls_ext_raw_parse(gnutls_session_get_ptr(session), note_extension, message,
	                            GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
}

static void open_server(struct pair *pair)
{
	struct pair_server *of = pair->of;
	MUST(gnutls_init(&pair->server, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
	                                        (of->tickets ? 0 : GNUTLS_NO_TICKETS)));
	gnutls_session_set_ptr(pair->server, pair);
	gnutls_transport_set_int(pair->server, pair->fds[1]);
	MUST(gnutls_priority_set(pair->server, of->cache));
	MUST(gnutls_credentials_set(pair->server, GNUTLS_CRD_CERTIFICATE, of->credentials));
	gnutls_certificate_server_set_request(pair->server,
	                                      of->ask ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
	gnutls_handshake_set_timeout(pair->server, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_handshake_set_hook_function(pair->server, GNUTLS_HANDSHAKE_CLIENT_HELLO,
	                                   GNUTLS_HOOK_PRE, on_server_hello);
	if (of->tickets) {
		MUST(gnutls_session_ticket_enable_server(pair->server, &of->ticket_key));
	}
	if (of->ids) {
		gnutls_db_set_ptr(pair->server, of);
		gnutls_db_set_store_function(pair->server, store);
		gnutls_db_set_retrieve_function(pair->server, retrieve);
		gnutls_db_set_remove_function(pair->server, forget);
	}
	pair->server_code = GNUTLS_E_AGAIN;
}

void pair_open(struct pair *pair, struct pair_server *server, const struct tls_client *client,
               const char *server_name, struct slice resume)
{
	static const struct tls_owner ops = {.pull = pull, .push = push, .presented = presented};
	static const struct tls_limits limits = {.certificate_bytes = 65536, .certificates = 4};
	*pair = (struct pair){.of = server};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds) != 0) {
		exit(99);
	}
	if (server != NULL) {
		open_server(pair);
	}
	if (tls_session_new_client(&pair->client, &ops, pair, &limits, client, server_name, resume,
	                           &pair->negotiated) != E_OK) {
		exit(99);
	}
	pair->outcome = TLS_AGAIN_READ;
}

static bool goes_on(enum tls_outcome outcome)
{
	return outcome == TLS_AGAIN_READ || outcome == TLS_AGAIN_WRITE;
}

bool pair_shake(struct pair *pair)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (goes_on(pair->outcome)) {
			pair->outcome = tls_session_handshake(pair->client);
		}
		if (pair->server_code != 0 && gnutls_error_is_fatal(pair->server_code) == 0) {
			pair->server_code = gnutls_handshake(pair->server);
			if (pair->server_code < 0 && gnutls_error_is_fatal(pair->server_code)) {
				gnutls_alert_send_appropriate(pair->server, pair->server_code);
			}
		}
		bool server_ended =
			pair->server_code == 0 || gnutls_error_is_fatal(pair->server_code);
		if (!goes_on(pair->outcome) && server_ended) {
			break;
		}
		/* The other one is not told why; it only sees the end. */
		if (pair->outcome == TLS_FAILED) {
			break;
		}
	}
	return pair->outcome == TLS_DONE && pair->server_code == 0;
}

enum tls_outcome pair_settle(struct pair *pair)
{
	uint8_t data[1024];
	size_t moved;
	int misses = 0;
	do {
		pair->outcome = tls_session_read(pair->client, data, sizeof(data), &moved);
		misses = goes_on(pair->outcome) && pair->trickle ? misses + 1 : 0;
	} while (pair->outcome == TLS_DONE || (misses > 0 && misses < 10000));
	return pair->outcome;
}

void pair_close(struct pair *pair)
{
	tls_session_free(&pair->client);
	if (pair->server != NULL) {
		gnutls_deinit(pair->server);
	}
	close(pair->fds[0]);
	if (pair->fds[1] != -1) {
		close(pair->fds[1]);
	}
}

enum tls_outcome pair_answer(struct pair *pair, struct slice bytes, bool end)
{
	uint8_t sink[4096];
	for (;;) {
		pair->outcome = tls_session_handshake(pair->client);
		while (recv(pair->fds[1], sink, sizeof(sink), 0) > 0) {
		}
		if (!goes_on(pair->outcome)) {
			return pair->outcome;
		}
		if (bytes.len > 0) {
			ssize_t n = send(pair->fds[1], bytes.data, bytes.len, MSG_NOSIGNAL);
			if (n <= 0) {
				exit(99);
			}
			bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
		} else if (end) {
			close(pair->fds[1]);
			pair->fds[1] = -1;
			end = false;
		} else if (pair->fds[1] != -1 || pair->outcome == TLS_AGAIN_WRITE) {
			return pair->outcome;
		}
	}
}
