/* What verification costs: a chain fresh and remembered, chains made to exhaust, a large CRL, OCSP
 * answers, fingerprints of a ClientHello.
 *
 *   verify LIMBO_JSON JA_VECTORS
 *
 * One round; prints "NAME VALUE" lines. verify.py runs several, and makes the table of them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "peer/crl_pki.h"
#include "verify.h"

double bench_now_us(void)
{
	struct timespec t;
	bench_must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0, "clock_gettime");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void bench_report(const char *name, double value)
{
	printf("%s %.6f\n", name, value);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return x < y ? -1 : x > y;
}

void bench_report_median(const char *name, double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	bench_report(name, values[count / 2]);
}

void bench_must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "verify: %s: not as it has to be\n", what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: verify LIMBO_JSON JA_VECTORS\n", stderr);
		return 2;
	}
	bench_chain();
	bench_ocsp();
	bench_hello(argv[2]);
	bench_limbo(argv[1]);
	bench_crl();
	crl_pki_release();
	return 0;
}
