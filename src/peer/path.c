#include "peer/path.h"

#include "peer/der.h"
#include "peer/lists_judge.h"
#include "peer/rules.h"
#include "peer/signature.h"

enum { CODE_SELF_SIGNED_IN_CHAIN = 19 }; /* X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN */

/* What key identifiers say about a candidate, best first. */
enum hint { HINT_SAME, HINT_NONE, HINT_OTHER, HINT_COUNT };

/* A signature that was verified: never twice in one search. */
struct edge {
	const struct cert *cert;
	const struct cert *issuer;
	enum signature_result result;
};

struct search {
	const struct trust *trust;
	const struct lists *lists; /* NULL: none */
	const struct chain *chain;
	int64_t now_s;
	struct path_result *out;
	struct path current;
	size_t edge_count;
	struct edge *edges;   /* TRUST_SIGNATURES_MAX */
	unsigned signatures;  /* left */
	unsigned steps;       /* left */
	unsigned comparisons; /* left */
	bool done;            /* a faultless path, or too much work */
	bool anchored;        /* out->best leads to an anchor */
	bool stuck;           /* out->best is where the search got stuck */
};

static void give_up(struct search *s)
{
	s->done = true;
	s->out->limited = true;
}

static bool spend_name(struct search *s)
{
	if (s->comparisons == 0) {
		give_up(s);
		return false;
	}
	s->comparisons--;
	return true;
}

/* False: too much work. */
static bool verify(struct search *s, const struct cert *cert, const struct cert *issuer,
                   enum signature_result *result)
{
	for (size_t i = 0; i < s->edge_count; i++) {
		if (s->edges[i].cert == cert && s->edges[i].issuer == issuer) {
			*result = s->edges[i].result;
			return true;
		}
	}
	if (s->signatures == 0) {
		give_up(s);
		return false;
	}
	s->signatures--;
	*result = signature_verify(cert, issuer);
	s->edges[s->edge_count++] = (struct edge){cert, issuer, *result};
	return true;
}

static enum hint hint_of(const struct cert *cert, const struct cert *issuer)
{
	struct slice wanted = cert->x509->authority_key_id;
	struct slice have = issuer->x509->subject_key_id;
	if (wanted.len == 0 || have.len == 0) {
		return HINT_NONE;
	}
	return slice_equal(wanted, have) ? HINT_SAME : HINT_OTHER;
}

static bool in_path(const struct path *path, const struct cert *cert)
{
	for (size_t i = 0; i < path->count; i++) {
		if (slice_equal(path->certs[i]->der, cert->der)) {
			return true;
		}
	}
	return false;
}

/* One of the CAs that the service asks for has to be in it, as far as its signatures were verified. */
static void check_issuers(const struct search *s, struct path *path)
{
	if (s->trust->issuers.count == 0) {
		return;
	}
	/* A leaf is no issuer, unless it is its own anchor. */
	for (size_t i = path->anchor != NULL && path->count == 1 ? 0 : 1; i < path->count; i++) {
		if (trust_is_issuer(s->trust, path->certs[i])) {
			return;
		}
	}
	findings_add(&path->findings, CLASS_ISSUER_NOT_ALLOWED, 0, 0, 0, NULL);
}

static void check_denied_issuers(const struct search *s, struct path *path)
{
	for (size_t i = 1; i < path->count; i++) {
		lists_judge_denied(&path->findings, s->lists, path->certs[i], (int)i);
	}
}

static struct revocation not_known(const struct search *s)
{
	bool checked = lists_revoke(s->lists);
	return (struct revocation){.checked = checked,
	                           .status = checked ? REVOCATION_UNKNOWN : REVOCATION_GOOD};
}

/* Adds what CRLs say. False: too much work. */
static bool check_revocation(struct search *s, struct path *path)
{
	path->revocation = not_known(s);
	return !lists_revoke(s->lists) ||
	       revocation_check_path(&s->lists->revocation, &path->findings, &path->revocation,
	                             path->certs, path->count, s->now_s, &s->out->holds_from_s,
	                             &s->out->holds_until_s, &s->signatures);
}

/* `s->current` leads to an anchor. */
static void judge_path(struct search *s)
{
	struct path *path = &s->current;
	struct path *best = &s->out->best;
	path->findings.count = 0;
	if (!rules_check_path(&path->findings, s->trust, path->certs, path->count, true, s->now_s,
	                      &s->comparisons)) {
		give_up(s);
		return;
	}
	check_issuers(s, path);
	check_denied_issuers(s, path);
	/* What CRLs add makes nothing milder, and costs signatures. */
	if (s->anchored && !findings_milder(&path->findings, &best->findings)) {
		return;
	}
	if (!check_revocation(s, path)) {
		give_up(s);
		return;
	}
	if (!s->anchored || findings_milder(&path->findings, &best->findings)) {
		*best = *path;
		s->anchored = true;
	}
	s->done = path->findings.count == 0;
}

/* Why the certificate at the end of `s->current` leads nowhere. */
struct dead_end {
	bool wrong; /* somebody of the issuer's name is there, but the signature is not by that key */
	bool unsupported; /* the same, but the signature's algorithm cannot be verified */
	bool no_key;      /* the same, but the key cannot be used */
};

/* Remembers the farthest end. */
static void remember_dead_end(struct search *s, const struct dead_end *end)
{
	if (s->anchored || (s->stuck && s->out->best.count >= s->current.count)) {
		return;
	}
	const struct cert *last = s->current.certs[s->current.count - 1];
	int depth = (int)s->current.count - 1;
	enum signature_result own = SIGNATURE_WRONG;
	if (last->x509->self_issued && !verify(s, last, last, &own)) {
		return;
	}
	struct path *path = &s->current;
	path->findings.count = 0;
	if (own == SIGNATURE_GOOD && depth == 0) {
		findings_add(&path->findings, CLASS_SELF_SIGNED, depth, 0, 0, NULL);
	} else if (own == SIGNATURE_GOOD) {
		findings_add(&path->findings, CLASS_UNKNOWN_ISSUER, depth, CODE_SELF_SIGNED_IN_CHAIN,
		             0, "the root in the chain is not trusted here");
	} else if (end->wrong) {
		findings_add(&path->findings, CLASS_BAD_SIGNATURE, depth, 0, 0, NULL);
	} else if (end->unsupported) {
		findings_add(&path->findings, CLASS_BAD_SIGNATURE, depth, 0, 0,
		             "an algorithm that cannot be verified");
	} else {
		findings_add(&path->findings, CLASS_UNKNOWN_ISSUER, depth, 0, 0,
		             end->no_key ? "the issuer has a key of an unsupported kind" : NULL);
	}
	s->out->best = *path;
	s->stuck = true;
}

static void visit(struct search *s);

/* Goes on through one candidate issuer. True: its key signed the last certificate. */
static bool try_issuer(struct search *s, const struct cert *issuer, const struct anchor *anchor,
                       enum hint hint, struct dead_end *end)
{
	struct path *path = &s->current;
	const struct cert *last = path->certs[path->count - 1];
	enum signature_result result;
	if (!verify(s, last, issuer, &result)) {
		return false;
	}
	if (result != SIGNATURE_GOOD) {
		/* A namesake with another key identifier never claimed to be the issuer. */
		end->wrong = end->wrong || (result == SIGNATURE_WRONG && hint != HINT_OTHER);
		end->unsupported = end->unsupported || result == SIGNATURE_UNSUPPORTED;
		end->no_key = end->no_key || result == SIGNATURE_NO_KEY;
		return false;
	}
	if (path->count == VERDICT_PATH_MAX) {
		return false;
	}
	path->certs[path->count++] = issuer;
	path->anchor = anchor;
	if (anchor != NULL) {
		judge_path(s);
	} else {
		visit(s);
	}
	path->anchor = NULL;
	path->count--;
	return true;
}

static bool try_anchors(struct search *s, struct slice issuer, enum hint hint, struct dead_end *end)
{
	const struct cert *last = s->current.certs[s->current.count - 1];
	const struct anchor *const *row;
	size_t n = trust_find(s->trust, issuer, &row);
	bool found = false;
	for (size_t i = 0; i < n && !s->done; i++) {
		if (!spend_name(s)) {
			return found;
		}
		if (hint_of(last, &row[i]->cert) != hint || in_path(&s->current, &row[i]->cert)) {
			continue;
		}
		/* Its dates have a say in the verdict, whether its path is taken or not. */
		rules_narrow(&row[i]->cert, s->now_s, &s->out->holds_from_s, &s->out->holds_until_s);
		found = try_issuer(s, &row[i]->cert, row[i], hint, end) || found;
	}
	return found;
}

static bool try_presented(struct search *s, struct slice issuer, enum hint hint,
                          struct dead_end *end)
{
	const struct cert *last = s->current.certs[s->current.count - 1];
	bool found = false;
	for (size_t i = 1; i < s->chain->count && !s->done; i++) {
		const struct cert *cert = &s->chain->certs[i];
		if (!spend_name(s)) {
			return found;
		}
		if (!cert->parsed || !slice_equal(cert->x509->subject_folded, issuer) ||
		    hint_of(last, cert) != hint) {
			continue;
		}
		/* The root sent along: as an anchor it was tried already. */
		if (in_path(&s->current, cert) || trust_find_cert(s->trust, cert) != NULL) {
			continue;
		}
		found = try_issuer(s, cert, NULL, hint, end) || found;
	}
	return found;
}

/* Looks for issuers of the last certificate of `s->current`. */
static void visit(struct search *s)
{
	if (s->steps == 0) {
		give_up(s);
		return;
	}
	s->steps--;
	const struct cert *last = s->current.certs[s->current.count - 1];
	struct slice rdns = last->x509->issuer;
	struct slice content;
	struct dead_end end = {0};
	bool found = false;
	/* RFC 5280 4.1.2.4: an issuer has a name; an empty one links to nobody. */
	bool named = der_get(&rdns, DER_SEQUENCE, &content) && content.len > 0;
	for (enum hint hint = HINT_SAME; named && hint < HINT_COUNT && !s->done; hint++) {
		found = try_anchors(s, last->x509->issuer_folded, hint, &end) || found;
		if (!s->done) {
			found = try_presented(s, last->x509->issuer_folded, hint, &end) || found;
		}
	}
	if (!found && !s->done) {
		remember_dead_end(s, &end);
	}
}

/* A leaf that is an anchor itself (trust.h): a path of one. */
static bool is_trusted_leaf(struct search *s, const struct cert *leaf, const struct anchor **anchor)
{
	*anchor = trust_find_cert(s->trust, leaf);
	enum signature_result own = SIGNATURE_WRONG;
	return *anchor != NULL && leaf->x509->self_issued && verify(s, leaf, leaf, &own) &&
	       own == SIGNATURE_GOOD;
}

/* Nothing leads to an anchor: what is wrong with each certificate by itself is worth knowing all
 * the same. */
static void judge_presented(struct search *s)
{
	struct path *best = &s->out->best;
	const struct chain *chain = s->chain;
	if (!rules_check_path(&best->findings, s->trust, best->certs, best->count, false, s->now_s,
	                      &s->comparisons)) {
		give_up(s);
		return;
	}
	check_issuers(s, best);
	check_denied_issuers(s, best);
	for (size_t i = 1; i < chain->count; i++) {
		const struct cert *cert = &chain->certs[i];
		if (in_path(best, cert)) {
			continue;
		}
		if (cert->parsed) {
			rules_check_cert(&best->findings, s->trust, cert, (int)i, ROLE_ISSUER,
			                 s->now_s);
		}
		lists_judge_denied(&best->findings, s->lists, cert, (int)i);
	}
	/* Nobody's key is there that a CRL could be signed by. */
	best->revocation = not_known(s);
}

void path_search(struct path_result *out, const struct trust *trust, const struct lists *lists,
                 const struct chain *chain, int64_t now_s)
{
	const struct cert *leaf = &chain->certs[0];
	struct edge edges[TRUST_SIGNATURES_MAX];
	*out = (struct path_result){.holds_from_s = INT64_MIN, .holds_until_s = INT64_MAX};
	struct search s = {
		.trust = trust,
		.lists = lists,
		.chain = chain,
		.now_s = now_s,
		.out = out,
		.current = {.count = 1, .certs = {leaf}},
		.edges = edges,
		.signatures = trust->signature_checks,
		.steps = PATH_STEPS_MAX,
		.comparisons = trust->name_comparisons,
	};
	for (size_t i = 0; i < chain->count; i++) {
		if (chain->certs[i].parsed) {
			rules_narrow(&chain->certs[i], now_s, &out->holds_from_s,
			             &out->holds_until_s);
		}
	}
	const struct anchor *anchor;
	if (is_trusted_leaf(&s, leaf, &anchor)) {
		s.current.anchor = anchor;
		judge_path(&s);
		s.current.anchor = NULL;
	} else {
		visit(&s);
	}
	if (!out->limited && !s.anchored) {
		judge_presented(&s);
	}
	out->signature_checks = trust->signature_checks - s.signatures;
	out->name_comparisons = trust->name_comparisons - s.comparisons;
}
