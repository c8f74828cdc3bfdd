/* Names that no name should hold: what makes a certificate's identity unfit for comparing and for passing on. Private to
 * peer/. Thread: any. */
#pragma once

#include "peer/cert.h"

/* What is wrong with a name of a certificate that was read, static; NULL: nothing. Looked at: every attribute of the
 * subject; e-mail addresses, DNS names, URIs, IP addresses, directory names and user principal names among the alternative names, all
 * of them; in the issuer's name NUL and control characters alone, since the CA's spelling is not the client's. */
const char *identity_fault(const struct cert_x509 *x);
