#include "journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "event/event.h"
#include "journal/format.h"

#define ENTRIES_AT (RAW_HEADER_LEN + COMMIT_HEAD_LEN)

int writer_init(struct writer *w, struct store *store, struct preparer *preparer,
                uint64_t file_bytes)
{
	const struct recovered *found = &store->end;
	*w = (struct writer){
		.store = store,
		.preparer = preparer,
		.file_bytes = file_bytes,
		.next_index = found->next_index,
		.fd = -1,
		.has_previous = found->has_file,
		.previous = found->file,
		.previous_end = found->end,
		.has_name = found->has_name,
		.newest = found->newest,
	};
	w->data = malloc(ENTRIES_AT + COMMIT_ENTRIES_MAX);
	return w->data == NULL ? E_NOMEM : E_OK;
}

/* Properly ended: what follows the last commit is zeros that nobody needs. */
static void cut_to_size(struct writer *w)
{
	if (w->store->io->ftruncate(w->fd, (off_t)w->end) == -1 || w->store->io->fsync(w->fd) == -1) {
		log_warning("%s: the last file cannot be cut to its used size: %s", w->store->path,
		            err_text(err_from_errno()));
	}
}

void writer_release(struct writer *w)
{
	if (w->fd != -1) {
		cut_to_size(w);
		close(w->fd);
		w->fd = -1;
	}
	free(w->data);
	w->data = NULL;
}

/* The current file holds everything up to w->end for good; the next commit begins another. */
static void retire(struct writer *w)
{
	close(w->fd);
	w->fd = -1;
}

/* Bytes of entries that the commit may hold where it will stand. */
static size_t room(const struct writer *w)
{
	uint64_t at = w->fd == -1 ? RAW_HEADER_LEN : w->end;
	uint64_t left = w->file_bytes - at;
	if (left < COMMIT_HEAD_LEN) {
		return 0;
	}
	left -= COMMIT_HEAD_LEN;
	return left < COMMIT_ENTRIES_MAX ? (size_t)left : COMMIT_ENTRIES_MAX;
}

static size_t format_decimal(char out[static 20], uint64_t n)
{
	char digits[20];
	size_t len = 0;
	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	for (size_t i = 0; i < len; i++) {
		out[i] = digits[len - 1 - i];
	}
	return len;
}

int writer_add(struct writer *w, struct slice body)
{
	static const char event_head[] = EVENT_HEAD;
	const size_t head_len = sizeof(event_head) - 1;
	uint64_t index = w->next_index + w->count;
	char number[20];
	size_t number_len = format_decimal(number, index);
	size_t len = head_len + number_len + 1 + body.len;
	BUG_IF(len > ENTRY_MAX);

	if (w->count == 0 && w->fd != -1 &&
	    (len + 2 > room(w) ||
	     w->next_index / SEGMENT_ENTRIES != w->key.first / SEGMENT_ENTRIES)) {
		retire(w);
	}
	/* A commit stays in one segment, because its file does. */
	if (w->count > 0 && (len + 2 > room(w) - w->bytes || index % SEGMENT_ENTRIES == 0)) {
		return E_LIMIT;
	}
	BUG_IF(len + 2 > room(w) - w->bytes);

	uint8_t *to = w->data + ENTRIES_AT + w->bytes;
	*to++ = (uint8_t)(len >> 8);
	*to++ = (uint8_t)len;
	memcpy(to, event_head, head_len);
	to += head_len;
	memcpy(to, number, number_len);
	to += number_len;
	*to++ = ',';
	memcpy(to, body.data, body.len);
	w->bytes += 2 + len;
	w->count++;
	return E_OK;
}

/* One pwrite, one fdatasync: from `from` of the buffer to the end of the commit, to `offset` of the
 * file. */
static int put(struct writer *w, int fd, uint64_t salt, size_t from, uint64_t offset)
{
	uint64_t commit_at = offset + (RAW_HEADER_LEN - from);
	struct commit_head head = {
		.bytes = (uint32_t)w->bytes,
		.first = w->next_index,
		.count = w->count,
		.durable = commit_at,
	};
	commit_head_encode(w->data + RAW_HEADER_LEN, &head, salt,
	                   slice_of(w->data + ENTRIES_AT, w->bytes));
	const struct journal_io *io = w->store->io;
	int err = io_write_all(io, fd, w->data + from, ENTRIES_AT - from + w->bytes, (off_t)offset);
	if (err == E_OK && io->fdatasync(fd) == -1) {
		err = err_from_errno();
	}
	return err;
}

static void make_salt(uint64_t *salt)
{
	if (getrandom(salt, sizeof(*salt), 0) != sizeof(*salt)) {
		/* It has to differ from that of earlier files, not to be secret. */
		*salt = clock_mono_ns() ^ (uint64_t)clock_wall_us() << 20;
	}
}

/* Gives the file its name, which is the moment it becomes part of the log. */
static int put_name(struct writer *w, struct prepared *file, struct raw_key key)
{
	const struct journal_io *io = w->store->io;
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, key);
	if (io->renameat(w->store->dir_fd, file->name, w->store->dir_fd, name) == -1) {
		return err_from_errno();
	}
	snprintf(file->name, sizeof(file->name), "%s", "");
	w->has_name = true;
	w->newest = key;
	if (io->fsync(w->store->dir_fd) == -1) {
		int err = err_from_errno();
		/* The name may or may not be on the disk. Without it there is nothing to explain
		 * later; if it comes back, the next file has the same first index and a higher
		 * counter, and nothing of this one counts. */
		io->unlinkat(w->store->dir_fd, name, 0);
		return err;
	}
	return E_OK;
}

/* The commit as the first of a new file. */
static int commit_to_new(struct writer *w)
{
	struct prepared file = {.fd = -1};
	int err = preparer_take(w->preparer, &file);
	if (err != E_OK) {
		return err;
	}
	bool name_taken = w->has_name && w->newest.first == w->next_index;
	struct raw_header header = {
		.key = {.first = w->next_index, .counter = name_taken ? w->newest.counter + 1 : 0},
		.has_previous = w->has_previous,
		.previous = w->previous,
		.previous_end = w->previous_end,
	};
	make_salt(&header.salt);
	raw_header_encode(w->data, &header);

	err = put(w, file.fd, header.salt, 0, 0);
	if (err == E_OK) {
		err = put_name(w, &file, header.key);
	}
	if (err != E_OK) {
		atomic_fetch_add(&w->poisoned, 1);
		if (file.name[0] == '\0') {
			close(file.fd);
		} else {
			prepared_drop(&file, w->store->io, w->store->dir_fd);
		}
		return err;
	}
	w->fd = file.fd;
	w->key = header.key;
	w->salt = header.salt;
	w->end = RAW_HEADER_LEN;
	atomic_fetch_add(&w->files, 1);
	return E_OK;
}

static int commit_to_current(struct writer *w)
{
	int err = put(w, w->fd, w->salt, RAW_HEADER_LEN, w->end);
	if (err == E_OK) {
		return E_OK;
	}
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, w->key);
	log_error("%s: writing \"%s\" failed at byte %" PRIu64 ": %s; going on in a new file",
	          w->store->path, name, w->end, err_text(err));
	atomic_fetch_add(&w->poisoned, 1);
	close(w->fd);
	w->fd = -1;
	return err;
}

int writer_commit(struct writer *w)
{
	BUG_IF(w->count == 0);
	int err = w->fd == -1 ? E_AGAIN : commit_to_current(w);
	if (err != E_OK) {
		err = commit_to_new(w);
	}
	if (err != E_OK) {
		return err;
	}
	w->end += COMMIT_HEAD_LEN + w->bytes;
	w->next_index += w->count;
	w->has_previous = true;
	w->previous = w->key;
	w->previous_end = w->end;
	w->bytes = 0;
	w->count = 0;

	/* The entries are durable either way: readers see them a commit later, or at the next
	 * start. */
	err = store_tip(w->store, w->key, w->end, w->next_index);
	if (err != E_OK) {
		log_error("%s: the file \"%s\" cannot be written: %s", w->store->path, FORMAT_TIP,
		          err_text(err));
	}
	return E_OK;
}
