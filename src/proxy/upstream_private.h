/* Inside of an upstream: shared by upstream.c, upstream_tls.c and balance.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "proxy/upstream.h"

struct server {
	const char *name; /* the configuration's */
	char *host;       /* of it; NULL: a unix socket */
	bool literal;
	bool backup;
	unsigned weight;
	struct trust *trust;  /* NULL: plain */
	bool trust_is_shared; /* with the server before that has to carry the same name */
	const char *server_name;

	_Atomic uint64_t active;
	_Atomic bool down;             /* by its checks */
	_Atomic unsigned failures;     /* in a row; written under the lock */
	_Atomic uint64_t out_until_ns; /* by failures; 0: it is not out; written under the lock */

	pthread_mutex_t lock;
	/* guarded by it: */
	unsigned doublings; /* of the back-off */
	bool probing;       /* somebody tries it, until out_until_ns at most */
	bool lost;          /* its name could not be resolved the last time */
	struct address addresses[UPSTREAM_ADDRESSES_MAX];
	size_t address_count;
	size_t address; /* in use */
};

/* The servers, or the backups. */
struct group {
	uint8_t *order; /* whose turn it is: each server as often as its weight says, evenly spread */
	size_t length;
	_Atomic size_t turn;
};

struct upstream {
	const struct config_upstream *config;
	const char *owner;
	struct tls_client *tls;
	_Atomic uint64_t warned_ns;
	struct group groups[2]; /* [1]: backups */
	size_t count;
	struct server *servers;
};

/* upstream_tls.c: what its `tls` needs, if it has one; goes on after a fault. E_INVALID when `diag` got an error, E_NOMEM. */
int upstream_tls_build(struct upstream *upstream, const char *file, struct diag *diag);
void upstream_tls_release(struct upstream *upstream);
/* balance.c: the turns of a group. E_NOMEM. */
int balance_order(struct upstream *upstream, bool backup);
