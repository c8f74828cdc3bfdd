/* tlscribe classify: the verdict on a chain of certificates, offline, by the very code that judges live ones. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "config/config.h"
#include "config/value.h"
#include "event/judgement.h"
#include "peer/classify.h"
#include "peer/crl_store.h"
#include "peer/lists.h"
#include "peer/trust.h"

#define CHAIN_BYTES_MAX (1 << 20)
#define FILES_MAX 64

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_USAGE = 2 };

struct options {
	struct config_client client; /* as the configuration of a service would have it */
	struct config_text ca[FILES_MAX];
	struct config_text crl[FILES_MAX];
	const char *chain;
	int64_t at_s;
};

static void usage(FILE *to)
{
	fputs("usage: tlscribe classify --ca FILE [OPTION...] CHAIN\n"
	      "\n"
	      "Judges a certificate chain as a service with these CAs would judge a client's, and "
	      "prints\n"
	      "the verdict as one JSON object: class, code, findings, the path, identity, "
	      "fingerprints.\n"
	      "CHAIN is a PEM file (or one DER certificate), leaf first.\n"
	      "\n"
	      "      --ca FILE        PEM file with trust anchors; may be given again\n"
	      "      --crl FILE       CRL, or folder of CRLs, PEM or DER; may be given again. Each "
	      "CA of the\n"
	      "                       path then needs a current one (revocation: hard)\n"
	      "      --time TIME      judge as of this moment (RFC 3339): 2026-11-21T08:30:00Z, or "
	      "2026-11-21\n"
	      "                       for its first second in UTC; default: now\n"
	      "      --depth N        intermediates allowed; default: 4\n"
	      "      --purpose NAME   clientAuth, any, or an OID; default: clientAuth\n"
	      "      --profile NAME   legacy, medium or high; default: medium\n"
	      "  -h, --help           this text\n"
	      "\n"
	      "Exit: 0 the class is ok; 1 it is another one; 2 wrong usage, or a file that cannot "
	      "be used.\n",
	      to);
}

/* --- options --- */

static bool add_file(struct config_texts *list, struct config_text *items, char *path)
{
	if (list->count == FILES_MAX) {
		fprintf(stderr, "tlscribe classify: more than %d files\n", FILES_MAX);
		return false;
	}
	list->items = items;
	items[list->count++] = (struct config_text){.text = path};
	return true;
}

static bool parse_depth(unsigned *out, const char *text)
{
	char *end = NULL;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n > 16) {
		fprintf(stderr,
		        "tlscribe classify: --depth wants a number from 0 to 16, not \"%s\"\n",
		        text);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static bool parse_profile(enum profile *out, const char *text)
{
	static const char *const names[] = {
		[PROFILE_LEGACY] = "legacy", [PROFILE_MEDIUM] = "medium", [PROFILE_HIGH] = "high"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (enum profile)i;
			return true;
		}
	}
	fprintf(stderr, "tlscribe classify: --profile wants legacy, medium or high, not \"%s\"\n",
	        text);
	return false;
}

/* RFC 3339 5.6, time-offset: how far its clocks are ahead of UTC. */
static bool read_offset(const char *text, int64_t *out_s)
{
	static const char shape[] = "+dd:dd";
	bool shaped = strlen(text) == sizeof(shape) - 1 && (*text == '+' || *text == '-');
	for (size_t i = 1; shaped && i < sizeof(shape) - 1; i++) {
		shaped = shape[i] == 'd' ? isdigit((unsigned char)text[i]) : text[i] == shape[i];
	}
	if (!shaped) {
		*out_s = 0;
		return strcasecmp(text, "Z") == 0;
	}
	int hours = (text[1] - '0') * 10 + text[2] - '0';
	int minutes = (text[4] - '0') * 10 + text[5] - '0';
	*out_s = (*text == '-' ? -60 : 60) * (hours * 60 + minutes);
	return hours < 24 && minutes < 60;
}

/* RFC 3339 5.6, date-time. Of a fraction nothing is kept, as of a live client's moment. */
static bool read_time(const char *text, int64_t *out_s)
{
	char utc[] = "2026-11-21T08:30:00Z";
	const size_t len = sizeof(utc) - 2; /* without its zone */
	int64_t ahead_s;
	if (strlen(text) <= len) {
		return false;
	}
	memcpy(utc, text, len);
	utc[10] = utc[10] == 't' ? 'T' : utc[10];
	const char *rest = text + len;
	if (rest[0] == '.' && isdigit((unsigned char)rest[1])) {
		rest += 1 + strspn(rest + 1, "0123456789");
	}
	if (!value_date(utc, out_s) || !read_offset(rest, &ahead_s)) {
		return false;
	}
	*out_s -= ahead_s;
	return true;
}

static bool parse_time(int64_t *out, const char *text)
{
	if (value_date(text, out) || read_time(text, out)) {
		return true;
	}
	fprintf(stderr,
	        "tlscribe classify: --time wants 2026-11-21, 2026-11-21T08:30:00Z or "
	        "2026-11-21T09:30:00+01:00, not \"%s\"\n",
	        text);
	return false;
}

enum { OPT_CA = 256, OPT_CRL, OPT_TIME, OPT_DEPTH, OPT_PURPOSE, OPT_PROFILE };

static bool take(struct options *o, int option, char *value)
{
	switch (option) {
	case OPT_CA:
		return add_file(&o->client.ca, o->ca, value);
	case OPT_CRL:
		return add_file(&o->client.crl, o->crl, value);
	case OPT_TIME:
		return parse_time(&o->at_s, value);
	case OPT_DEPTH:
		return parse_depth(&o->client.max_depth, value);
	case OPT_PURPOSE:
		o->client.purpose.text = value;
		return true;
	case OPT_PROFILE:
		return parse_profile(&o->client.profile, value);
	default:
		usage(stderr);
		return false;
	}
}

/* False: *status is the exit code. */
static bool parse(struct options *o, int argc, char **argv, int *status)
{
	static const struct option options[] = {
		{"ca", required_argument, NULL, OPT_CA},
		{"crl", required_argument, NULL, OPT_CRL},
		{"time", required_argument, NULL, OPT_TIME},
		{"depth", required_argument, NULL, OPT_DEPTH},
		{"purpose", required_argument, NULL, OPT_PURPOSE},
		{"profile", required_argument, NULL, OPT_PROFILE},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;
	*status = EXIT_USAGE;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			*status = EXIT_GOOD;
			return false;
		}
		if (!take(o, option, optarg)) {
			return false;
		}
	}
	if (optind + 1 != argc || o->client.ca.count == 0) {
		fputs(o->client.ca.count == 0
		              ? "tlscribe classify: --ca is needed: without an anchor nobody is "
		                "trusted\n\n"
		              : "tlscribe classify: exactly one CHAIN is needed\n\n",
		      stderr);
		usage(stderr);
		return false;
	}
	o->chain = argv[optind];
	if (o->client.crl.count > 0) {
		o->client.revocation = REVOCATION_HARD;
	}
	return true;
}

/* --- the chain --- */

static int read_chain(struct chain **out, const char *path)
{
	struct buf file;
	buf_init(&file, CHAIN_BYTES_MAX + 65536);
	int err = file_load(&file, path, CHAIN_BYTES_MAX);
	err = err == E_OK ? chain_read(out, buf_slice(&file)) : err;
	if (err != E_OK) {
		fprintf(stderr, "tlscribe classify: %s: %s\n", path, err_text(err));
	}
	buf_release(&file);
	return err;
}

/* --- the verdict --- */

static int print(const struct chain *chain, const struct verdict *verdict, int64_t at_s)
{
	struct buf out;
	buf_init(&out, JUDGEMENT_MAX + 1);
	int err = event_encode_judgement(&out, chain, verdict, at_s);
	buf_append_byte(&out, '\n');
	if (err == E_OK && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)) {
		err = E_IO;
	}
	if (err != E_OK) {
		fprintf(stderr, "tlscribe classify: standard output: %s\n", err_text(err));
	}
	buf_release(&out);
	return err;
}

static int judge(const struct options *o, const struct trust *trust, const struct lists *lists)
{
	struct chain *chain = NULL;
	struct verdict *verdict = NULL;
	int status = EXIT_USAGE;
	if (read_chain(&chain, o->chain) != E_OK) {
		return status;
	}
	if (peer_judge(&verdict, trust, lists, chain, o->at_s) != E_OK) {
		fputs("tlscribe classify: out of memory\n", stderr);
	} else if (print(chain, verdict, o->at_s) == E_OK) {
		status = verdict->class == CLASS_OK ? EXIT_GOOD : EXIT_BAD;
	}
	verdict_unref(&verdict);
	chain_unref(&chain);
	return status;
}

static int classify(const struct options *o)
{
	static const struct config_limits limits; /* zeroed: the defaults */
	struct diag diag;
	struct trust *trust = NULL;
	struct lists *lists = NULL;
	struct crl_store *store = NULL;
	int status = EXIT_USAGE;
	diag_init(&diag);
	int err = crl_store_new(&store);
	err = err == E_OK ? trust_new(&trust, &o->client, &limits, NULL, &diag) : err;
	err = err == E_OK ? lists_new(&lists, trust, &o->client, NULL, store, NULL, &diag) : err;
	diag_print(&diag, stderr);
	if (err == E_OK) {
		status = judge(o, trust, lists);
	} else if (diag.errors == 0) {
		fprintf(stderr, "tlscribe classify: %s\n", err_text(err));
	}
	lists_unref(&lists);
	crl_store_free(&store);
	trust_free(&trust);
	diag_release(&diag);
	return status;
}

int cmd_classify(int argc, char **argv)
{
	struct options o = {
		.client = {.verify = VERIFY_REQUIRED,
	                   .purpose = {.text = (char *)"clientAuth"},
	                   .profile = PROFILE_MEDIUM,
	                   .max_depth = 4},
		.at_s = clock_wall_us() / 1000000,
	};
	int status;
	return parse(&o, argc, argv, &status) ? classify(&o) : status;
}
