/* The parts of the verification benchmark (verify.c). Each measures one thing and reports its figures.
 *
 * What cannot be measured ends the program: a figure of a failure would be worth nothing. Times are
 * CPU time of this thread, so that neighbours who take the core away do not count. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BATCHES 15 /* a figure is the median of so many */

/* CPU time of this thread. */
double bench_now_us(void);
/* "NAME VALUE", a line each on stdout. */
void bench_report(const char *name, double value);
/* Reports the median; sorts `values`. */
void bench_report_median(const char *name, double *values, size_t count);
/* Ends the program unless `holds`. */
void bench_must(int holds, const char *what);

void bench_chain(void);
void bench_crl(void);
void bench_hello(const char *vectors);
void bench_limbo(const char *cases);
void bench_ocsp(void);

/* From now on the heap's bytes are counted, those of libraries as well. */
void heap_watch(void);
/* Since heap_watch(): bytes in use now more than then, and the most at any moment. */
int64_t heap_held(void);
int64_t heap_peak(void);
void heap_ignore(void);
