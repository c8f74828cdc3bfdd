#include "peer/classes.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "unit.h"

static void every_class_has_a_whole_row(void)
{
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		const struct peer_class_row *row = peer_class_row((enum peer_class)i);
		CU_ASSERT_PTR_NOT_NULL(row->name);
		if (row->name == NULL) {
			continue;
		}
		CU_ASSERT(strlen(row->name) > 0 &&
		          strspn(row->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(row->name));
		CU_ASSERT(row->severity <= 10);
		CU_ASSERT(row->alert <= 255);
		CU_ASSERT(strlen(row->sentence) > 0);
		CU_ASSERT_EQUAL(peer_class_by_name(row->name), i);
		/* Only what was found out about a certificate can be forgiven. */
		CU_ASSERT(!row->tolerable || i < CLASS_NO_CERTIFICATE);
		/* One code names one class, so that back ends can compare numbers. */
		for (unsigned k = 0; k < i; k++) {
			CU_ASSERT_NOT_EQUAL(peer_class_row((enum peer_class)k)->code_leaf,
			                    row->code_leaf);
		}
	}
	CU_ASSERT_EQUAL(peer_class_by_name("nothing"), CLASS_COUNT);
	CU_ASSERT_EQUAL(peer_class_by_name(""), CLASS_COUNT);
}

static void no_sentence_about_a_back_end_speaks_of_a_client(void)
{
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		const struct peer_class_row *row = peer_class_row((enum peer_class)i);
		const char *server = peer_class_sentence((enum peer_class)i, true);
		CU_ASSERT_STRING_EQUAL(peer_class_sentence((enum peer_class)i, false),
		                       row->sentence);
		CU_ASSERT_PTR_NULL(strstr(server, "client"));
		CU_ASSERT_PTR_NULL(strstr(row->sentence, "back end"));
		/* The same start in both, so that events can name an issuer instead of the peer. */
		CU_ASSERT_EQUAL(strncmp(row->sentence, "the client certificate", 22) == 0,
		                strncmp(server, "the back end certificate", 24) == 0);
	}
}

static void precedence_is_the_documented_one(void)
{
	static const char *const order[] = {
		"malformed_certificate",
		"unsupported_key",
		"possession_failed",
		"bad_signature",
		"self_signed",
		"unknown_issuer",
		"issuer_not_ca",
		"path_length_exceeded",
		"chain_too_long",
		"unknown_critical_extension",
		"name_not_permitted",
		"wrong_name",
		"issuer_not_allowed",
		"denylisted",
		"revoked",
		"not_allowlisted",
		"wrong_purpose",
		"weak_algorithm",
		"not_yet_valid",
		"expired",
		"revocation_unknown",
		"identity_malformed",
		"no_certificate",
		"not_requested",
		"not_checked",
		"ok",
	};
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		CU_ASSERT_STRING_EQUAL(peer_class_row((enum peer_class)i)->name, order[i]);
	}
}

static void the_documentation_is_the_table(void)
{
	struct buf file;
	struct buf written;
	buf_init(&file, 1U << 20);
	buf_init(&written, 1U << 20);
	CU_ASSERT_EQUAL(file_load(&file, SOURCE_DIR "/docs/classes.md", 1U << 20), E_OK);
	peer_classes_write(&written);
	CU_ASSERT_EQUAL(written.err, E_OK);
	CU_ASSERT(slice_equal(buf_slice(&file), buf_slice(&written)));
	buf_release(&file);
	buf_release(&written);
}

static const struct unit_test tests[] = {
	{"every class has a whole row", every_class_has_a_whole_row},
	{"no sentence about a back end speaks of a client",
         no_sentence_about_a_back_end_speaks_of_a_client},
	{"precedence is the documented one", precedence_is_the_documented_one},
	{"the documentation is the table", the_documentation_is_the_table},
};
UNIT_MAIN("peer/classes", tests)
