/* Where a reader may read to.
 *
 * The directory is listed and the lock is asked for; together they are one look. While a daemon
 * holds the lock, the tip is the bound, and files behind the tip's file do not exist for us. The
 * tip is read before the listing, so every file up to the tip's is listed. Without a daemon nothing
 * is being written and the bound is the last valid commit; if the daemon came or went during the
 * look, the look is repeated.
 *
 * In a file entries count below the first index of the next file. A file that ends before that, or
 * before the tip, has a hole: it is searched for a later commit, reported once, and left behind. */
#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "journal/files.h"
#include "journal/format.h"
#include "journal/recover.h"
#include "journal/scan.h"

/* The tip's file may be replaced, and a dying daemon moves nothing: a look now and then is always
 * needed. */
#define POLL_MS 50

struct journal_reader {
	struct diag *diag;
	char *path;
	int dir_fd;
	int lock_fd;
	int tip_fd;
	int notify_fd; /* -1: poll only */

	/* The last look: */
	struct raw_list files;
	bool live;
	bool tip_valid;
	struct tip tip;

	bool has_passed; /* a file was left behind: */
	struct raw_key passed;
	size_t at;          /* in files, the first one behind `passed`; files.count: none */
	struct scan scan;   /* of files.keys[at], when open */
	uint64_t file_next; /* the index that the next commit has to have */
	uint64_t searched; /* behind this offset of the file a search found nothing; 0: none was made */

	uint64_t next;   /* entries below were given, or passed over */
	uint64_t wanted; /* entries below are not asked for */

	/* What is left of the current commit: */
	const uint8_t *entry;
	uint32_t left;
	uint64_t index;
};

static const struct mark nowhere;

static int look(struct journal_reader *r)
{
	bool live;
	do {
		if (r->tip_fd == -1) {
			/* It is made after the identity: a reader may have come in between. */
			file_open_read(&r->tip_fd, r->dir_fd, FORMAT_TIP);
		}
		if (r->lock_fd == -1) {
			file_open_read(&r->lock_fd, r->dir_fd, FORMAT_LOCK);
		}
		live = lock_is_held(r->lock_fd);
		r->tip_valid = tip_read(&r->tip, r->tip_fd) == E_OK;
		int err = raw_list_read(&r->files, r->dir_fd);
		if (err != E_OK) {
			r->at = 0;
			return err;
		}
		r->live = lock_is_held(r->lock_fd);
	} while (r->live != live);

	if (r->live) {
		while (r->files.count > 0 &&
		       !(r->tip_valid && r->tip.has_file &&
		         raw_key_compare(r->files.keys[r->files.count - 1], r->tip.file) <= 0)) {
			r->files.count--;
		}
	}
	r->at = 0;
	while (r->has_passed && r->at < r->files.count &&
	       raw_key_compare(r->files.keys[r->at], r->passed) <= 0) {
		r->at++;
	}
	if (r->scan.fd != -1 && (r->at == r->files.count ||
	                         raw_key_compare(r->files.keys[r->at], r->scan.header.key) != 0)) {
		/* Removed under us; what was read of it stays read. */
		scan_close(&r->scan);
		r->left = 0;
	}
	scan_forget(&r->scan);
	return E_OK;
}

int journal_reader_open(struct journal_reader **out, const char *state, struct diag *diag)
{
	struct journal_reader *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return E_NOMEM;
	}
	r->diag = diag;
	r->dir_fd = r->lock_fd = r->tip_fd = r->notify_fd = r->scan.fd = -1;
	int err = asprintf(&r->path, "%s/" FORMAT_DIR, state) == -1 ? E_NOMEM : E_OK;
	if (err != E_OK) {
		r->path = NULL;
		goto close_reader;
	}
	struct identity identity;
	r->dir_fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = r->dir_fd == -1 ? err_from_errno()
	                      : identity_read(&identity, r->dir_fd, r->path, diag);
	if (err == E_NOT_FOUND) {
		diag_error(diag, r->path, nowhere, "there is no journal here");
	} else if (err != E_OK && r->dir_fd == -1) {
		diag_error(diag, r->path, nowhere, "the journal cannot be opened: %s",
		           err_text(err));
	}
	/* A damaged identity was told; the entries can be read without it. */
	if (err != E_OK && err != E_CORRUPT) {
		goto close_reader;
	}
	err = look(r);
	if (err != E_OK) {
		diag_error(diag, r->path, nowhere, "the journal cannot be read: %s", err_text(err));
		goto close_reader;
	}
	*out = r;
	return E_OK;

close_reader:
	journal_reader_close(&r);
	return err;
}

void journal_reader_close(struct journal_reader **reader)
{
	struct journal_reader *r = *reader;
	if (r == NULL) {
		return;
	}
	*reader = NULL;
	scan_close(&r->scan);
	raw_list_release(&r->files);
	int fds[] = {r->notify_fd, r->tip_fd, r->lock_fd, r->dir_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] != -1) {
			close(fds[i]);
		}
	}
	free(r->path);
	free(r);
}

/* A failure that is not a hole: said, and handed up. */
static int fail(struct journal_reader *r, int err)
{
	char name[RAW_NAME_LEN + 1] = "";
	if (r->at < r->files.count) {
		raw_name_format(name, r->files.keys[r->at]);
	}
	diag_error(r->diag, r->path, nowhere,
	           err == E_VERSION ? "\"%s\" was written by a newer tlscribe: %s"
	                            : "\"%s\" cannot be read: %s",
	           name, err_text(err));
	return err;
}

/* Entries from file_next to below `until` are gone: passes over them. E_CORRUPT, or E_OK if nobody
 * asked for them. */
static int skip_hole(struct journal_reader *r, uint64_t at_offset, uint64_t until)
{
	uint64_t from = r->file_next > r->wanted ? r->file_next : r->wanted;
	r->file_next = until;
	if (from < r->next) {
		from = r->next;
	}
	if (from >= until) {
		return E_OK;
	}
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, r->files.keys[r->at]);
	diag_error(r->diag, r->path, nowhere,
	           "corruption: \"%s\" is damaged at byte %" PRIu64 ": entries %" PRIu64
	           " to %" PRIu64 " are unreadable",
	           name, at_offset, from, until - 1);
	r->next = until;
	return E_CORRUPT;
}

static bool has_next_file(const struct journal_reader *r)
{
	return r->at + 1 < r->files.count;
}

static void pass_file(struct journal_reader *r)
{
	scan_close(&r->scan);
	r->has_passed = true;
	r->passed = r->files.keys[r->at];
	r->at++;
}

/* Opens the file at r->at. E_END: there is none. E_AGAIN: it was passed over. */
static int open_file(struct journal_reader *r)
{
	if (r->at == r->files.count) {
		return E_END;
	}
	struct raw_key key = r->files.keys[r->at];
	if (r->has_passed && key.first > r->file_next) {
		return skip_hole(r, 0, key.first);
	}
	r->file_next = key.first;
	r->searched = 0;
	int err = scan_open(&r->scan, r->dir_fd, key);
	if (err == E_NOT_FOUND || err == E_CORRUPT) {
		/* Without its header no commit of it can be checked. */
		uint64_t until = has_next_file(r) ? r->files.keys[r->at + 1].first
		                 : r->tip_valid && r->tip.next_index > key.first ? r->tip.next_index
		                                                                 : key.first + 1;
		err = skip_hole(r, 0, until);
		pass_file(r);
		return err == E_OK ? E_AGAIN : err;
	}
	return err == E_OK ? E_OK : fail(r, err);
}

/* Up to which index and offset the current file may be read. */
static void bounds(const struct journal_reader *r, uint64_t *index, uint64_t *offset)
{
	*index = UINT64_MAX;
	*offset = RAW_FILE_MAX;
	if (has_next_file(r)) {
		*index = r->files.keys[r->at + 1].first;
	} else if (r->live) {
		*index = r->tip_valid ? r->tip.next_index : 0;
		*offset = r->tip_valid ? r->tip.offset : 0;
		if (r->tip_valid && raw_key_compare(r->files.keys[r->at], r->tip.file) != 0) {
			/* The tip's own file is gone; all of this one is older. */
			*offset = RAW_FILE_MAX;
		}
	}
}

/* No commit begins where the next one should. E_AGAIN: gone on, look once more. E_END, E_CORRUPT,
 * E_... */
static int pass_end_of_file(struct journal_reader *r, uint64_t index_bound, uint64_t offset_bound)
{
	uint64_t at = r->scan.offset;
	bool tip_here = r->tip_valid && r->tip.has_file &&
	                raw_key_compare(r->files.keys[r->at], r->tip.file) == 0;
	bool more = r->file_next < index_bound && at < offset_bound && r->searched != at;

	struct commit_head head;
	int err = more ? scan_resync(&r->scan, offset_bound, r->file_next, &head) : E_END;
	r->searched = at;
	if (err == E_OK && head.first < index_bound) {
		err = skip_hole(r, at, head.first);
		return err == E_OK ? E_AGAIN : err;
	}
	if (err != E_OK && err != E_END) {
		return fail(r, err);
	}
	if (has_next_file(r)) {
		err = r->file_next < index_bound ? skip_hole(r, at, index_bound) : E_OK;
		pass_file(r);
		return err == E_OK ? E_AGAIN : err;
	}
	if (r->tip_valid && r->file_next < r->tip.next_index) {
		err = skip_hole(r, at, r->tip.next_index);
		/* A living daemon goes on writing there. */
		r->scan.offset = tip_here && r->tip.offset > at ? r->tip.offset : at;
		return err == E_OK ? E_AGAIN : err;
	}
	return E_END;
}

/* Loads the next commit of the current file. E_AGAIN: nothing yet, but something moved. */
static int next_commit(struct journal_reader *r)
{
	int err = r->scan.fd == -1 ? open_file(r) : E_OK;
	if (err != E_OK) {
		return err;
	}
	if (r->scan.fd == -1) {
		return E_AGAIN;
	}
	uint64_t index_bound;
	uint64_t offset_bound;
	bounds(r, &index_bound, &offset_bound);
	struct commit_head head;
	struct slice entries;
	uint64_t at = r->scan.offset;
	err = r->file_next >= index_bound ? E_END
	                                  : scan_next(&r->scan, offset_bound, &head, &entries);
	if (err == E_END) {
		return pass_end_of_file(r, index_bound, offset_bound);
	}
	if (err != E_OK) {
		return fail(r, err);
	}
	r->entry = entries.data;
	r->index = head.first;
	/* Behind the bound nothing counts, though it was valid once. */
	r->left = head.first >= index_bound ? 0 : head.count;
	if (r->left > index_bound - head.first) {
		r->left = (uint32_t)(index_bound - head.first);
	}
	err = head.first > r->file_next
	              ? skip_hole(r, at, head.first < index_bound ? head.first : index_bound)
	              : E_OK;
	if (head.first + head.count > r->file_next) {
		r->file_next = head.first + head.count;
	}
	return err;
}

int journal_reader_next(struct journal_reader *r, struct slice *entry, uint64_t *sequence)
{
	bool looked = false;
	for (;;) {
		while (r->left > 0) {
			/* commit_check() has followed these lengths before. */
			size_t len = (size_t)r->entry[0] << 8 | r->entry[1];
			*entry = slice_of(r->entry + 2, len);
			*sequence = r->index++;
			r->entry += 2 + len;
			r->left--;
			if (*sequence >= r->next && *sequence >= r->wanted) {
				r->next = *sequence + 1;
				return E_OK;
			}
		}
		int err = next_commit(r);
		if (err == E_END && !looked) {
			looked = true;
			err = look(r);
			if (err != E_OK) {
				return fail(r, err);
			}
		} else if (err != E_OK && err != E_AGAIN) {
			return err;
		}
	}
}

int journal_reader_seek(struct journal_reader *r, uint64_t sequence)
{
	int err = look(r);
	if (err != E_OK) {
		return fail(r, err);
	}
	scan_close(&r->scan);
	r->left = 0;
	r->at = 0;
	while (has_next_file(r) && r->files.keys[r->at + 1].first <= sequence) {
		r->at++;
	}
	r->has_passed = r->at > 0;
	if (r->has_passed) {
		r->passed = r->files.keys[r->at - 1];
		r->file_next = r->files.keys[r->at].first;
	}
	r->next = 0;
	r->wanted = sequence;
	return E_OK;
}

int journal_reader_end(struct journal_reader *r, uint64_t *end)
{
	int err = look(r);
	if (err == E_OK && r->live) {
		*end = r->tip_valid ? r->tip.next_index : 0;
		return E_OK;
	}
	struct recovered found = {0};
	if (err == E_OK) {
		err = recover_find_end(&found, r->dir_fd, &r->files, r->tip_valid ? &r->tip : NULL);
	}
	*end = found.next_index;
	return err == E_OK ? E_OK : fail(r, err);
}

/* Something changed that a reader at its end cares for. */
static bool has_moved(struct journal_reader *r)
{
	struct tip tip;
	if (lock_is_held(r->lock_fd) != r->live) {
		return true;
	}
	return tip_read(&tip, r->tip_fd) == E_OK &&
	       (!r->tip_valid || tip.generation != r->tip.generation);
}

static void watch_tip(struct journal_reader *r)
{
	if (r->notify_fd != -1 || r->tip_fd == -1) {
		return;
	}
	r->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char *tip_path = NULL;
	if (r->notify_fd != -1 && asprintf(&tip_path, "%s/" FORMAT_TIP, r->path) != -1) {
		inotify_add_watch(r->notify_fd, tip_path, IN_MODIFY);
		free(tip_path);
	}
}

int journal_reader_wait(struct journal_reader *r, unsigned timeout_ms)
{
	uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
	watch_tip(r);
	for (;;) {
		if (r->tip_fd == -1) {
			file_open_read(&r->tip_fd, r->dir_fd, FORMAT_TIP);
		}
		if (r->lock_fd == -1) {
			file_open_read(&r->lock_fd, r->dir_fd, FORMAT_LOCK);
		}
		if (has_moved(r)) {
			return E_OK;
		}
		uint64_t now = clock_mono_ns();
		if (now >= until) {
			return E_TIMEOUT;
		}
		uint64_t left_ms = (until - now) / 1000000 + 1;
		struct pollfd pfd = {.fd = r->notify_fd, .events = POLLIN};
		int ready = poll(&pfd, 1, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
		if (ready == -1) {
			return errno == EINTR ? E_AGAIN : err_from_errno();
		}
		char events[4096];
		while (ready > 0 && read(r->notify_fd, events, sizeof(events)) > 0) {
		}
	}
}
