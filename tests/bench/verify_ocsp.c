/* An OCSP answer read and checked: signed by the issuer itself, and by a delegate whose certificate
 * comes with it. */
#include "base/err.h"
#include "peer/ocsp_pki.h"
#include "verify.h"

#define ANSWERS 64

static double read_answers(struct slice answer)
{
	double start = bench_now_us();
	for (size_t i = 0; i < ANSWERS; i++) {
		struct ocsp_answer read;
		const char *why;
		bench_must(ocsp_read(&read, answer, pki_leaf()->der, pki_intermediate()->der, NULL,
		                     PROFILE_MEDIUM, PKI_NOW, &why) == E_OK &&
		                   read.status == REVOCATION_GOOD,
		           "an OCSP answer");
	}
	return (bench_now_us() - start) / ANSWERS;
}

void bench_ocsp(void)
{
	const struct pki_cert *delegate =
		pki_make(&(struct pki_spec){.subject = "CN=Responder,O=Test",
	                                    .key = PKI_P256_D,
	                                    .issuer = pki_intermediate(),
	                                    .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
	                                    .purposes = {GNUTLS_KP_OCSP_SIGNING}});
	struct ocsp_pki_spec spec = {.leaf = pki_leaf(), .issuer = pki_intermediate()};
	struct slice by_issuer = ocsp_pki_answer(&spec);
	spec.signer = delegate;
	spec.certs[0] = delegate;
	struct slice by_delegate = ocsp_pki_answer(&spec);
	double issuer[BATCHES];
	double delegated[BATCHES];
	read_answers(by_issuer);
	for (size_t i = 0; i < BATCHES; i++) {
		issuer[i] = read_answers(by_issuer);
		delegated[i] = read_answers(by_delegate);
	}
	bench_report_median("ocsp_issuer_us", issuer, BATCHES);
	bench_report_median("ocsp_delegate_us", delegated, BATCHES);
}
