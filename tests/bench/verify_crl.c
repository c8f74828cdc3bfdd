/* A CRL of 500,000 entries: read, held, and asked. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/crl_pki.h"
#include "verify.h"

#define ENTRIES 500000
#define SERIAL_BYTES 3
#define READS 3

/* 22 bytes each: the shortest that so many different ones can be. */
struct entry {
	uint8_t head[4]; /* SEQUENCE, INTEGER */
	uint8_t serial[SERIAL_BYTES];
	uint8_t date[15]; /* UTCTime */
};
_Static_assert(sizeof(struct entry) == 22, "no padding");

/* Each number below 2^22 once, in no order that a table could like. */
static uint32_t scattered(uint32_t i)
{
	return i * 0x9e3779u & 0x3fffff;
}

/* Its first octet is neither 0 nor negative. */
static void put_serial(uint8_t *out, uint32_t n)
{
	n += 0x10000;
	out[0] = (uint8_t)(n >> 16);
	out[1] = (uint8_t)(n >> 8);
	out[2] = (uint8_t)n;
}

static struct slice make_crl(uint32_t entries)
{
	const struct pki_cert *ca = crl_pki_ca("CN=Large,O=Test", PKI_P256_A, NULL);
	struct crl_pki_spec spec = {.issuer = ca};
	struct entry *made = calloc(entries + 1, sizeof(*made));
	bench_must(made != NULL, "memory");
	for (uint32_t i = 0; i < entries; i++) {
		memcpy(made[i].head, "\x30\x14\x02\x03", 4);
		put_serial(made[i].serial, scattered(i));
		memcpy(made[i].date,
		       "\x17\x0d"
		       "260102030405Z",
		       15);
	}
	if (entries > 0) {
		spec.revoked = pki_tlv(0x30, slice_of(made, entries * sizeof(*made)));
	}
	free(made);
	return crl_pki_make(&spec);
}

static struct crl *read_crl(struct slice der, uint32_t entries)
{
	struct crl *crl;
	const char *why;
	bench_must(crl_parse(&crl, der, &why) == E_OK && crl_info(crl)->entries == entries,
	           "a CRL");
	return crl;
}

static double held_by(struct slice der, uint32_t entries, double *peak)
{
	heap_watch();
	struct crl *crl = read_crl(der, entries);
	double held = (double)heap_held();
	*peak = (double)heap_peak();
	heap_ignore();
	crl_unref(&crl);
	return held;
}

/* Microseconds a lookup; those asked for from `offset` on are on it or not. */
static double look_up(const struct crl *crl, uint32_t offset, bool expected)
{
	double start = bench_now_us();
	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint8_t serial[SERIAL_BYTES];
		struct crl_entry entry;
		put_serial(serial, offset + scattered(i));
		bench_must(crl_find(crl, slice_of(serial, sizeof(serial)), &entry) == expected,
		           "a lookup");
	}
	return (bench_now_us() - start) / ENTRIES;
}

void bench_crl(void)
{
	struct slice der = make_crl(ENTRIES);
	double parse[READS];
	double there[READS];
	double absent[READS];
	double peak;
	for (size_t i = 0; i < READS; i++) {
		double start = bench_now_us();
		struct crl *crl = read_crl(der, ENTRIES);
		parse[i] = bench_now_us() - start;
		there[i] = look_up(crl, 0, true);
		absent[i] = look_up(crl, 0x400000, false);
		crl_unref(&crl);
	}
	double none = held_by(make_crl(0), 0, &peak);
	double all = held_by(der, ENTRIES, &peak);
	bench_report("crl_bytes", (double)der.len);
	bench_report_median("crl_parse_us", parse, READS);
	bench_report("crl_entry_bytes", (all - none) / ENTRIES);
	bench_report("crl_peak_bytes", peak);
	bench_report_median("crl_found_us", there, READS);
	bench_report_median("crl_absent_us", absent, READS);
}
