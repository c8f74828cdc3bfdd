/* A value made of event fields: "partner={tls.client.x509.subject.common_name};{event.id}".
 *
 * {name} is a field of fields.def with a single value (K, N, B, T, IP); an array renders only with exactly one element. `{{` and `}}` stand
 * for themselves. Values are taken from the canonical bytes of the event, so a header can never say anything else than the record; a value that
 * the record has only the beginning of (tlscribe.truncated) counts as absent. In values everything but the visible ASCII characters without
 * `%` and `,;"\` is percent-encoded (RFC 3986 2.1), as UTF-8. Bytes of a certificate that are no UTF-8 stand in the record as a backslash and two
 * hex digits, and so they do here: %5Cc3.
 *
 * Thread: compiled ones are immutable. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

struct template;

/* Errors go to `diag` at `at`: an unknown field (with the nearest name), one that is a map or stands in no tls-handshake event, a brace without partner,
 * other text than visible ASCII and spaces. E_INVALID, E_NOMEM. */
int template_new(struct template **out, const char *text, const char *file, struct mark at,
                 struct diag *diag);
void template_free(struct template **t);
/* True: names a field under tls.client. (but for the server name and ja3, which are the ClientHello's), user., tlscribe.certificate. or another
 * one that tells of the certificate, so it is data of an unverified certificate unless tlscribe.verified. */
bool template_tells_of_certificate(const struct template *t);
/* Appends the value for an event body (event.h: what the encoder wrote, without head). False: a field is absent, cut or an array of more
 * than one element: nothing was appended. Errors of `out` stick there. */
bool template_render(const struct template *t, struct buf *out, struct slice event_body);
