/* What we show to back ends is compiled from the configuration; and our client speaks with our own server. */
#include "tls/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "pair.h"
#include "unit.h"

static struct tls_client *load(char *chain, char *key, struct diag *diag)
{
	struct config_upstream_tls config = {
		.at = {3, 1}, .certificate = {.chain = {chain, {4, 5}}, .key = {key, {5, 6}}}};
	diag_init(diag);
	struct tls_client *client = NULL;
	int err = tls_client_new(&client, &config, "conf.yaml", diag);
	CU_ASSERT_EQUAL(err == E_OK, diag->errors == 0);
	CU_ASSERT_EQUAL(err == E_OK, client != NULL);
	return client;
}

static void refused(char *chain, char *key, unsigned line, const char *words)
{
	struct diag diag;
	struct tls_client *client = load(chain, key, &diag);
	CU_ASSERT_PTR_NULL(client);
	CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
	CU_ASSERT_EQUAL(diag.first->at.line, line);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, words));
	diag_release(&diag);
	tls_client_free(&client);
}

static void certificates_that_cannot_be_shown_are_refused_where_they_are_named(void)
{
	char *chain = pki_file(pki_pem(pki_leaf()->der));
	char *key = pair_key_file(pki_key(pki_leaf()->key));
	char *other = pair_key_file(pki_key(PKI_RSA2048));
	refused((char[]){"/tmp/tlscribe-no-such-file"}, key, 4, "cannot read the certificate");
	refused(chain, (char[]){"/tmp/tlscribe-no-such-file"}, 5, "cannot read the private key");
	refused(chain, other, 5, "does not belong to the certificate");
	refused(key, key, 4, "cannot be used");
	refused(chain, chain, 4, "cannot be used");
	refused(pki_file(SLICE("")), key, 4, "cannot be used");
}

static void the_certificate_is_told_and_warned_about(void)
{
	struct diag diag;
	struct tls_certificate_info info = {0};
	struct tls_client *client = load(NULL, NULL, &diag);
	CU_ASSERT_FALSE(tls_client_certificate(client, &info));
	CU_ASSERT_EQUAL(diag.warnings, 0);
	tls_client_free(&client);
	CU_ASSERT_PTR_NULL(client);
	tls_client_free(&client);
	diag_release(&diag);

	const struct pki_cert *old = pki_make(&(struct pki_spec){.subject = "CN=edge,O=Test",
	                                                         .key = PKI_P256_C,
	                                                         .issuer = pki_root(),
	                                                         .not_before = 1000000000,
	                                                         .not_after = 1100000000});
	client = load(pki_file(pki_pem(old->der)), pair_key_file(pki_key(PKI_P256_C)), &diag);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client);
	CU_ASSERT_TRUE(tls_client_certificate(client, &info));
	CU_ASSERT_STRING_EQUAL(info.subject, "CN=edge,O=Test");
	CU_ASSERT_EQUAL(info.not_before_s, 1000000000);
	CU_ASSERT_EQUAL(info.not_after_s, 1100000000);
	CU_ASSERT_EQUAL_FATAL(diag.warnings, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "the client certificate in"));
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "has expired"));
	diag_release(&diag);
	tls_client_free(&client);
}

/* One side of two sessions of ours: what it pushes, the other pulls. */
struct side {
	struct buf in;
	size_t taken;
	struct side *other;
	const struct tls_service *service;
	struct negotiated negotiated;
	struct hello hello;
	size_t presented;
};

static ssize_t pull(void *owner, void *data, size_t len)
{
	struct side *side = owner;
	size_t n = side->in.len - side->taken;
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	n = n < len ? n : len;
	memcpy(data, side->in.data + side->taken, n);
	side->taken += n;
	return (ssize_t)n;
}

static ssize_t push(void *owner, const struct iovec *iov, int count)
{
	struct side *side = owner;
	size_t before = side->other->in.len;
	for (int i = 0; i < count; i++) {
		buf_append(&side->other->in, iov[i].iov_base, iov[i].iov_len);
	}
	return (ssize_t)(side->other->in.len - before);
}

static const struct tls_service *choose(void *owner)
{
	struct side *side = owner;
	return side->service;
}

static int presented(void *owner, const struct slice *der, size_t count)
{
	struct side *side = owner;
	side->presented += slice_equal(der[0], count == 1 ? pki_leaf()->der : pair_leaf()->der);
	return E_OK;
}

static void our_client_and_our_server_speak_with_each_other(void)
{
	static const struct tls_owner ops = {
		.pull = pull, .push = push, .choose = choose, .presented = presented};
	static const struct tls_limits limits = {.certificate_bytes = 65536, .certificates = 4};
	struct config_certificate shown = {
		.chain = {pki_file(pki_join(pki_pem(pair_leaf()->der),
	                                    pki_pem(pki_intermediate()->der))),
	                  {1, 1}},
		.key = {pair_key_file(pki_key(pair_leaf()->key)), {1, 1}}};
	char tls12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
	char service_name[] = "a";
	char *priorities[] = {tls12, NULL};
	for (size_t i = 0; i < 2; i++) {
		struct config_service config = {.name = {service_name, {1, 1}},
		                                .certificates = &shown,
		                                .certificate_count = 1,
		                                .tls = {.priority = {priorities[i], {1, 1}}},
		                                .client = {.verify = VERIFY_REQUIRED}};
		struct diag diag;
		diag_init(&diag);
		struct tls_service *service = NULL;
		CU_ASSERT_EQUAL_FATAL(
			tls_service_new(&service, &config, NULL, 0, "conf.yaml", &diag), E_OK);
		diag_release(&diag);
		struct tls_client *client = pair_client(pki_leaf());
		struct side sides[2] = {{.other = &sides[1]},
		                        {.other = &sides[0], .service = service}};
		buf_init(&sides[0].in, 1 << 20);
		buf_init(&sides[1].in, 1 << 20);
		struct tls_session *ours, *theirs;
		CU_ASSERT_EQUAL_FATAL(tls_session_new_client(&ours, &ops, &sides[0], &limits,
		                                             client, "Backend.Example", SLICE(""),
		                                             &sides[0].negotiated),
		                      E_OK);
		CU_ASSERT_EQUAL_FATAL(tls_session_new(&theirs, &ops, &sides[1], &limits,
		                                      &sides[1].hello, &sides[1].negotiated),
		                      E_OK);
		enum tls_outcome left = TLS_AGAIN_READ;
		enum tls_outcome right = TLS_AGAIN_READ;
		for (int round = 0; round < 8; round++) {
			left = left == TLS_AGAIN_READ ? tls_session_handshake(ours) : left;
			right = right == TLS_AGAIN_READ ? tls_session_handshake(theirs) : right;
		}
		CU_ASSERT_EQUAL(left, TLS_DONE);
		CU_ASSERT_EQUAL(right, TLS_DONE);
		for (size_t k = 0; k < 2; k++) {
			const struct negotiated *n = &sides[k].negotiated;
			CU_ASSERT_EQUAL(n->version, i == 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3);
			CU_ASSERT_TRUE(n->established);
			CU_ASSERT_FALSE(n->resumed);
			CU_ASSERT_TRUE(n->has_server_certificate);
			CU_ASSERT_STRING_EQUAL(n->group, "x25519");
			CU_ASSERT_EQUAL(sides[k].presented, 1);
		}
		CU_ASSERT_STRING_EQUAL(sides[0].negotiated.cipher, sides[1].negotiated.cipher);
		CU_ASSERT_TRUE(tls_session_possession_proven(ours));
		CU_ASSERT_TRUE(tls_session_possession_proven(theirs));
		CU_ASSERT(slice_equal(
			slice_of(sides[1].hello.server_name, sides[1].hello.server_name_len),
			SLICE("backend.example")));
		/* Servers of ours give no tickets. */
		uint8_t byte = 0;
		size_t moved = 0;
		CU_ASSERT_EQUAL(tls_session_read(ours, &byte, 1, &moved), TLS_AGAIN_READ);
		CU_ASSERT_EQUAL(tls_session_write(theirs, "x", 1, &moved), TLS_DONE);
		CU_ASSERT_EQUAL(tls_session_read(ours, &byte, 1, &moved), TLS_DONE);
		CU_ASSERT_EQUAL(byte, 'x');
		CU_ASSERT_EQUAL(tls_session_close_write(ours), TLS_DONE);
		CU_ASSERT_EQUAL(tls_session_read(theirs, &byte, 1, &moved), TLS_CLOSED);
		tls_session_free(&ours);
		tls_session_free(&theirs);
		buf_release(&sides[0].in);
		buf_release(&sides[1].in);
		tls_client_free(&client);
		tls_service_free(&service);
	}
}

/* A handshake of our client, with what `resume` holds, and a ticket, which goes there. True: it was resumed. */
static bool meet(const struct tls_service *service, const struct tls_client *client,
                 struct buf *resume)
{
	static const struct tls_owner ops = {
		.pull = pull, .push = push, .choose = choose, .presented = presented};
	static const struct tls_limits limits = {.certificate_bytes = 65536, .certificates = 4};
	struct side sides[2] = {{.other = &sides[1]}, {.other = &sides[0], .service = service}};
	buf_init(&sides[0].in, 1 << 20);
	buf_init(&sides[1].in, 1 << 20);
	struct tls_session *ours, *theirs;
	CU_ASSERT_EQUAL_FATAL(tls_session_new_client(&ours, &ops, &sides[0], &limits, client,
	                                             "backend.example", buf_slice(resume),
	                                             &sides[0].negotiated),
	                      E_OK);
	CU_ASSERT_EQUAL_FATAL(tls_session_new(&theirs, &ops, &sides[1], &limits, &sides[1].hello,
	                                      &sides[1].negotiated),
	                      E_OK);
	enum tls_outcome left = TLS_AGAIN_READ;
	enum tls_outcome right = TLS_AGAIN_READ;
	for (int round = 0; round < 8; round++) {
		left = left == TLS_AGAIN_READ ? tls_session_handshake(ours) : left;
		right = right == TLS_AGAIN_READ ? tls_session_handshake(theirs) : right;
	}
	CU_ASSERT_EQUAL(left, TLS_DONE);
	CU_ASSERT_EQUAL(right, TLS_DONE);
	bool resumed = sides[1].negotiated.resumed;
	CU_ASSERT_EQUAL(sides[0].negotiated.resumed, resumed);
	/* The client keeps the server's chain by itself; the server is shown the client's each time. */
	CU_ASSERT_EQUAL(sides[0].presented, resumed ? 0 : 1);
	CU_ASSERT_EQUAL(sides[1].presented, 1);
	CU_ASSERT_EQUAL(sides[1].negotiated.has_server_certificate, !resumed);
	CU_ASSERT_TRUE(tls_session_possession_proven(theirs));
	tls_session_give_ticket(theirs);
	uint8_t byte = 0;
	size_t moved = 0;
	CU_ASSERT_EQUAL(tls_session_read(ours, &byte, 1, &moved), TLS_AGAIN_READ);
	buf_reset(resume);
	CU_ASSERT_EQUAL(tls_session_ticket(ours, resume), !resumed);
	tls_session_free(&ours);
	tls_session_free(&theirs);
	buf_release(&sides[0].in);
	buf_release(&sides[1].in);
	return resumed;
}

static void our_client_resumes_with_our_server(void)
{
	struct config_certificate shown = {
		.chain = {pki_file(pki_join(pki_pem(pair_leaf()->der),
	                                    pki_pem(pki_intermediate()->der))),
	                  {1, 1}},
		.key = {pair_key_file(pki_key(pair_leaf()->key)), {1, 1}}};
	char service_name[] = "a";
	struct config_service config = {.name = {service_name, {1, 1}},
	                                .certificates = &shown,
	                                .certificate_count = 1,
	                                .tls = {.resumption = true},
	                                .client = {.verify = VERIFY_REQUIRED}};
	struct diag diag;
	diag_init(&diag);
	struct tls_service *service = NULL;
	CU_ASSERT_EQUAL_FATAL(tls_service_new(&service, &config, NULL, 0, "conf.yaml", &diag), E_OK);
	diag_release(&diag);
	struct tls_client *client = pair_client(pki_leaf());
	struct buf resume;
	buf_init(&resume, 65536);
	for (int i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL(meet(service, client, &resume), i % 2 == 1);
	}
	buf_release(&resume);
	tls_client_free(&client);
	tls_service_free(&service);
}

static const struct unit_test tests[] = {
	{"certificates that cannot be shown are refused where they are named",
         certificates_that_cannot_be_shown_are_refused_where_they_are_named},
	{"the certificate is told and warned about", the_certificate_is_told_and_warned_about},
	{"our client and our server speak with each other",
         our_client_and_our_server_speak_with_each_other},
	{"our client resumes with our server", our_client_resumes_with_our_server},
};

int main(void)
{
	int code = unit_run("tls/client", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
