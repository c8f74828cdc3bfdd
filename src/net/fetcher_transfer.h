/* One fetch on its way: the handle of libcurl, what was received so far, and what its end means. Private to fetcher.c.
 *
 * Thread: the fetcher's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "net/fetcher.h"

struct transfer {
	struct fetch *fetch; /* NULL: this one is free */
	CURL *easy;          /* CURLOPT_PRIVATE is the transfer */
	struct curl_slist *headers;
	struct buf body;
	size_t head_bytes;
	bool head_too_large;
};

/* Makes the handle for a fetch that has left_ms. False: out of memory, and the transfer is free again. */
bool transfer_init(struct transfer *transfer, struct fetch *fetch, uint64_t left_ms);
/* Only once the handle has left the multi handle. Free afterwards. */
void transfer_release(struct transfer *transfer);
/* Fills in what was answered, but for the body. */
void transfer_describe(struct transfer *transfer, CURLcode code);
/* Of one whose time is over. */
void transfer_describe_timeout(struct fetch *fetch);
