/* The fingerprints of a ClientHello, over those of well-known clients (tests/data/ja/vectors.txt). */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/hello_parse.h"
#include "tls/ja.h"
#include "verify.h"

#define HELLOS_MAX 64
#define TURNS 200
#define EXTENSION_VERSIONS 43
#define EXTENSION_FORMATS 11

struct sample {
	uint8_t *message;
	size_t len;
	struct ja_hello ja;
};

static struct sample samples[HELLOS_MAX];
static size_t sample_count;

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A line: name, capture, JA3, JA4, message. */
static void read_sample(char *line)
{
	char *hex = strrchr(strtok(line, "\n"), ' ');
	bench_must(hex != NULL && sample_count < HELLOS_MAX, "a vector");
	hex++;
	struct sample *sample = &samples[sample_count++];
	sample->len = strlen(hex) / 2;
	sample->message = malloc(sample->len);
	bench_must(sample->message != NULL && sample->len > 4, "a vector");
	for (size_t i = 0; i < sample->len; i++) {
		sample->message[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	}
}

static void read_samples(const char *path)
{
	static char line[8192];
	FILE *file = fopen(path, "r");
	bench_must(file != NULL, path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] != '#') {
			read_sample(line);
		}
	}
	fclose(file);
	bench_must(sample_count > 0, path);
}

static struct slice body_of(const struct sample *sample)
{
	return slice_of(sample->message + 4, sample->len - 4);
}

static int on_extension(void *arg, unsigned id, const unsigned char *data, unsigned len)
{
	struct ja_hello *ja = arg;
	if (id == EXTENSION_VERSIONS && len > 1) {
		ja->versions = slice_of(data + 1, len - 1);
	} else if (id == EXTENSION_FORMATS && len > 1) {
		ja->formats = slice_of(data + 1, len - 1);
	}
	return 0;
}

/* What hello_parse() hands to ja3() and ja4(), and that it comes to the same. */
static void prepare(struct sample *sample)
{
	struct hello hello;
	struct hello_offer offer;
	struct slice body = body_of(sample);
	bench_must(hello_parse(&hello, &offer, body) == E_OK, "a ClientHello");
	size_t methods = (size_t)(offer.suites.data - body.data) + offer.suites.len;
	size_t extensions = methods + 1 + body.data[methods] + 2;
	sample->ja = (struct ja_hello){
		.version = (uint16_t)(body.data[0] << 8 | body.data[1]),
		.suites = offer.suites,
		.extensions = slice_of(body.data + extensions, body.len - extensions),
		.groups = offer.groups,
		.signatures = offer.signatures,
		.alpn = offer.alpn,
	};
	gnutls_datum_t message = {(unsigned char *)body.data, (unsigned)body.len};
	gnutls_ext_raw_parse(&sample->ja, on_extension, &message,
	                     GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	char text3[JA3_MAX];
	char text4[JA4_MAX];
	ja3(text3, &sample->ja);
	ja4(text4, &sample->ja);
	bench_must(strcmp(text3, hello.ja3) == 0 && strcmp(text4, hello.ja4) == 0, "a fingerprint");
}

enum what { WHOLE, WITH_JA3, WITH_JA4 };

static double run(enum what what)
{
	static struct hello hello;
	struct hello_offer offer;
	double start = bench_now_us();
	for (size_t i = 0; i < sample_count * TURNS; i++) {
		const struct sample *sample = &samples[i % sample_count];
		if (what == WHOLE) {
			hello_parse(&hello, &offer, body_of(sample));
		} else if (what == WITH_JA3) {
			ja3(hello.ja3, &sample->ja);
		} else {
			ja4(hello.ja4, &sample->ja);
		}
	}
	return (bench_now_us() - start) / (double)sample_count / TURNS;
}

void bench_hello(const char *vectors)
{
	double whole[BATCHES];
	double first[BATCHES];
	double second[BATCHES];
	double bytes = 0;
	read_samples(vectors);
	for (size_t i = 0; i < sample_count; i++) {
		prepare(&samples[i]);
		bytes += (double)samples[i].len;
	}
	for (size_t i = 0; i < BATCHES; i++) {
		whole[i] = run(WHOLE);
		first[i] = run(WITH_JA3);
		second[i] = run(WITH_JA4);
	}
	bench_report_median("hello_us", whole, BATCHES);
	bench_report_median("ja3_us", first, BATCHES);
	bench_report_median("ja4_us", second, BATCHES);
	bench_report("hello_bytes", bytes / (double)sample_count);
	while (sample_count > 0) {
		free(samples[--sample_count].message);
	}
}
