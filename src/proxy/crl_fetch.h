/* Keeps the CRLs of client.crl_fetch.urls up to date on disk: each URL once, for all services that name it.
 *
 * What is fetched takes the place of what is there only if it is better: CRLs that can be read, not older, not from the future, of the same CAs, and
 * of the same keys as long as what is there is current; signed by the CA that they name, where that is one of the services' anchors or issuers, and else over
 * https, or for services alone that refuse whom no CRL speaks of. Whoever uses them reads the files
 * (peer/lists.h); what was fetched in an earlier life is used until then, and whatever fails leaves it in place.
 *
 * Fetched at once, then every interval, sooner when a nextUpdate comes before that, and after a failure again after 10 s, 20 s, 40 s ... up to the
 * interval; each a little earlier, at random, so that a fleet does not come at once. What is wrong is logged when it changes.
 *
 * Thread: the loop's (main). Answers are read, checked and written in the fetcher's thread. */
#pragma once

#include <stddef.h>

#include <ev.h>

#include "net/fetcher.h"

struct crl_fetch;
struct snapshot;

/* Nothing to do yet. `folder` is copied, and made if it is missing. `fetcher` is best one of its own: its thread waits for disks here. `changed` is called from
 * the loop when a file in `folder` has changed; it may call crl_fetch_watch(). E_NOMEM. */
int crl_fetch_start(struct crl_fetch **out, struct ev_loop *loop, struct fetcher *fetcher,
                    const char *folder, void (*changed)(void *arg), void *arg);
/* From now on for the services of this snapshot, and for no others; URLs that were watched before go on as they are. Every snapshot
 * that takes the place of one that is watched has to be told here: the watched one is kept. */
void crl_fetch_watch(struct crl_fetch *c, struct snapshot *snapshot);
/* After the fetcher was stopped. Takes *c and leaves NULL there; NULL is fine. */
void crl_fetch_stop(struct crl_fetch **c);
