/* What client and service have in common, read off the ClientHello. */
#include "tls/creds_private.h"

static bool list_has(struct slice list, uint16_t number)
{
	for (size_t i = 0; i + 1 < list.len; i += 2) {
		if ((list.data[i] << 8 | list.data[i + 1]) == number) {
			return true;
		}
	}
	return false;
}

static bool offers_version(const struct hello *hello, uint16_t version)
{
	for (size_t i = 0; i < hello->version_count; i++) {
		if (hello->versions[i] == version) {
			return true;
		}
	}
	return false;
}

static enum tls_version common_version(const struct tls_service *service, const struct hello *hello,
                                       const struct hello_offer *offer)
{
	if (!offer->has_versions) {
		/* RFC 8446 4.2.1: TLS 1.2 or prior, even if the legacy version says more */
		return service->tls12 && hello->versions[0] >= TLS_VERSION_1_2 ? TLS_VERSION_1_2
		                                                               : TLS_VERSION_NONE;
	}
	if (service->tls13 && offers_version(hello, TLS_VERSION_1_3)) {
		return TLS_VERSION_1_3;
	}
	return service->tls12 && offers_version(hello, TLS_VERSION_1_2) ? TLS_VERSION_1_2
	                                                                : TLS_VERSION_NONE;
}

/* IANA SignatureScheme values that a certificate of ours can make in this version (RFC 8446 4.2.3). */
static bool can_sign(const struct tls_certificate *certificate, struct slice offered,
                     enum tls_version version)
{
	static const uint16_t pss_rsae[] = {0x0804, 0x0805, 0x0806};
	static const uint16_t pss_pss[] = {0x0809, 0x080a, 0x080b};
	static const uint16_t pkcs1[] = {0x0401, 0x0501, 0x0601};
	static const uint16_t ecdsa[] = {0x0403, 0x0503, 0x0603};
	bool found = false;
	for (size_t i = 0; i < 3; i++) {
		switch (certificate->algorithm) {
		case GNUTLS_PK_RSA:
			found = found || list_has(offered, pss_rsae[i]) ||
			        (version == TLS_VERSION_1_2 && list_has(offered, pkcs1[i]));
			break;
		case GNUTLS_PK_RSA_PSS:
			found = found || list_has(offered, pss_pss[i]);
			break;
		case GNUTLS_PK_ECDSA:
			/* 1.3 ties the curve to the hash, 1.2 does not. */
			found = found || (list_has(offered, ecdsa[i]) &&
			                  (version == TLS_VERSION_1_2 ||
			                   certificate->bits == (unsigned[]){256, 384, 521}[i]));
			break;
		case GNUTLS_PK_EDDSA_ED25519:
			return list_has(offered, 0x0807);
		case GNUTLS_PK_EDDSA_ED448:
			return list_has(offered, 0x0808);
		default:
			return true;
		}
	}
	return found;
}

static bool common_signature(const struct tls_service *service, const struct hello_offer *offer,
                             enum tls_version version)
{
	if (offer->signatures.data ==
	    NULL) { /* absent: GnuTLS knows what each version makes of that */
		return true;
	}
	for (size_t i = 0; i < service->certificate_count; i++) {
		if (can_sign(&service->certificates[i], offer->signatures, version)) {
			return true;
		}
	}
	return false;
}

static bool has_key_for(const struct tls_service *service, const struct tls_suite *suite)
{
	for (size_t i = 0; i < service->certificate_count; i++) {
		gnutls_pk_algorithm_t algorithm = service->certificates[i].algorithm;
		bool rsa = algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS;
		if ((suite->rsa && rsa) || (suite->ecdsa && !rsa)) {
			return true;
		}
	}
	return false;
}

static bool common_suite(const struct tls_service *service, const struct hello_offer *offer,
                         enum tls_version version)
{
	for (size_t i = 0; i < service->suite_count; i++) {
		const struct tls_suite *suite = &service->suites[i];
		if (suite->tls13 == (version == TLS_VERSION_1_3) &&
		    list_has(offer->suites, suite->id) &&
		    (suite->tls13 || has_key_for(service, suite))) {
			return true;
		}
	}
	return false;
}

static bool common_group(const struct tls_service *service, const struct hello_offer *offer)
{
	if (offer->groups.data == NULL) {
		return true;
	}
	for (size_t i = 0; i < service->group_count; i++) {
		if (service->groups[i] != 0 && list_has(offer->groups, service->groups[i])) {
			return true;
		}
	}
	return false;
}

/* RFC 7301 3.2: both sides name protocols and none is common: the handshake ends with no_application_protocol. */
static bool common_protocol(const struct tls_service *service, const struct hello_offer *offer)
{
	if (service->alpn_count == 0 || offer->alpn.data == NULL) {
		return true;
	}
	for (size_t at = 0; at < offer->alpn.len; at += 1 + (size_t)offer->alpn.data[at]) {
		struct slice name = slice_of(offer->alpn.data + at + 1, offer->alpn.data[at]);
		for (size_t i = 0; i < service->alpn_count; i++) {
			if (slice_equal(name,
			                slice_of(service->alpn[i].data, service->alpn[i].size))) {
				return true;
			}
		}
	}
	return false;
}

enum tls_common tls_service_common(const struct tls_service *service, const struct hello *hello,
                                   const struct hello_offer *offer)
{
	enum tls_version version = common_version(service, hello, offer);
	if (version == TLS_VERSION_NONE) {
		return TLS_COMMON_NO_VERSION;
	}
	if (!common_suite(service, offer, version)) {
		return TLS_COMMON_NO_CIPHER;
	}
	if (!common_group(service, offer)) {
		return TLS_COMMON_NO_GROUP;
	}
	if (!common_signature(service, offer, version)) {
		return TLS_COMMON_NO_SIGNATURE;
	}
	if (!common_protocol(service, offer)) {
		return TLS_COMMON_NO_PROTOCOL;
	}
	return TLS_COMMON_OK;
}
