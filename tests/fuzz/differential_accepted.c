/* What we take and others refuse, on purpose: README.md has the same list with its reasons. Each is looked for in the certificates
 * themselves, so that it excuses nothing else. */
#include <gnutls/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "der_tree.h"
#include "differential.h"
#include "fuzz.h"
#include "peer/cert.h"
#include "peer/der.h"

#define OBJECT_BYTES_MAX (1 << 20)

static X509 *read_x509(struct slice der)
{
	const unsigned char *p = der.data;
	return d2i_X509(NULL, &p, (long)der.len);
}

/* --- rewriting --- */

/* The fields of TBSCertificate (RFC 5280 4.1), not counting a version that may be left out. */
enum { FIELD_ISSUER = 2, FIELD_SUBJECT = 4 };

static unsigned tbs_of(const struct der_tree *tree)
{
	unsigned whole = der_tree_child(tree, 0, 0);
	return whole == 0 ? 0 : der_tree_child(tree, whole, 0);
}

static unsigned field(const struct der_tree *tree, size_t n)
{
	unsigned tbs = tbs_of(tree);
	unsigned first = tbs == 0 ? 0 : der_tree_child(tree, tbs, 0);
	bool versioned = first != 0 && tree->nodes[first].tag == (DER_CONTEXT_CONSTRUCTED | 0);
	return tbs == 0 ? 0 : der_tree_child(tree, tbs, versioned ? n + 1 : n);
}

/* Extensions that we read (extensions.c), and the rest of a certificate's that is not for us to judge. */
static bool is_read(struct slice oid)
{
	static const uint8_t last[] = {0x0e, 0x0f, 0x11, 0x13, 0x1e, 0x20, 0x23, 0x25};
	if (slice_equal(oid, SLICE("\x2b\x06\x01\x05\x05\x07\x01\x01"))) {
		return true;
	}
	return oid.len == 3 && memcmp(oid.data, "\x55\x1d", 2) == 0 &&
	       memchr(last, oid.data[2], sizeof(last)) != NULL;
}

/* Name constraints bind those below, and below a leaf there is nobody: then they are not looked into either. */
static void drop_unread(struct der_tree *tree, bool leaf)
{
	unsigned tbs = tbs_of(tree);
	unsigned list = 0;
	for (unsigned i = der_tree_child(tree, tbs, 0); i != 0; i = tree->nodes[i].next) {
		if (tree->nodes[i].tag == (DER_CONTEXT_CONSTRUCTED | 3)) {
			list = der_tree_child(tree, i, 0);
		}
	}
	unsigned *link = &tree->nodes[list].child;
	while (list != 0 && tree->nodes[list].parent && *link != 0) {
		unsigned oid = der_tree_child(tree, *link, 0);
		struct slice which = tree->nodes[oid].content;
		if (is_read(which) && !(leaf && slice_equal(which, SLICE("\x55\x1d\x1e")))) {
			link = &tree->nodes[*link].next;
		} else {
			*link = tree->nodes[*link].next;
		}
	}
}

/* The certificate with empty names, or without the extensions that we do not read; its signature is wrong then. NULL: OpenSSL
 * cannot read it even so. */
enum rewriting { WITHOUT_NAMES, WITHOUT_UNREAD, WITHOUT_UNREAD_OF_LEAF };

static X509 *rewritten(struct slice der, enum rewriting how)
{
	static struct der_tree tree;
	struct buf out;
	buf_init(&out, OBJECT_BYTES_MAX);
	der_tree_init(&tree, der);
	unsigned issuer = field(&tree, FIELD_ISSUER);
	unsigned subject = field(&tree, FIELD_SUBJECT);
	if (how == WITHOUT_NAMES && issuer != 0 && subject != 0) {
		der_tree_set(&tree, issuer, (struct slice){0});
		der_tree_set(&tree, subject, (struct slice){0});
	} else if (how != WITHOUT_NAMES) {
		drop_unread(&tree, how == WITHOUT_UNREAD_OF_LEAF);
	}
	der_tree_write_all(&tree, &out);
	X509 *x = read_x509(buf_slice(&out));
	der_tree_release(&tree);
	buf_release(&out);
	return x;
}

/* --- what there can be --- */

struct path {
	struct slice der[VERDICT_PATH_MAX];
	size_t count;
	const struct cert *certs; /* the same, as we read them */
	const struct differential_question *question;
};

/* OpenSSL reads the values of names; to us they are bytes that are compared, and shown escaped. */
static bool has_unreadable_names(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i < path->count; i++) {
		X509 *x = read_x509(path->der[i]);
		X509 *without = x == NULL ? rewritten(path->der[i], WITHOUT_NAMES) : NULL;
		found = found || x == NULL;
		bool excused = x != NULL || without != NULL;
		X509_free(without);
		X509_free(x);
		if (!excused) {
			return false;
		}
	}
	return found;
}

/* One that is not critical, whose content nobody here looks at: what OpenSSL cannot read of it is no fault to us. */
static bool has_unread_extension(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i < path->count; i++) {
		X509 *x = read_x509(path->der[i]);
		X509 *without =
			rewritten(path->der[i], i == 0 ? WITHOUT_UNREAD_OF_LEAF : WITHOUT_UNREAD);
		bool invalid = x != NULL && (X509_get_extension_flags(x) & EXFLAG_INVALID) != 0;
		bool excused = without != NULL &&
		               (X509_get_extension_flags(without) & EXFLAG_INVALID) == 0;
		found = found || (invalid && excused);
		X509_free(without);
		X509_free(x);
	}
	return found;
}

/* RFC 5280 4.2.1.1: an aid for building paths. The signature says who issued. */
static bool has_other_key_id(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i + 1 < path->count && !found; i++) {
		struct slice wanted = path->certs[i].x509->authority_key_id;
		struct slice have = path->certs[i + 1].x509->subject_key_id;
		if (wanted.len > 0 && have.len > 0 && !slice_equal(wanted, have)) {
			return true;
		}
		/* By issuer and serial number */
		X509 *x = read_x509(path->der[i]);
		X509 *issuer = read_x509(path->der[i + 1]);
		AUTHORITY_KEYID *id =
			x == NULL ? NULL
				  : X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
		if (id != NULL && issuer != NULL) {
			/* Reads the issuer's identifier, which the other call takes for granted. */
			(void)X509_get_extension_flags(issuer);
			found = X509_check_akid(issuer, id) != X509_V_OK;
		}
		AUTHORITY_KEYID_free(id);
		X509_free(issuer);
		X509_free(x);
	}
	return found;
}

/* Both take the common name for a host name where there is no dNSName, as RFC 6125 had servers do. A client's common name is
 * none; RFC 5280 4.2.1.10 does not speak of it. */
static bool has_common_name_alone(const struct path *path)
{
	const struct cert *leaf = &path->question->chain->certs[0];
	bool named = false;
	bool constrained = false;
	for (size_t i = 0; i < leaf->san_count; i++) {
		named = named || leaf->sans[i].type == SAN_DNS;
	}
	for (size_t i = 1; i < path->count; i++) {
		X509 *x = read_x509(path->der[i]);
		constrained = constrained ||
		              (x != NULL && X509_get_ext_by_NID(x, NID_name_constraints, -1) >= 0);
		X509_free(x);
	}
	for (size_t i = 0; i < leaf->subject.value_count && !named && constrained; i++) {
		if (leaf->subject.values[i].attribute == DN_COMMON_NAME) {
			return true;
		}
	}
	return false;
}

/* RFC 5280 6.1: who has the anchor's name and is signed by its key is issued as others are. OpenSSL takes whoever names himself as his
 * issuer for signed by himself. */
static bool is_self_issued(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i + 1 < path->count; i++) {
		found = found || path->certs[i].x509->self_issued;
	}
	return found;
}

/* RFC 5280 7.1: by letters of either case, and whatever the kind of string. GnuTLS compares bytes. */
static bool is_named_otherwise(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i + 1 < path->count; i++) {
		found = found ||
		        !slice_equal(path->certs[i].x509->issuer, path->certs[i + 1].x509->subject);
	}
	return found;
}

/* RFC 5280 4.1.2.5: through notAfter, inclusive. */
static bool is_last_second(const struct path *path)
{
	bool found = false;
	for (size_t i = 0; i < path->count && !found; i++) {
		X509 *x = read_x509(path->der[i]);
		time_t now = (time_t)path->question->now_s;
		time_t before = now - 1;
		found = x != NULL && X509_cmp_time(X509_get0_notAfter(x), &now) < 0 &&
		        X509_cmp_time(X509_get0_notAfter(x), &before) > 0;
		X509_free(x);
	}
	return found;
}

/* --- the list --- */

static const struct {
	enum differential_library library;
	int code; /* ANY: whatever the code */
	bool (*is)(const struct path *path);
	const char *reason;
} accepted[] = {
#define ANY 0
	{DIFFERENTIAL_OPENSSL, DIFFERENTIAL_UNREADABLE, has_unreadable_names,
         "values of names are bytes to us"},
	{DIFFERENTIAL_OPENSSL, ANY, has_unread_extension,
         "the content of extensions that are not read"},
	{DIFFERENTIAL_OPENSSL, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, has_other_key_id,
         "key identifiers are hints"},
	{DIFFERENTIAL_GNUTLS, GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND, has_other_key_id,
         "key identifiers are hints"},
	{DIFFERENTIAL_OPENSSL, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, is_self_issued,
         "self-issued is not self-signed"},
	{DIFFERENTIAL_OPENSSL, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, is_self_issued,
         "self-issued is not self-signed"},
	{DIFFERENTIAL_OPENSSL, X509_V_ERR_CERT_HAS_EXPIRED, is_last_second,
         "notAfter is the last second, inclusive"},
	{DIFFERENTIAL_GNUTLS, GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND,
         is_named_otherwise, "names are compared as RFC 5280 7.1 says"},
	{DIFFERENTIAL_OPENSSL, X509_V_ERR_PERMITTED_VIOLATION, has_common_name_alone,
         "a client's common name is no host name"},
	{DIFFERENTIAL_GNUTLS, GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE,
         has_common_name_alone, "a client's common name is no host name"},
};

const char *differential_accepted(enum differential_library library,
                                  const struct differential_question *question,
                                  const struct differential_answer *answer)
{
	struct path path = {.question = question};
	const char *reason = NULL;
	struct chain *chain;
	path.count = differential_path(path.der, question);
	BUG_IF(chain_new(&chain, path.der, path.count) != E_OK || chain_parse(chain) != E_OK);
	path.certs = chain->certs;
	for (size_t i = 0; reason == NULL && i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		if (accepted[i].library == library &&
		    (accepted[i].code == ANY || accepted[i].code == answer->code) &&
		    accepted[i].is(&path)) {
			reason = accepted[i].reason;
		}
	}
	chain_unref(&chain);
	return reason;
}
