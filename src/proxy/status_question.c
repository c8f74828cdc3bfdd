#include "proxy/status_question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/err.h"

#define REQUEST_BYTES_MAX 4096

static bool fill_nonce(uint8_t *nonce)
{
	ssize_t n;
	do {
		n = getrandom(nonce, OCSP_NONCE_BYTES, 0);
	} while (n == -1 && errno == EINTR);
	return n == OCSP_NONCE_BYTES;
}

static struct slice copy_to(char **at, struct slice bytes)
{
	struct slice copy = slice_of(*at, bytes.len);
	if (bytes.len > 0) {
		memcpy(*at, bytes.data, bytes.len);
	}
	*at += bytes.len;
	return copy;
}

struct status_question *status_question_new(const struct config_client *client, struct slice leaf,
                                            struct slice issuer, const char *url)
{
	size_t url_len = strlen(url) + 1;
	struct status_question *question =
		calloc(1, sizeof(*question) + url_len + leaf.len + issuer.len);
	if (question == NULL) {
		return NULL;
	}
	question->profile = client->profile;
	char *at = question->bytes;
	copy_to(&at, slice_of(url, url_len));
	question->leaf = copy_to(&at, leaf);
	question->issuer = copy_to(&at, issuer);
	question->has_nonce = client->ocsp.nonce;
	buf_init(&question->request, REQUEST_BYTES_MAX);
	if ((question->has_nonce && !fill_nonce(question->nonce)) ||
	    ocsp_request(&question->request, leaf, issuer,
	                 question->has_nonce ? question->nonce : NULL) != E_OK ||
	    question->request.err != E_OK) {
		status_question_free(question);
		return NULL;
	}
	uint64_t timeout_ms = client->ocsp.timeout_ms;
	question->fetch = (struct fetch){
		.url = question->bytes,
		.content_type = "application/ocsp-request", /* RFC 6960 A.1 */
		.post = buf_slice(&question->request),
		.accept = "application/ocsp-response",
		.timeout_ms = timeout_ms < STATUS_FETCH_MS_MIN ? STATUS_FETCH_MS_MIN : timeout_ms,
		.max_bytes = OCSP_ANSWER_BYTES_MAX,
		.arg = question,
	};
	return question;
}

void status_question_free(struct status_question *question)
{
	buf_release(&question->request);
	free(question);
}

void status_question_read(struct status_question *question)
{
	const struct fetch *fetch = &question->fetch;
	if (fetch->err == E_END) {
		question->why = "the proxy is stopping";
		return;
	}
	if (fetch->err != E_OK) {
		question->why = fetch->err == E_TIMEOUT
		                        ? "the OCSP responder did not answer in time"
		                        : "the OCSP responder cannot be asked";
		question->unwell = fetch->err != E_NOMEM;
		return;
	}
	if (fetch->status != 200) {
		question->why = "the OCSP responder answered with another HTTP status than 200";
		question->unwell = true;
		return;
	}
	int err = ocsp_read(&question->answer, fetch->body, question->leaf, question->issuer,
	                    question->has_nonce ? question->nonce : NULL, question->profile,
	                    clock_wall_us() / 1000000, &question->why);
	if (err == E_OK) {
		question->why = NULL;
	} else if (err != E_INVALID) {
		question->why = err_text(err);
	}
}
