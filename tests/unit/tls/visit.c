#include "visit.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"
#include "peer/pki.h"

#define ROUNDS_MAX 64

static void fail(const char *what)
{
	fprintf(stderr, "visit: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(99);
}
#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fail(#condition); \
		} \
	} while (0)

int visit_compile(struct tls_service **out, bool resumption, const char *priority, struct diag *diag)
{
	struct config_certificate shown = {.chain = {pki_file(pki_pem(pair_leaf()->der)), {1, 1}},
	                                   .key = {pair_key_file(pki_key(pair_leaf()->key)), {1, 1}}};
	char name[] = "a";
	struct config_service config = {
		.name = {name, {1, 1}},
		.certificates = &shown,
		.certificate_count = 1,
		.tls = {.priority = {(char *)priority, {1, 1}}, .resumption = resumption},
		.client = {.verify = VERIFY_OPTIONAL}};
	return tls_service_new(out, &config, NULL, 0, "test.yaml", diag);
}

struct tls_service *visit_service(bool resumption, const char *priority)
{
	struct diag diag;
	diag_init(&diag);
	struct tls_service *service = NULL;
	if (visit_compile(&service, resumption, priority, &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	diag_release(&diag);
	return service;
}

static ssize_t pull(void *owner, void *data, size_t len)
{
	struct visit *visit = owner;
	int n = BIO_read(visit->to_server, data, (int)len);
	if (n <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return n;
}

static ssize_t push(void *owner, const struct iovec *iov, int count)
{
	struct visit *visit = owner;
	size_t taken = 0;
	for (int i = 0; i < count && visit->room > 0; i++) {
		size_t n = iov[i].iov_len < visit->room ? iov[i].iov_len : visit->room;
		MUST(n == 0 || BIO_write(visit->to_client, iov[i].iov_base, (int)n) == (int)n);
		visit->room -= n;
		taken += n;
	}
	if (taken == 0) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)taken;
}

static const struct tls_service *choose(void *owner)
{
	struct visit *visit = owner;
	return visit->service;
}

static int presented(void *owner, const struct slice *der, size_t count)
{
	struct visit *visit = owner;
	visit->presented++;
	visit->shown_count = count;
	for (size_t i = 0; i < count && i < 4; i++) {
		MUST(der[i].len <= sizeof(visit->shown[i].der));
		visit->shown[i].len = der[i].len;
		memcpy(visit->shown[i].der, der[i].data, der[i].len);
	}
	return visit->refuse ? E_NOMEM : E_OK;
}

static int on_ticket(SSL *client, SSL_SESSION *session)
{
	struct visit *visit = SSL_get_app_data(client);
	SSL_SESSION_free(visit->session);
	visit->session = session;
	visit->tickets++;
	return 1;
}

static void on_message(int outgoing, int version, int type, const void *data, size_t len,
                       SSL *client, void *arg)
{
	(void)version;
	(void)arg;
	struct visit *visit = SSL_get_app_data(client);
	if (outgoing && type == SSL3_RT_HANDSHAKE && *(const uint8_t *)data == SSL3_MT_CLIENT_HELLO &&
	    visit->ticket != NULL && memmem(data, len, visit->ticket, visit->ticket_len) != NULL) {
		visit->offered = true;
	}
}

static X509 *certificate_of(const struct pki_cert *cert)
{
	const unsigned char *p = cert->der.data;
	X509 *x509 = d2i_X509(NULL, &p, (long)cert->der.len);
	MUST(x509 != NULL);
	return x509;
}

static void set_certificate(SSL_CTX *context, const struct visitor *visitor)
{
	X509 *leaf = certificate_of(visitor->leaf);
	MUST(SSL_CTX_use_certificate(context, leaf) == 1);
	X509_free(leaf);
	MUST(SSL_CTX_use_PrivateKey_file(context, pair_key_file(pki_key(visitor->leaf->key)),
	                                 SSL_FILETYPE_PEM) == 1);
	size_t count = visitor->above_count == 0 ? 1 : visitor->above_count;
	for (size_t i = 0; visitor->above != NULL && i < count; i++) {
		MUST(SSL_CTX_add0_chain_cert(context, certificate_of(visitor->above)) == 1);
	}
}

static void open_client(struct visit *visit, const struct visitor *visitor, SSL_SESSION *resume)
{
	visit->context = SSL_CTX_new(TLS_client_method());
	MUST(visit->context != NULL);
	SSL_CTX_set_session_cache_mode(visit->context,
	                               SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(visit->context, on_ticket);
	if (visitor->leaf != NULL) {
		set_certificate(visit->context, visitor);
	}
	if (visitor->tls12) {
		MUST(SSL_CTX_set_max_proto_version(visit->context, TLS1_2_VERSION) == 1);
	}
	if (visitor->groups != NULL) {
		MUST(SSL_CTX_set1_groups_list(visit->context, visitor->groups) == 1);
	}
	visit->client = SSL_new(visit->context);
	visit->to_client = BIO_new(BIO_s_mem());
	visit->to_server = BIO_new(BIO_s_mem());
	MUST(visit->client != NULL && visit->to_client != NULL && visit->to_server != NULL);
	SSL_set_bio(visit->client, visit->to_client, visit->to_server);
	SSL_set_app_data(visit->client, visit);
	SSL_set_msg_callback(visit->client, on_message);
	MUST(SSL_set_tlsext_host_name(visit->client, "backend.example") == 1);
	if (resume != NULL) {
		/* OpenSSL uses a session of TLS 1.3 once. */
		SSL_SESSION *copy = SSL_SESSION_dup(resume);
		MUST(copy != NULL && SSL_set_session(visit->client, copy) == 1);
		SSL_SESSION_free(copy);
		SSL_SESSION_get0_ticket(resume, &visit->ticket, &visit->ticket_len);
	}
	SSL_set_connect_state(visit->client);
}

void visit_open(struct visit *visit, const struct tls_service *service,
                const struct visitor *visitor, SSL_SESSION *resume)
{
	static const struct tls_owner ops = {
		.pull = pull, .push = push, .choose = choose, .presented = presented};
	*visit = (struct visit){
		.service = service,
		.room = SIZE_MAX,
		.outcome = TLS_AGAIN_READ,
	};
	const struct tls_limits limits = {.certificate_bytes = 65536,
	                                  .certificates = 64,
	                                  .ticket_bytes = visitor->ticket_bytes};
	open_client(visit, visitor, resume);
	MUST(tls_session_new(&visit->server, &ops, visit, &limits, &visit->hello,
	                     &visit->negotiated) == E_OK);
}

bool visit_shake(struct visit *visit)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (visit->client_code != 1) {
			int ret = SSL_do_handshake(visit->client);
			visit->client_code = ret == 1 ? 1 : -SSL_get_error(visit->client, ret);
		}
		if (visit->outcome == TLS_AGAIN_READ || visit->outcome == TLS_AGAIN_WRITE) {
			visit->outcome = tls_session_handshake(visit->server);
		}
		if (visit->client_code == 1 && visit->outcome == TLS_DONE) {
			return true;
		}
	}
	ERR_clear_error();
	return false;
}

size_t visit_read(struct visit *visit, void *data, size_t len)
{
	int n = SSL_read(visit->client, data, (int)len);
	ERR_clear_error();
	return n > 0 ? (size_t)n : 0;
}

SSL_SESSION *visit_close(struct visit *visit)
{
	tls_session_free(&visit->server);
	/* OpenSSL forgets sessions of connections that were cut off. */
	SSL_set_shutdown(visit->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(visit->client);
	SSL_CTX_free(visit->context);
	return visit->session;
}

struct visitor visit_known(void)
{
	return (struct visitor){.leaf = pki_leaf(), .above = pki_intermediate()};
}

SSL_SESSION *visit_ticket(const struct tls_service *service, const struct visitor *visitor)
{
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, visitor, NULL);
	MUST(visit_shake(&visit) && !visit.negotiated.resumed);
	tls_session_give_ticket(visit.server);
	MUST(visit_read(&visit, &byte, 1) == 0 && visit.tickets == 1);
	return visit_close(&visit);
}

bool visit_is_resumed(const struct tls_service *service, const struct visitor *visitor,
                      SSL_SESSION *session)
{
	struct visit visit;
	visit_open(&visit, service, visitor, session);
	MUST(visit_shake(&visit));
	MUST(visit.offered == !visitor->tls12);
	bool resumed = visit.negotiated.resumed;
	MUST(resumed == (SSL_session_reused(visit.client) == 1));
	MUST(visit.presented == (visitor->leaf != NULL ? 1 : 0));
	SSL_SESSION_free(visit_close(&visit));
	return resumed;
}
