#include "proxy/crl_fetch_source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "peer/trust.h"
#include "proxy/snapshot.h"

static int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- what came --- */

static bool names(const struct service *service, const char *url)
{
	const struct config_texts *urls = &service->config->client.crl_fetch.urls;
	for (size_t i = 0; i < urls->count; i++) {
		if (strcmp(urls->items[i].text, url) == 0) {
			return true;
		}
	}
	return false;
}

/* By the CAs of all services that name the URL: one that they know is enough. */
static enum crl_signer find_signer(void *context, const struct crl *crl)
{
	const struct source *source = context;
	enum crl_signer found = CRL_SIGNER_UNKNOWN;
	for (size_t i = 0; i < snapshot_service_count(source->whose); i++) {
		const struct service *service = snapshot_service(source->whose, i);
		if (!names(service, source->url)) {
			continue;
		}
		enum crl_signer signer = trust_crl_signer(service->trust, crl);
		if (signer == CRL_SIGNER_TRUE) {
			return signer;
		}
		found = signer == CRL_SIGNER_FALSE ? signer : found;
	}
	return found;
}

/* Whoever is on the way of plain HTTP can make up a CRL of an intermediate that only clients send, as its signature can be checked by nobody here, and
 * should not be able to take the good one away. Where every service is `hard` a forged one clears nobody. */
static bool may_be_unknown(const struct source *source)
{
	if (strncasecmp(source->url, "https:", 6) == 0) {
		return true;
	}
	for (size_t i = 0; i < snapshot_service_count(source->whose); i++) {
		const struct service *service = snapshot_service(source->whose, i);
		if (names(service, source->url) &&
		    service->config->client.revocation != REVOCATION_HARD) {
			return false;
		}
	}
	return true;
}

static void look(struct source *source)
{
	if (!source->looked) {
		source->looked = true;
		crl_file_look((const char *)source->path.data, &source->facts);
	}
}

/* Was what came with a 200 modified long enough ago to be asked for by that date? */
static bool is_settled(const struct source *source)
{
	int64_t modified_s = source->fetch.last_modified_s;
	if (modified_s == 0) {
		modified_s = source->facts.this_update_s;
	}
	return source->error[0] == '\0' && modified_s < now_s() - CRL_FETCH_SETTLED_S;
}

void source_evaluate(struct source *source)
{
	const struct fetch *fetch = &source->fetch;
	source->changed = false;
	source->error[0] = '\0';
	if (fetch->err != E_OK) {
		snprintf(source->error, sizeof(source->error), "%s", fetch->error);
	} else if (fetch->status == 200) {
		const struct crl_checks checks = {
			.signer = find_signer,
			.context = source,
			.unknown_replaces = may_be_unknown(source),
		};
		crl_file_take((const char *)source->path.data, fetch->body, fetch->last_modified_s,
		              now_s(), &checks, &source->facts, &source->changed, source->error);
		source->looked = true;
		source->settled = is_settled(source);
	} else if (fetch->status != 304 || fetch->if_modified_since_s == 0) {
		snprintf(source->error, sizeof(source->error),
		         "the server answered with status %ld", fetch->status);
	}
	look(source);
	if (source->error[0] != '\0') {
		return;
	}
	if (source->facts.count == 0) {
		snprintf(source->error, sizeof(source->error),
		         "nothing new came, and what is there cannot be read");
	} else if (source->facts.next_update_s != 0 && source->facts.next_update_s <= now_s()) {
		snprintf(source->error, sizeof(source->error),
		         "what the server has is past its nextUpdate");
	}
}

/* --- what the operator is told --- */

/* To the second, as a CRL says it. */
static const char *print_time(char out[static CLOCK_TEXT_LEN + 1], int64_t seconds)
{
	clock_format(out, seconds * 1000000);
	memcpy(out + strlen("2026-11-21T08:30:00"), "Z", sizeof("Z"));
	return out;
}

void source_complain(struct source *source)
{
	char sentence[CRL_FETCH_SENTENCE_LEN], made[CLOCK_TEXT_LEN + 1], ended[CLOCK_TEXT_LEN + 1];
	const struct crl_facts *facts = &source->facts;
	bool stale =
		facts->count > 0 && facts->next_update_s != 0 && facts->next_update_s <= now_s();
	const char *refuses =
		source->hard ? ", and revocation: hard refuses whoever needs a current one" : "";
	if (facts->count == 0) {
		snprintf(sentence, sizeof(sentence), "%s; there is none%s", source->error, refuses);
	} else if (stale) {
		snprintf(sentence, sizeof(sentence),
		         "%s; the one of %s stays in use, but ended on %s%s", source->error,
		         print_time(made, facts->this_update_s),
		         print_time(ended, facts->next_update_s), refuses);
	} else {
		snprintf(sentence, sizeof(sentence), "%s; the one of %s stays in use",
		         source->error, print_time(made, facts->this_update_s));
	}
	if (strcmp(sentence, source->told) == 0) {
		return;
	}
	memcpy(source->told, sentence, sizeof(sentence));
	log_write(source->hard && (stale || facts->count == 0) ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	          "cannot fetch CRL %s: %s", source->url, sentence);
}

void source_tell_well(struct source *source)
{
	if (source->told_well && source->told[0] == '\0') {
		return;
	}
	char made[CLOCK_TEXT_LEN + 1], ends[CLOCK_TEXT_LEN + 1] = "further notice";
	const struct crl_facts *facts = &source->facts;
	if (facts->next_update_s != 0) {
		print_time(ends, facts->next_update_s);
	}
	log_info("CRL %s is up to date%s: of %s, until %s, %zu certificates revoked", source->url,
	         source->told[0] == '\0' ? "" : " again", print_time(made, facts->this_update_s),
	         ends, facts->entries);
	source->told_well = true;
	source->told[0] = '\0';
}
