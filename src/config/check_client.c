#include "config/check.h"

#include <string.h>

#include "base/clock.h"
#include "config/value.h"

static void check_tolerate(const struct config *config, const struct config_client *client,
                           struct diag *diag)
{
	const struct config_tolerate *tolerate = &client->tolerate;
	if (tolerate->mode == TOLERATE_NONE) {
		return;
	}
	if (config->zero_tolerance) {
		diag_error(diag, config->path, tolerate->at,
		           "tolerate is refused: the file says zero_tolerance: true");
		return;
	}
	if (client->verify_at.line != 0 && client->verify == VERIFY_NONE) {
		diag_warn(diag, config->path, tolerate->at,
		          "tolerate does nothing beside verify: none");
		return;
	}
	if (tolerate->mode == TOLERATE_ALL) {
		diag_warn(diag, config->path, tolerate->at,
		          "tolerate: all lets in whoever holds any certificate at all: "
		          "self-signed or of an unknown CA, expired, for another purpose, "
		          "with a weak key");
	}
	int64_t now_s = clock_wall_us() / 1000000;
	for (size_t i = 0; i < tolerate->count; i++) {
		const struct config_tolerate_item *item = &tolerate->items[i];
		/* 0: what was given is no date, which is an error already. */
		if (item->name.text != NULL && item->until_s > 0 && item->until_s <= now_s) {
			char date[VALUE_TEXT_MAX];
			diag_warn(diag, config->path, item->name.at,
			          "tolerate: %s has ended on %s, and is not tolerated any more",
			          item->name.text, value_print_date(date, item->until_s));
		}
	}
}

static bool has_closed_route(const struct config_service *service)
{
	for (size_t i = 0; i < service->route_count; i++) {
		if (service->routes[i].require == REQUIRE_VERIFIED) {
			return true;
		}
	}
	return false;
}

bool check_has_crls(const struct config_client *client)
{
	return client->crl.at.line != 0 || client->crl_fetch.at.line != 0;
}

/* An option that means nothing without a certificate of the client, or without a CA. */
struct part {
	const char *name;
	bool given; /* and says something: `issuers: []` does not */
	bool by_ca; /* needs a path to a CA */
	struct mark at;
};
enum { PARTS = 9 };

static void collect_parts(struct part out[static PARTS], const struct config_client *client)
{
	const struct part parts[PARTS] = {
		{"trust: pinned", client->trust == TRUST_PINNED, false, client->trust_at},
		{"ca", client->ca.at.line != 0, true, client->ca.at},
		{"issuers", client->issuers.count > 0, true, client->issuers.at},
		{"crl", client->crl.at.line != 0, true, client->crl.at},
		{"crl_fetch", client->crl_fetch.at.line != 0, true, client->crl_fetch.at},
		{"revocation",
	         client->revocation_at.line != 0 && client->revocation != REVOCATION_OFF, true,
	         client->revocation_at},
		{"ocsp", client->ocsp.mode != REVOCATION_OFF, true, client->ocsp.mode_at},
		{"allow", client->allow.count > 0, false, client->allow.at},
		{"deny", client->deny.count > 0, false, client->deny.at},
	};
	memcpy(out, parts, sizeof(parts));
}

/* Errors, no warnings: whoever writes one of them believes that clients are checked by it. */
static void refuse_parts(const struct config *config, const struct config_client *client,
                         bool by_ca_alone, const char *why, struct diag *diag)
{
	struct part parts[PARTS];
	collect_parts(parts, client);
	for (size_t i = 0; i < PARTS; i++) {
		if (parts[i].given && (parts[i].by_ca || !by_ca_alone)) {
			diag_error(diag, config->path, parts[i].at, "%s %s", parts[i].name, why);
		}
	}
}

static void check_pinned(const struct config *config, const struct config_client *client,
                         struct diag *diag)
{
	refuse_parts(config, client, true,
	             "beside trust: pinned: the allow lists alone say who is trusted", diag);
	if (client->allow.count == 0) {
		diag_error(diag, config->path, client->trust_at,
		           "trust: pinned needs allow, the lists of who is trusted");
	}
}

static void check_crls(const struct config *config, const struct config_client *client,
                       struct diag *diag)
{
	if (client->revocation_at.line == 0) {
		return;
	}
	if (client->revocation == REVOCATION_OFF && check_has_crls(client)) {
		diag_error(diag, config->path, client->revocation_at,
		           "revocation: off beside %s: nobody would look at it",
		           client->crl.at.line != 0 ? "crl" : "crl_fetch");
	} else if (client->revocation != REVOCATION_OFF && !check_has_crls(client)) {
		diag_error(diag, config->path, client->revocation_at,
		           "revocation: %s needs crl or crl_fetch: there is nothing to check by",
		           client->revocation == REVOCATION_SOFT ? "soft" : "hard");
	} else if (client->revocation == REVOCATION_SOFT) {
		diag_warn(diag, config->path, client->revocation_at,
		          "revocation: soft lets in revoked clients while no current CRL is to be "
		          "had");
	}
}

static void check_ocsp(const struct config *config, const struct config_client *client,
                       struct diag *diag)
{
	const struct config_ocsp *ocsp = &client->ocsp;
	bool has_responder = ocsp->responder.at.line != 0 || ocsp->aia.count > 0;
	struct mark responder_at = ocsp->responder.at.line != 0 ? ocsp->responder.at : ocsp->aia.at;
	if (ocsp->mode == REVOCATION_OFF) {
		/* Nothing else tells a mode that is wrong from one that was not given. */
		if (has_responder && diag->errors == 0) {
			diag_error(diag, config->path, responder_at,
			           "ocsp: %s beside mode: off: nobody would be asked",
			           ocsp->responder.at.line != 0 ? "responder" : "aia");
		}
		return;
	}
	/* Of URLs that are wrong none is left, which was said already. */
	if (!has_responder && (ocsp->aia.at.line == 0 || diag->errors == 0)) {
		diag_error(diag, config->path, ocsp->mode_at,
		           "ocsp: mode: %s needs responder or aia: there is nobody to ask",
		           ocsp->mode == REVOCATION_SOFT ? "soft" : "hard");
	} else if (ocsp->timeout_ms >= config->limits.handshake_time_ms &&
	           config->limits.handshake_time_ms != 0) {
		diag_error(diag, config->path, ocsp->mode_at,
		           "ocsp: timeout has to be less than limits.handshake_time: the handshake "
		           "would end first");
	} else if (ocsp->mode == REVOCATION_SOFT && client->revocation != REVOCATION_HARD) {
		diag_warn(diag, config->path, ocsp->mode_at,
		          "ocsp: mode: soft lets in revoked clients while no answer is to be had");
	}
	if (ocsp->responder.at.line != 0 && ocsp->aia.count > 0) {
		diag_warn(
			diag, config->path, ocsp->aia.at,
			"ocsp: aia does nothing beside responder, which is asked about everybody");
	}
}

static void check_passthrough(const struct config *config, const struct config_service *service,
                              struct diag *diag)
{
	const struct config_client *client = &service->client;
	if (config->zero_tolerance) {
		diag_error(diag, config->path, client->verify_at,
		           "verify: passthrough is refused: the file says zero_tolerance: true");
	} else if (!has_closed_route(service)) {
		diag_warn(
			diag, config->path, client->verify_at,
			"verify: passthrough, and nothing else denies: everybody gets in, with or "
			"without a certificate");
	}
}

void check_client(const struct config *config, const struct config_service *service,
                  struct diag *diag)
{
	const struct config_client *client = &service->client;
	check_tolerate(config, client, diag);
	if (client->verify_at.line == 0) {
		return;
	}
	if (client->verify == VERIFY_NONE) {
		refuse_parts(config, client, false,
		             "beside verify: none: nobody would be asked for a certificate", diag);
		return;
	}
	if (client->verify == VERIFY_PASSTHROUGH) {
		check_passthrough(config, service, diag);
	}
	if (client->trust == TRUST_PINNED) {
		check_pinned(config, client, diag);
		return;
	}
	if (client->ca.at.line == 0 && client->verify == VERIFY_PASSTHROUGH) {
		refuse_parts(config, client, true, "needs a ca: no path would lead to one", diag);
		return;
	}
	if (client->ca.at.line == 0) {
		diag_error(diag, config->path, client->verify_at,
		           "verify: %s needs a ca to verify with",
		           client->verify == VERIFY_OPTIONAL ? "optional" : "required");
	}
	check_crls(config, client, diag);
	check_ocsp(config, client, diag);
}
