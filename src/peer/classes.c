#include "peer/classes.h"

#include <string.h>

#include "base/bug.h"

static const struct peer_class_row rows[CLASS_COUNT] = {
#define CLASS(symbol, name, code_leaf, code_issuer, alert, severity, tolerable, sentence, \
              server_sentence) \
	[CLASS_##symbol] = {name,     code_leaf, code_issuer, alert, \
	                    severity, tolerable, sentence,    server_sentence},
#include "peer/classes.def"
#undef CLASS
};

const struct peer_class_row *peer_class_row(enum peer_class class)
{
	BUG_IF((unsigned)class >= CLASS_COUNT);
	return &rows[class];
}

const char *peer_class_sentence(enum peer_class class, bool server)
{
	const struct peer_class_row *row = peer_class_row(class);
	return server && row->server_sentence != NULL ? row->server_sentence : row->sentence;
}

enum peer_class peer_class_by_name(const char *name)
{
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			return (enum peer_class)i;
		}
	}
	return CLASS_COUNT;
}

static const struct openssl_row {
	const char *name;
	unsigned number;
	enum peer_class class;
	unsigned code;
	bool part;
} openssl_rows[] = {
#define X509_V_ERR(name, number, class, code) {#name, number, CLASS_##class, code, false},
#define X509_V_PART(name, number, class) {#name, number, CLASS_##class, 0, true},
#include "peer/x509_v_err.def"
#undef X509_V_ERR
#undef X509_V_PART
};

static const char head[] =
	"# Verification classes\n\n"
	"<!-- Generated from src/peer/classes.def and src/peer/x509_v_err.def. -->\n\n"
	"Every handshake has exactly one primary class (`tlscribe.class`): the first of this table "
	"among what was found.\n"
	"All findings are in `tlscribe.findings`, each with its depth (0 is the peer's own "
	"certificate). The peer is the client,\n"
	"or in an `egress` event the back end.\n\n"
	"*Code* is `event.code`: OpenSSL's `X509_V_ERR_` number where one fits, else from 1001 on; "
	"more of it below.\n"
	"*Alert* is the TLS alert that a refused peer gets (116 exists in TLS 1.3 only, 40 in "
	"1.2), "
	"unless the service has\n"
	"`alert: generic`. *Severity* is `event.severity`, 0 to 10. `tolerate` can name the "
	"classes "
	"that are *tolerable*, and\n"
	"`tolerate: all` is all of them; for back ends nothing is tolerated.\n\n"
	"| class | code | alert | severity | tolerable | of a client | of a server, where it "
	"differs |\n"
	"|---|---|---|---|---|---|---|\n";

/* What OpenSSL 3.0 does is told from crypto/x509/x509_vfy.c: build_chain(), check_extensions(), internal_verify(). */
static const char codes[] =
	"\n## Codes\n\n"
	"A code is by class, and by depth where that makes a difference:\n\n"
	"- `self_signed` is depth 0 alone, with code 18. Above it, an own signature is that of a "
	"root: `unknown_issuer`.\n"
	"- `unknown_issuer` is 19 when the chain ends in a root that is not trusted here (so never "
	"at depth 0), and 20 when no\n"
	"  certificate of the issuer is at hand, at whatever depth. OpenSSL has 2 for a trusted CA "
	"whose own issuer is missing:\n"
	"  here every CA of `ca` is a trust anchor by itself, so that is no fault. Its 21 only "
	"ever "
	"follows a 20.\n"
	"- `issuer_not_ca` is 79, of one without keyCertSign as well: OpenSSL says 79 first there "
	"and 32 after it. The depth is\n"
	"  that of the issuer.\n"
	"- `unsupported_key` is 6 and of depth 0; an issuer with such a key can sign nothing that "
	"could be verified, so that what it\n"
	"  signed is `unknown_issuer`.\n"
	"- `name_not_permitted` is 47 for excluded names too, `weak_algorithm` 1006 for keys and "
	"signatures at every depth: a\n"
	"  certificate may have both faults, and is one finding.\n"
	"- `revocation_unknown` is 3 when there is no CRL of the issuer, or OCSP gave no answer; "
	"of "
	"the CRLs that there are, 8 when\n"
	"  the signature does not hold, 11 before thisUpdate, 12 after nextUpdate, 35 when the "
	"issuer may not sign CRLs, 44 when\n"
	"  they are for other certificates. `revoked` is 23, by CRL or by OCSP. The depth is that "
	"of the certificate asked about.\n"
	"- `chain_too_long` has the depth of the first intermediate too many; "
	"`issuer_not_allowed`, "
	"`not_allowlisted` and\n"
	"  `identity_malformed` are of depth 0.\n"
	"- All others have one code, and the depth of the certificate that has the fault.\n\n"
	"What OpenSSL's names and numbers stand for, in `tolerate` and for back ends that compare "
	"`X509_V_ERR_` numbers. One that\n"
	"says less than its class is refused in `tolerate`, since more would be forgiven than was "
	"named; numbers that are not here\n"
	"have no class.\n\n"
	"| number | X509_V_ERR_ | class | in `tolerate` |\n"
	"|---|---|---|---|\n";

static void write_class(struct buf *out, const struct peer_class_row *row)
{
	buf_printf(out, "| `%s` | %u", row->name, row->code_leaf);
	if (row->code_issuer != row->code_leaf) {
		buf_printf(out, ", %u", row->code_issuer);
	}
	buf_append_text(out, " | ");
	if (row->alert != 0) {
		buf_append_u64(out, row->alert);
	} else {
		buf_append_text(out, "none");
	}
	buf_printf(out, " | %u | %s | %s | %s |\n", row->severity, row->tolerable ? "yes" : "no",
	           row->sentence, row->server_sentence == NULL ? "" : row->server_sentence);
}

static void write_openssl(struct buf *out, const struct openssl_row *row)
{
	const struct peer_class_row *class = &rows[row->class];
	buf_printf(out, "| %u | `%s` | `%s` | ", row->number, row->name, class->name);
	if (!class->tolerable) {
		buf_append_text(out, "never |\n");
	} else if (row->part) {
		buf_append_text(out, "refused: less than the class |\n");
	} else if (row->code != 0) {
		buf_printf(out, "code %u alone |\n", row->code);
	} else {
		buf_append_text(out, "the class |\n");
	}
}

void peer_classes_write(struct buf *out)
{
	buf_append_text(out, head);
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		write_class(out, &rows[i]);
	}
	buf_append_text(out, codes);
	for (size_t i = 0; i < sizeof(openssl_rows) / sizeof(openssl_rows[0]); i++) {
		write_openssl(out, &openssl_rows[i]);
	}
}
