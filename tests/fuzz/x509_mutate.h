/* The mutator of the x509 targets: changes an object's elements, and signs it again with the key of whoever it names as
 * its issuer, so that changes get behind the check of signatures; half of the time it does not.
 *
 * Thread: one at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What libFuzzer has LLVMFuzzerCustomMutator() do, for inputs that are one object (CRL, OCSP answer). */
size_t x509_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* The same for a chain, see chain_input.h. */
size_t chain_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);
