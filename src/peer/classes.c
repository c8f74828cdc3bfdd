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

void peer_classes_write(struct buf *out)
{
	buf_append_text(
		out,
		"# Verification classes\n\n"
		"Every handshake has exactly one primary class (`tlscribe.class`): the first of "
		"this "
		"table among what was found.\n"
		"All findings are in `tlscribe.findings`, each with its depth (0 is the peer's own "
		"certificate). The peer is the client,\n"
		"or in an `egress` event the back end.\n\n"
		"*Code* is `event.code`: OpenSSL's `X509_V_ERR_` number where one fits, else from "
		"1001 "
		"on; where two are given,\n"
		"the second is for a certificate above the peer's. `unknown_issuer` has code 19 "
		"when "
		"the chain ends in a root\n"
		"that is not trusted. *Alert* is the TLS alert that a refused peer gets (116 "
		"exists in "
		"TLS 1.3 only, 40 in 1.2).\n"
		"*Severity* is `event.severity`, 0 to 10. `tolerate` can name the classes that are "
		"*tolerable*; for back ends nothing is tolerated.\n\n"
		"| class | code | alert | severity | tolerable | of a client | of a server, where "
		"it "
		"differs |\n"
		"|---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		const struct peer_class_row *row = &rows[i];
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
		buf_printf(out, " | %u | %s | %s | %s |\n", row->severity,
		           row->tolerable ? "yes" : "no", row->sentence,
		           row->server_sentence == NULL ? "" : row->server_sentence);
	}
}
