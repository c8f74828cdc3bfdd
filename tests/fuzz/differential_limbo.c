/* The cases of x509-limbo (tests/data/limbo) to which we say `ok`, asked of GnuTLS and OpenSSL. Both know what we say ok to by design of the
 * case; where one refuses, the case is on the list below, with the reason, or the program fails. */
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "differential.h"
#include "fuzz.h"
#include "peer/classify.h"
#include "peer/crl_store.h"

/* 2026-11-21, for cases that ask for the present: that of limbo_test.c */
#define NOW_S 1795219200
#define CERTS_MAX 1024
#define MAX_DEPTH 4

static const struct {
	const char *id;
	enum differential_library library;
	const char *reason;
} accepted[] = {
	{"pathlen::self-issued-certs-pathlen", DIFFERENTIAL_GNUTLS,
         "RFC 5280 4.2.1.9: self-issued certificates do not count in path lengths"},
	{"rfc5280::nc::nc-forbids-othername-noop", DIFFERENTIAL_GNUTLS,
         "RFC 5280 4.2.1.10: a form that no name below is of constrains nobody"},
};

static const char *reason_for(const char *id, enum differential_library library)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		if (accepted[i].library == library && strcmp(accepted[i].id, id) == 0) {
			return accepted[i].reason;
		}
	}
	return NULL;
}

struct certs {
	struct slice der[CERTS_MAX];
	size_t count;
};

static void push_pem(struct certs *certs, const json_t *pem)
{
	const char *text = json_string_value(pem);
	gnutls_datum_t in = {(unsigned char *)text, (unsigned)strlen(text)};
	gnutls_datum_t out;
	BUG_IF(certs->count == CERTS_MAX);
	BUG_IF(gnutls_pem_base64_decode2("CERTIFICATE", &in, &out) < 0);
	certs->der[certs->count++] = slice_of(out.data, out.size);
}

static void push_all(struct certs *certs, const json_t *blocks)
{
	size_t i;
	json_t *pem;
	json_array_foreach(blocks, i, pem)
	{
		push_pem(certs, pem);
	}
}

static void release(struct certs *certs)
{
	while (certs->count > 0) {
		gnutls_free((void *)certs->der[--certs->count].data);
	}
}

/* PEM blocks in a file, as an operator would give them; `path` ends in XXXXXX. */
static void write_pem(char *path, const json_t *blocks)
{
	int fd = mkstemp(path);
	size_t i;
	json_t *pem;
	BUG_IF(fd == -1);
	json_array_foreach(blocks, i, pem)
	{
		dprintf(fd, "%s\n", json_string_value(pem));
	}
	close(fd);
}

/* NULL: refused, as a start with these files would be. */
static struct verdict *judge(const json_t *test, struct chain *chain,
                             struct differential_question *question)
{
	char ca_path[] = "/tmp/tlscribe-limbo-XXXXXX";
	char crl_path[] = "/tmp/tlscribe-limbo-XXXXXX";
	struct config_text ca = {.text = ca_path};
	struct config_text crl = {.text = crl_path};
	const json_t *crls = json_object_get(test, "crls");
	bool with_crls = json_array_size(crls) > 0;
	struct config_client client = {
		.ca = {&ca, 1, {0}},
		.crl = {&crl, with_crls ? 1 : 0, {0}},
		.revocation = with_crls ? REVOCATION_HARD : REVOCATION_OFF,
		.revocation_scope = REVOCATION_PATH,
		.purpose = {.text = (char *)"clientAuth"},
		.profile = question->profile,
		.max_depth = question->max_depth,
	};
	const struct config_limits limits = {.signature_checks = 32, .name_comparisons = 65536};
	struct trust *trust = NULL;
	struct lists *lists = NULL;
	struct verdict *verdict = NULL;
	struct crl_store *store;
	struct diag diag;
	diag_init(&diag);
	write_pem(ca_path, json_object_get(test, "trusted_certs"));
	write_pem(crl_path, crls);
	BUG_IF(crl_store_new(&store) != E_OK);
	if (trust_new(&trust, &client, &limits, NULL, &diag) == E_OK &&
	    lists_new(&lists, trust, &client, NULL, store, NULL, &diag) == E_OK) {
		BUG_IF(peer_judge(&verdict, trust, lists, chain, question->now_s) != E_OK);
	}
	lists_unref(&lists);
	trust_free(&trust);
	crl_store_free(&store);
	diag_release(&diag);
	unlink(ca_path);
	unlink(crl_path);
	return verdict;
}

static int64_t case_time(const json_t *test)
{
	const char *text = json_string_value(json_object_get(test, "validation_time"));
	struct tm tm = {0};
	if (text == NULL) {
		return NOW_S;
	}
	BUG_IF(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL);
	return (int64_t)timegm(&tm);
}

struct tally {
	unsigned ok;
	unsigned agreed;
	unsigned excused;
	unsigned wrong; /* disagreements that are not on the list, and entries of it that are none */
};

static void ask_both(struct tally *tally, const char *id, const struct differential_question *q)
{
	for (int i = 0; i < DIFFERENTIAL_COUNT; i++) {
		enum differential_library library = (enum differential_library)i;
		struct differential_answer answer;
		differential_ask(&answer, library, q);
		const char *reason = reason_for(id, library);
		if (answer.agrees) {
			tally->agreed++;
			tally->wrong += reason != NULL ? 1 : 0;
			continue;
		}
		reason = reason != NULL ? reason : differential_accepted(library, q, &answer);
		tally->excused += reason != NULL ? 1 : 0;
		tally->wrong += reason == NULL ? 1 : 0;
		printf("%s: we say ok, %s says %d at depth %d: %s (%s)\n", id,
		       differential_name(library), answer.code, answer.depth, answer.text,
		       reason == NULL ? "NOT ON THE LIST" : reason);
	}
}

static void run(struct tally *tally, const json_t *test)
{
	static struct certs presented;
	static struct certs trusted;
	json_t *depth = json_object_get(test, "max_chain_depth");
	struct differential_question question = {
		.profile = PROFILE_MEDIUM,
		.max_depth =
			json_is_integer(depth) ? (unsigned)json_integer_value(depth) : MAX_DEPTH,
		.now_s = case_time(test),
	};
	push_pem(&presented, json_object_get(test, "peer_certificate"));
	push_all(&presented, json_object_get(test, "untrusted_intermediates"));
	push_all(&trusted, json_object_get(test, "trusted_certs"));
	struct chain *chain;
	BUG_IF(chain_new(&chain, presented.der, presented.count) != E_OK);
	struct verdict *verdict = judge(test, chain, &question);
	if (verdict != NULL && verdict->class == CLASS_OK) {
		question.chain = chain;
		question.verdict = verdict;
		question.anchors = trusted.der;
		question.anchor_count = trusted.count;
		tally->ok++;
		ask_both(tally, json_string_value(json_object_get(test, "id")), &question);
	}
	verdict_unref(&verdict);
	chain_unref(&chain);
	release(&presented);
	release(&trusted);
}

int main(void)
{
	json_error_t error;
	json_t *document = json_load_file(LIMBO, 0, &error);
	struct tally tally = {0};
	size_t i;
	json_t *test;
	BUG_IF(document == NULL);
	json_array_foreach(json_object_get(document, "testcases"), i, test)
	{
		run(&tally, test);
	}
	json_decref(document);
	printf("%u cases ok; of %u answers %u agree, %u are accepted, %u are wrong\n", tally.ok,
	       2 * tally.ok, tally.agreed, tally.excused, tally.wrong);
	return tally.wrong == 0 && tally.ok > 0 ? 0 : 1;
}
