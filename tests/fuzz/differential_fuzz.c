/* Nobody is let in whom GnuTLS or OpenSSL keeps out, but for the reasons in differential_accepted.c. */
#include <stdio.h>

#include "chain_check.h"
#include "differential.h"
#include "peer/classify.h"
#include "x509_mutate.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return chain_mutate(data, size, max_size, seed);
}

/* With anchors and no more than they: what lists, issuers and limits add can only make it stricter. */
static bool is_comparable(enum fuzz_trust_name name)
{
	return name == FUZZ_TRUST_MEDIUM || name == FUZZ_TRUST_HIGH ||
	       name == FUZZ_TRUST_LEGACY_ANY || name == FUZZ_TRUST_PARTIAL;
}

/* True: they all agree, or may disagree. */
static bool compare(const struct fuzz_trust *trust, const struct chain *chain,
                    const struct verdict *verdict)
{
	bool disagreed = false;
	struct slice anchors[16];
	size_t count = trust_anchor_count(trust->trust);
	BUG_IF(count > 16);
	for (size_t i = 0; i < count; i++) {
		anchors[i] = trust_anchor_at(trust->trust, i)->der;
	}
	const struct differential_question question = {
		.chain = chain,
		.verdict = verdict,
		.anchors = anchors,
		.anchor_count = count,
		.profile = trust->profile,
		.any_purpose = trust->any_purpose,
		.max_depth = trust->max_depth,
		.now_s = FUZZ_NOW,
	};
	for (int i = 0; i < DIFFERENTIAL_COUNT; i++) {
		enum differential_library library = (enum differential_library)i;
		struct differential_answer answer;
		differential_ask(&answer, library, &question);
		if (answer.agrees || differential_accepted(library, &question, &answer) != NULL) {
			continue;
		}
		fprintf(stderr, "trust %s: we say ok, %s says %d at depth %d: %s\n", trust->name,
		        differential_name(library), answer.code, answer.depth, answer.text);
		disagreed = true;
	}
	return !disagreed;
}

/* DIFFERENTIAL_KEEP: a folder that inputs they disagree about go to, all of them; else the first one ends the program. */
static void disagree(const uint8_t *data, size_t size)
{
	const char *folder = getenv("DIFFERENTIAL_KEEP");
	if (folder == NULL) {
		abort();
	}
	char path[4096];
	snprintf(path, sizeof(path), "%s/%08x", folder, fuzz_seed(data, size));
	FILE *file = fopen(path, "wb");
	BUG_IF(file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuzz_trust *trusts = fuzz_trusts();
	struct chain_input in;
	chain_input_read(&in, data, size);
	struct chain *chain = chain_check_new(&in, data, size);
	bool agreed = true;
	for (int i = 0; chain != NULL && i < FUZZ_TRUST_COUNT; i++) {
		struct verdict *verdict;
		if (!is_comparable((enum fuzz_trust_name)i)) {
			continue;
		}
		BUG_IF(peer_judge(&verdict, trusts[i].trust, NULL, chain, FUZZ_NOW) != E_OK);
		if (verdict->class == CLASS_OK) {
			agreed = compare(&trusts[i], chain, verdict) && agreed;
		}
		verdict_unref(&verdict);
	}
	chain_unref(&chain);
	if (!agreed) {
		disagree(data, size);
	}
	return 0;
}
