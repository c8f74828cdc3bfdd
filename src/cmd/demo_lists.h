/* The demo's word on who is out: a CRL of the DEV CA, and a deny and an allow list. Thread: one at a time. */
#pragma once

#include "cmd/demo_pki.h"

/* Writes "dev.crl", which has DEMO_REVOKED on it, "deny.txt" with DEMO_DENIED, and "allow.txt" with nobody who dials. E_IO,
 * E_NOMEM, E_LIMIT. */
int demo_lists_make(const struct demo_pki *pki);
