/* Fingerprints of a ClientHello, by which the same client program is known again: JA3
 * (github.com/salesforce/ja3) and JA4 (github.com/FoxIO-LLC/ja4, technical_details/JA4.md), both
 * without GREASE.
 *
 * Evidence, and no more than that: a client can send any hello it likes. Where the two leave a
 * question open it is answered here: JA3 takes the legacy version field; of JA4's ALPN value, one
 * with a first or last byte that is no letter or digit is shown by its hexadecimal digits.
 *
 * Nothing is allocated for a hello of a usual size; the work is linear in its length. Thread:
 * any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define JA3_MAX 33 /* with its NUL */
#define JA4_MAX 37
#define JA_CODES_MAX 1024 /* of suites or extensions, GREASE not counted, that JA4 sorts */

/* Borrowed from the message. Lists are two-byte numbers in network order without their length;
 * empty where the extension is absent. */
struct ja_hello {
	uint16_t version;        /* the legacy field */
	struct slice versions;   /* supported_versions */
	struct slice suites;     /* cipher_suites */
	struct slice extensions; /* all of them, each with its type and length */
	struct slice groups;     /* supported_groups */
	struct slice formats;    /* ec_point_formats, a byte each */
	struct slice signatures; /* signature_algorithms */
	struct slice alpn;       /* names, each behind its length (RFC 7301 3.1) */
};

/* RFC 8701: 0x0a0a, 0x1a1a, ... are there to keep us from failing on the unknown. */
static inline bool ja_is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* 32 lower-case hexadecimal digits. "": MD5 is not to be had (as in FIPS mode), or the
 * extensions are malformed. */
void ja3(char out[static JA3_MAX], const struct ja_hello *hello);
/* "t13d1516h2_8daaf6152771_e5627efa2ab1". "": the extensions are malformed, or there are more
 * than JA_CODES_MAX suites or extensions, as no client sends them. */
void ja4(char out[static JA4_MAX], const struct ja_hello *hello);
